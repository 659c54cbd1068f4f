//! What every request passes: who asks, under which name, from where; and the security headers on the way out.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::Shared;
use super::answer::{Failure, JSON};

/// What browsers say of every request, to hosts that they take for safe (this machine is one): who made it.
/// <https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header>
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    // Other sites' pages may not embed an answer either.
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    // Kept, but asked about each time: a record may be there the next moment.
    (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
];

/// The names of this machine to itself, with a port: `localhost:8080`, `127.0.0.1:8080`, `[::1]:8080`.
pub fn loopback_hosts(port: u16) -> Vec<String> {
    ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")).to_vec()
}

/// What `Authorization: Bearer` has to be. Only its SHA-256 is kept.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    pub fn new(secret: &str) -> Token {
        Token(Sha256::digest(secret).into())
    }

    /// Digests are compared: how far two of them agree tells nothing of the token.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let sent = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let bearer = sent.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "));
        bearer.is_some_and(|(_, secret)| <[u8; 32]>::from(Sha256::digest(secret)) == self.0)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

pub(super) async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match check(&request, &shared) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    let headers = response.headers_mut();
    headers.extend(HEADERS);
    headers.insert(CONTENT_SECURITY_POLICY, policy(&shared.page.s3_endpoint));
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

fn check(request: &Request, shared: &Shared) -> Result<(), Failure> {
    let host = one_host(request)?;
    if let Some(hosts) = &shared.page.hosts {
        check_host(request, host, hosts)?;
    }
    let path = request.uri().path();
    let asks = path.starts_with("/api/") || path == super::METRICS;
    if asks && is_of_another_site(request.headers()) {
        return Err(Failure::new(StatusCode::FORBIDDEN, ANOTHER_SITE));
    }
    if asks && shared.page.token.as_ref().is_some_and(|token| !token.admits(request.headers())) {
        let message = "This needs the page's token: Authorization: Bearer, and the token.";
        return Err(Failure::new(StatusCode::UNAUTHORIZED, message));
    }
    Ok(())
}

/// What every method passes that changes something.
pub(super) async fn own_site(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let sent_here =
        one_host(&request).and_then(|host| check_origin(request.headers(), host, shared.page.hosts.as_deref()));
    match sent_here {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

fn one_host(request: &Request) -> Result<&[u8], Failure> {
    let mut sent = request.headers().get_all(HOST).iter();
    match (sent.next(), sent.next()) {
        (Some(host), None) => Ok(host.as_bytes()),
        _ => Err(Failure::bad_request("A request must have one Host header.")),
    }
}

/// Against DNS rebinding: a site whose name suddenly means 127.0.0.1 reaches the page, but under its own name.
fn check_host(request: &Request, host: &[u8], hosts: &[String]) -> Result<(), Failure> {
    // A request line may name a host too (RFC 9112, section 3.2.2); both must be ours.
    let named = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    if [Some(host), named].into_iter().flatten().all(|name| hosts.iter().any(|ours| is(name, ours.as_bytes()))) {
        return Ok(());
    }
    let message = format!("This page answers only to {}. Open it under one of these names.", hosts.join(", "));
    Err(Failure::new(StatusCode::MISDIRECTED_REQUEST, message))
}

/// Against requests that another site makes a browser send: a form can send no JSON, and a script that tries is asked
/// for by a preflight, which nothing here allows. What a browser sends says where from.
fn check_origin(headers: &HeaderMap, host: &[u8], hosts: Option<&[String]>) -> Result<(), Failure> {
    let typed = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    let essence = typed.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
    if !essence.eq_ignore_ascii_case(JSON.as_bytes()) {
        let message = "Send JSON, and say so: content-type: application/json.";
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.as_bytes();
    let from = origin.strip_prefix(b"http://").or_else(|| origin.strip_prefix(b"https://"));
    let ours = from.is_some_and(|from| match hosts {
        Some(hosts) => hosts.iter().any(|ours| is(from, ours.as_bytes())),
        None => is(from, host),
    });
    if ours {
        return Ok(());
    }
    Err(Failure::new(StatusCode::FORBIDDEN, ANOTHER_SITE))
}

const ANOTHER_SITE: &str = "Another site's page may not do this.";

/// A site whose page names our address as a picture's could not read the answer, but have us work for it. `none` is a
/// person who typed the address.
fn is_of_another_site(headers: &HeaderMap) -> bool {
    headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none")
}

/// Names of hosts have no case, and browsers leave port 80 out.
fn is(sent: &[u8], ours: &[u8]) -> bool {
    sent.eq_ignore_ascii_case(ours) || ours.strip_suffix(b":80").is_some_and(|ours| sent.eq_ignore_ascii_case(ours))
}

/// `data:` and `blob:` are for pictures: what the model saw, and what is drawn. Uploads go to `s3_endpoint`.
fn policy(s3_endpoint: &str) -> HeaderValue {
    let policy = |connect: &str| {
        HeaderValue::from_str(&format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
             connect-src 'self'{connect}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ))
    };
    // Of a URL only what is an origin: a `;` in it would be a directive.
    let uri = s3_endpoint.parse::<Uri>().unwrap_or_default();
    let origin = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme @ ("http" | "https")), Some(authority)) if !authority.as_str().contains([';', ',', '@']) => {
            format!(" {scheme}://{authority}")
        }
        _ => String::new(),
    };
    policy(&origin).or_else(|_| policy("")).unwrap_or(HeaderValue::from_static("default-src 'none'"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;

    fn connect(endpoint: &str) -> String {
        let policy = policy(endpoint).to_str().unwrap().to_owned();
        policy.split("; ").find(|part| part.starts_with("connect-src")).unwrap().to_owned()
    }

    #[test]
    fn uploads_may_go_to_the_bucket_and_nowhere_else() {
        assert_eq!(connect("http://127.0.0.1:9000"), "connect-src 'self' http://127.0.0.1:9000");
        assert_eq!(
            connect("https://b.s3.eu-west-1.amazonaws.com/x"),
            "connect-src 'self' https://b.s3.eu-west-1.amazonaws.com"
        );
        for odd in ["", "javascript:x", "http://a;script-src *", "http://user@host", "ftp://host", "http://a, b"] {
            assert_eq!(connect(odd), "connect-src 'self'", "{odd}");
        }
    }

    #[test]
    fn a_token_admits_itself_and_is_never_shown() {
        let token = Token::new("s3cret");
        let admits = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            token.admits(&headers)
        };
        assert!(admits("Bearer s3cret") && admits("bearer s3cret"));
        for wrong in
            ["", "Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret ", "Basic s3cret", "s3cret", "Bearer  s3cret"]
        {
            assert!(!admits(wrong), "{wrong:?}");
        }
        assert!(!token.admits(&HeaderMap::new()));
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
