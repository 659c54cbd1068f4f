//! What every request passes: the `Host` check on the way in, the security headers on the way out.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::{Failure, PageState};

/// `data:` is for the tiny pictures in the rows. `connect-src` is for the script's question whether something changed.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CONTENT_SECURITY_POLICY, POLICY),
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

pub(super) async fn guard(State(state): State<Arc<PageState>>, request: Request, next: Next) -> Response {
    let mut response = match check_host(&request, &state.hosts) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    };
    response.headers_mut().extend(HEADERS);
    response
}

/// Against DNS rebinding: a site whose name suddenly means 127.0.0.1 reaches the page, but under its own name.
fn check_host(request: &Request, hosts: &[String]) -> Result<(), Failure> {
    let mut sent = request.headers().get_all(HOST).iter();
    let (Some(host), None) = (sent.next(), sent.next()) else {
        return Err(Failure::bad_request("A request must have one Host header.".to_owned()));
    };
    // A request line may name a host too (RFC 9112, section 3.2.2); both must be ours.
    let named = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    if [Some(host.as_bytes()), named].into_iter().flatten().all(|name| hosts.iter().any(|ours| is(name, ours))) {
        return Ok(());
    }
    let message = format!("This page answers only to {}. Open it under one of these names.", hosts.join(", "));
    Err(Failure::new(StatusCode::MISDIRECTED_REQUEST, message))
}

/// Names of hosts have no case, and browsers leave port 80 out.
fn is(sent: &[u8], ours: &str) -> bool {
    let ours = ours.as_bytes();
    sent.eq_ignore_ascii_case(ours) || ours.strip_suffix(b":80").is_some_and(|ours| sent.eq_ignore_ascii_case(ours))
}
