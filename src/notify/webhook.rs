//! A URL that gets each record as a POST, signed if there is a secret.

use std::fmt;
use std::sync::OnceLock;
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorSettings, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use hmac::{Hmac, KeyInit, Mac};
use http::Uri;
use sha2::Sha256;

use super::message::{Message, hex};
use super::target::origin;
use super::{CONNECT_TIMEOUT, TIMEOUT};
use crate::secret::Secret;

const SIGNATURE: &str = "x-spotter-signature";
/// A function that was frozen for longer would write to a connection that is long gone.
const IDLE: Duration = Duration::from_secs(20);

pub(super) struct Webhook {
    url: Uri,
    secret: Option<Secret>,
    /// Made when there is something to tell: it reads the system's certificates.
    connector: OnceLock<SharedHttpConnector>,
}

impl Webhook {
    pub(super) fn new(url: Uri, secret: Option<Secret>) -> Webhook {
        Webhook { url, secret, connector: OnceLock::new() }
    }

    pub(super) fn tell_over(&mut self, network: SharedHttpConnector) {
        self.connector = OnceLock::from(network);
    }

    /// Any 2xx is taken as told; a redirect is not followed, because what is signed is for one receiver.
    pub(super) async fn post(&self, message: &Message<'_>) -> Result<(), String> {
        let request = self.request(message).map_err(|error| error.to_string())?;
        let answer = self.connector().call(request).await.map_err(|error| crate::objects::causes(&error))?;
        match answer.status().as_u16() {
            200..=299 => Ok(()),
            status => Err(format!("it answered {status}")),
        }
    }

    fn request(&self, message: &Message<'_>) -> Result<HttpRequest, Box<dyn std::error::Error + Send + Sync>> {
        let mut request = HttpRequest::get(self.url.to_string())?;
        request.set_method("POST")?;
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json");
        headers.insert("user-agent", concat!("spotter/", env!("CARGO_PKG_VERSION")));
        if let Some(secret) = &self.secret {
            headers.insert(SIGNATURE, signature(secret, message.body.as_bytes())?);
        }
        *request.body_mut() = message.body.clone().into();
        Ok(request)
    }

    fn connector(&self) -> &SharedHttpConnector {
        self.connector.get_or_init(|| {
            let timeouts = HttpConnectorSettings::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(TIMEOUT);
            let connector = Connector::builder()
                .connector_settings(timeouts.build())
                .pool_idle_timeout(IDLE)
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .build();
            SharedHttpConnector::new(connector)
        })
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&origin(&self.url))
    }
}

/// `sha256=` and HMAC-SHA256 of the body in lower-case hex, as GitHub's webhooks do it.
/// <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
fn signature(secret: &Secret, body: &[u8]) -> Result<String, hmac::digest::InvalidLength> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())?;
    mac.update(body);
    Ok(format!("sha256={}", hex(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;

    /// GitHub's own example.
    #[test]
    fn a_signature_is_what_others_make_of_it() {
        let secret = Secret::from("It's a Secret to Everybody");
        assert_eq!(
            signature(&secret, b"Hello, World!").unwrap(),
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
        );
    }
}
