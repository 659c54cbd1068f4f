//! What happens before and after `s3s`: CORS, refusing headers of Signature Version 2, request ids.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, AUTHORIZATION, CONNECTION,
    CONTENT_LENGTH, EXPECT, HeaderName, HeaderValue, ORIGIN, VARY,
};
use http::{HeaderMap, Method, Request, StatusCode};
use s3s::service::S3Service;
use s3s::{Body, HttpError, HttpResponse, S3Error, s3_error};

use super::super::http::Paced;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, PUT, POST, DELETE");
const EXPOSED: HeaderValue =
    HeaderValue::from_static("ETag, x-amz-version-id, x-amz-delete-marker, x-amz-request-id, Content-Range");
const VARIES: HeaderValue =
    HeaderValue::from_static("Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");

#[derive(Clone)]
pub(super) struct Front {
    s3: S3Service,
    origins: Arc<[String]>,
    requests: Arc<AtomicU64>,
}

impl Front {
    pub(super) fn new(s3: S3Service, origins: Vec<String>) -> Self {
        Self { s3, origins: origins.into(), requests: Arc::default() }
    }

    async fn answer(self, request: Request<Paced>) -> Result<HttpResponse, HttpError> {
        let origin = request.headers().get(ORIGIN).cloned();
        let allowed = origin.filter(|origin| self.origins.iter().any(|known| known.as_bytes() == origin.as_bytes()));
        let unanswered = Expecting::of(request.headers());
        let mut response = if request.method() == Method::OPTIONS {
            preflight(request.headers(), allowed.is_some())?
        } else if is_version_2(&request) {
            // `s3s` would take it, but it signs neither the body nor most headers, and never expires. URLs and forms
            // do, and botocore still signs them so unless it is told not to.
            refuse(s3_error!(InvalidRequest, "Sign the request with AWS4-HMAC-SHA256 (Signature Version 4)."))?
        } else {
            self.s3.call(request.map(Body::http_body)).await?
        };
        let closes = unanswered.closes(response.status());
        let headers = response.headers_mut();
        if closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if !self.origins.is_empty() {
            headers.append(VARY, VARIES);
        }
        if let Some(origin) = allowed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
        let id = self.requests.fetch_add(1, Ordering::Relaxed);
        headers.insert(REQUEST_ID, HeaderValue::from(id));
        Ok(response)
    }
}

impl hyper::service::Service<Request<Paced>> for Front {
    type Response = HttpResponse;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send>>;

    fn call(&self, request: Request<Paced>) -> Self::Future {
        Box::pin(self.clone().answer(request))
    }
}

/// Whether the client waits for `100 Continue`.
///
/// hyper sends none for an empty body, and none where the answer comes before the body is read. botocore takes the
/// status of such an answer for that of the connection's next request as well, whose headers it then loses: an upload
/// without an ETag. Closing the connection makes it forget.
enum Expecting {
    Nothing,
    ContinueWithoutBody,
    Continue,
}

impl Expecting {
    fn of(headers: &HeaderMap) -> Self {
        match headers.get(EXPECT) {
            None => Self::Nothing,
            Some(_) if headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0") => Self::ContinueWithoutBody,
            Some(_) => Self::Continue,
        }
    }

    fn closes(&self, status: StatusCode) -> bool {
        match self {
            Self::Nothing => false,
            Self::ContinueWithoutBody => true,
            Self::Continue => !status.is_success(),
        }
    }
}

/// Answers a browser's question whether its page may send a request. It is never signed.
fn preflight(asked: &HeaderMap, allowed: bool) -> Result<HttpResponse, HttpError> {
    if !allowed {
        return refuse(s3_error!(AccessDenied, "CORSResponse: This CORS request is not allowed."));
    }
    let mut response = HttpResponse::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    Ok(response)
}

fn is_version_2(request: &Request<Paced>) -> bool {
    request.headers().get(AUTHORIZATION).is_some_and(|value| value.as_bytes().starts_with(b"AWS "))
}

fn refuse(error: S3Error) -> Result<HttpResponse, HttpError> {
    error.to_http_response().map_err(|error| HttpError::new(Box::new(error)))
}
