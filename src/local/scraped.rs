//! What Prometheus reads of a process that has no page: `GET /metrics`.
//!
//! It has no secret in it and changes nothing, so whoever reaches the address may read it. A browser may not read it for
//! somebody else's page: it would ask for a name of theirs that suddenly means this machine (DNS rebinding). Such names
//! have a dot; those in front of which Prometheus stands (addresses, `localhost`, a service's name) have none.

use std::net::IpAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{StatusCode, uri::Authority};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::http::serve_router;
use crate::metrics::{self, Exposition};

/// Where it is.
pub const PATH: &str = "/metrics";

/// Serves until `stop` is done.
pub async fn serve(listener: TcpListener, exposition: Exposition, stop: impl Future<Output = ()>) {
    let text = get(async move || ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], exposition()));
    let router = Router::new()
        .route(PATH, text)
        .fallback(async || (StatusCode::NOT_FOUND, format!("metrics are at {PATH}\n")))
        .layer(from_fn(guard));
    serve_router(listener, router, stop).await;
}

async fn guard(request: Request, next: Next) -> Response {
    let mut sent = request.headers().get_all(HOST).iter();
    let host = match (sent.next(), sent.next()) {
        (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
        _ => None,
    };
    // A request line may name a host too (RFC 9112, section 3.2.2).
    let named = request.uri().authority();
    if host.iter().chain(named).all(|name| is_near(name.host())) && host.is_some() {
        return next.run(request).await;
    }
    let message = "ask by an address, or by a name without a dot: other names could be another site's\n";
    (StatusCode::FORBIDDEN, message).into_response()
}

fn is_near(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    !host.contains('.') || address.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_sites_have_a_dot() {
        for near in ["localhost", "worker", "spotter-worker", "127.0.0.1", "10.2.3.4", "[::1]", "[fd00::7]"] {
            assert!(is_near(near), "{near}");
        }
        for far in ["evil.example", "127.0.0.1.nip.io", "localhost.", "1.2.3", "a.b"] {
            assert!(!is_near(far), "{far}");
        }
    }
}
