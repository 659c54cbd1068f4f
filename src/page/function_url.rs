//! The page behind a Lambda Function URL: its requests and answers in payload format 2.0.
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads>

use std::collections::BTreeMap;
use std::convert::Infallible;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::response::Response;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};
use tower_service::Service;

use super::PageState;
use crate::encoding::{base64, unbase64};

/// What a URI cannot hold (RFC 3986); `%` stays, because the path is encoded but for what some gateways decode.
const NOT_IN_A_URI: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
const NOT_IN_A_QUERY: &AsciiSet = &NOT_IN_A_URI.remove(b'?');

/// Lambda passes on answers of 6 MB, as they stand in the invocation's JSON, and its edge must have room for the rest.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const MOST_BYTES: usize = 6_000_000;

/// The page, as what is behind the URL.
pub struct FunctionUrl {
    router: Router,
    access: Access,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    /// The router asks for the token itself.
    Token,
    /// Whom AWS has authenticated, for which the URL's `AuthType` is `AWS_IAM`. Others are refused here, so that a
    /// function without a token is never public, whatever its URL says.
    Iam,
}

/// Not a request to a Function URL.
#[derive(Debug, thiserror::Error)]
#[error("this is no request to a Function URL (payload format 2.0): {0}")]
pub struct NoRequest(String);

/// What of a request's event is looked at. Neither cookies, of which the page has none, nor the parsed query.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request_context: Context,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct Context {
    http: Http,
    authorizer: Option<Authorizer>,
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

#[derive(Deserialize)]
struct Authorizer {
    iam: Option<Value>,
}

impl FunctionUrl {
    /// With a token whoever has it may ask, without one whom AWS has authenticated.
    pub fn new(state: PageState) -> FunctionUrl {
        let access = if state.token.is_some() { Access::Token } else { Access::Iam };
        FunctionUrl { router: super::router(state), access }
    }

    /// Answers one event.
    ///
    /// # Errors
    /// An event of another kind, or one that is no HTTP request.
    pub async fn answer(&self, event: &Value) -> Result<Value, NoRequest> {
        let event = Event::deserialize(event).map_err(|error| NoRequest(error.to_string()))?;
        let signed = event.request_context.authorizer.as_ref().is_some_and(|authorizer| authorizer.iam.is_some());
        if self.access == Access::Iam && !signed {
            return Ok(sentence(StatusCode::FORBIDDEN, UNSIGNED));
        }
        let answer: Result<Response, Infallible> = self.router.clone().call(request(event)?).await;
        let Ok(answer) = answer;
        Ok(payload(answer).await)
    }
}

const UNSIGNED: &str =
    "This function has no token, so it answers only what AWS has authenticated: its URL needs AuthType AWS_IAM.";

/// What is told instead of an answer that cannot be had now; `error` is a sentence.
pub fn unavailable(error: &str) -> Value {
    sentence(StatusCode::SERVICE_UNAVAILABLE, error)
}

/// In the API's shape.
fn sentence(status: StatusCode, error: &str) -> Value {
    json!({
        "statusCode": status.as_u16(),
        "headers": { "content-type": "application/json", "cache-control": "no-store" },
        "body": json!({ "error": error }).to_string(),
        "isBase64Encoded": false,
    })
}

fn request(event: Event) -> Result<Request, NoRequest> {
    if !event.raw_path.starts_with('/') {
        return Err(NoRequest("rawPath does not begin with /".into()));
    }
    let path = utf8_percent_encode(&event.raw_path, NOT_IN_A_URI);
    let uri = match event.raw_query_string.as_str() {
        "" => path.to_string(),
        query => format!("{path}?{}", utf8_percent_encode(query, NOT_IN_A_QUERY)),
    };
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri.parse::<Uri>().map_err(|error| NoRequest(format!("rawPath: {error}")))?;
    let method = event.request_context.http.method;
    *request.method_mut() =
        Method::from_bytes(method.as_bytes()).map_err(|error| NoRequest(format!("method: {error}")))?;
    for (name, value) in event.headers {
        let header = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()));
        let (Ok(header), Ok(value)) = header else {
            return Err(NoRequest(format!("the header {name:?} is none")));
        };
        request.headers_mut().append(header, value);
    }
    let body = match event.body {
        None => Vec::new(),
        Some(body) if event.is_base64_encoded => {
            unbase64(&body).ok_or_else(|| NoRequest("the body is not Base64".into()))?
        }
        Some(body) => body.into_bytes(),
    };
    *request.body_mut() = Body::from(body);
    Ok(request)
}

async fn payload(answer: Response) -> Value {
    let (head, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, MOST_BYTES).await else {
        return sentence(StatusCode::INTERNAL_SERVER_ERROR, TOO_LARGE);
    };
    let (body, is_base64) = match String::from_utf8(body.into()) {
        Ok(text) => (Value::String(text), false),
        Err(bytes) => (Value::String(base64(bytes.as_bytes())), true),
    };
    // A quote takes two bytes in JSON, so half of the limit is always below it.
    if body.as_str().is_some_and(|body| body.len() > MOST_BYTES / 2) && body.to_string().len() > MOST_BYTES {
        return sentence(StatusCode::INTERNAL_SERVER_ERROR, TOO_LARGE);
    }
    json!({
        "statusCode": head.status.as_u16(),
        "headers": joined(&head.headers),
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

const TOO_LARGE: &str = "The answer is larger than the 6 MB that Lambda passes on: ask for fewer, by limit.";

/// One value a name. The length is the URL's to say.
fn joined(headers: &HeaderMap) -> BTreeMap<String, String> {
    let names = headers.keys().filter(|name| *name != CONTENT_LENGTH);
    let values = |name: &HeaderName| {
        let values = headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        values.collect::<Vec<_>>().join(", ")
    };
    names.map(|name| (name.as_str().to_owned(), values(name))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use axum::http::header::{CONTENT_TYPE, VARY};
    use proptest::prelude::*;

    use super::*;

    fn answered(response: Response) -> Value {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(payload(response))
    }

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let mut response = Response::new(Body::from(vec![0x89, b'P', b'N', b'G']));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("4"));
        let headers = json!({ "content-type": "image/png" });
        let expected = json!({ "statusCode": 200, "headers": headers, "body": "iVBORw==", "isBase64Encoded": true });
        assert_eq!(answered(response), expected);
    }

    #[test]
    fn a_header_with_several_values_is_one() {
        let mut response = Response::new(Body::from("ü"));
        response.headers_mut().append(VARY, HeaderValue::from_static("origin"));
        response.headers_mut().append(VARY, HeaderValue::from_static("accept"));
        let expected = json!({ "statusCode": 200, "headers": { "vary": "origin, accept" }, "body": "ü", "isBase64Encoded": false });
        assert_eq!(answered(response), expected);
    }

    #[test]
    fn what_lambda_would_not_pass_on_is_said_instead() {
        for (byte, bytes, status) in [
            (b'x', MOST_BYTES - 2, 200),
            (b'x', MOST_BYTES - 1, 500),
            (b'"', MOST_BYTES / 2 - 1, 200),
            (b'"', MOST_BYTES / 2 + 1, 500),
            (0xff, MOST_BYTES / 4 * 3 - 3, 200),
            (0xff, MOST_BYTES / 4 * 3, 500),
            (b'x', MOST_BYTES + 1, 500),
        ] {
            let answer = answered(Response::new(Body::from(vec![byte; bytes])));
            assert_eq!(answer["statusCode"], status, "{bytes} times {byte}");
            assert!(answer["body"].to_string().len() <= MOST_BYTES);
        }
    }

    proptest! {
        #[test]
        fn any_event_is_a_request_or_none(
            path in "/?.*", query in ".*", method in any::<String>(), name in any::<String>(), value in any::<String>(),
            body in proptest::option::of(any::<String>()), is_base64_encoded: bool,
        ) {
            let event = json!({
                "rawPath": path, "rawQueryString": query, "headers": { name: value }, "body": body,
                "isBase64Encoded": is_base64_encoded, "requestContext": { "http": { "method": method } },
            });
            let _ = request(Event::deserialize(&event).unwrap());
        }

        #[test]
        fn every_key_survives_the_query(key in ".+") {
            let query = format!("key={}", utf8_percent_encode(&key, percent_encoding::NON_ALPHANUMERIC));
            let event = json!({
                "rawPath": "/api/object", "rawQueryString": query, "requestContext": { "http": { "method": "GET" } },
            });
            let request = request(Event::deserialize(&event).unwrap()).unwrap();
            prop_assert_eq!(request.uri().path(), "/api/object");
            prop_assert_eq!(request.uri().query(), Some(query.as_str()));
        }
    }
}
