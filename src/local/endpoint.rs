//! The endpoint: S3's wire format and signatures by `s3s`, the rest here.
//!
//! Requests are addressed by path (`/bucket/key`) or, under `*.localhost`, by host. Every request is signed
//! (Signature Version 4: header, presigned URL, POST policy) but for CORS preflights, which browsers cannot sign.
//! Tags, ACLs and storage classes that come with an upload are not kept; encryption with a customer's key is refused.

mod body;
mod buckets;
mod conditions;
mod errors;
mod extent;
mod front;
mod listing;
mod multipart;
mod objects;
mod service;
mod values;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use s3s::auth::{S3Auth, SecretKey};
use s3s::config::{S3Config, StaticConfigProvider};
use s3s::host::{S3Host, VirtualHost};
use s3s::service::S3ServiceBuilder;
use s3s::{S3Result, s3_error};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::front::Front;
use self::service::Service;
use super::http::{self, Patience};
use super::{Credentials, Store};

/// `s3s` holds a POST form's file in memory (PUT and multipart uploads stream).
const LARGEST_FORM: u64 = 64 * 1024 * 1024;
/// XML of a request: 10,000 parts or 1,000 keys fit easily.
const LARGEST_XML: usize = 4 * 1024 * 1024;

/// An S3 endpoint in front of a [`Store`].
pub struct Endpoint;

/// A running endpoint. Dropping it stops it without grace.
pub struct EndpointHandle {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Endpoint {
    /// Serves `store` on `listener` until the handle is shut down or dropped. Pages from `origins` (such as
    /// `http://127.0.0.1:8080`) may call it from a browser.
    ///
    /// # Errors
    /// Where the listener has no address. Call it inside a Tokio runtime.
    pub fn start(
        store: Store,
        listener: TcpListener,
        credentials: &Credentials,
        origins: Vec<String>,
    ) -> io::Result<EndpointHandle> {
        let address = listener.local_addr()?;
        let mut config = S3Config::default();
        config.post_object_max_file_size = LARGEST_FORM;
        config.xml_max_body_size = LARGEST_XML;
        let mut builder = S3ServiceBuilder::new(Service { store });
        builder.set_auth(OneKey(credentials.clone()));
        builder.set_host(Localhost);
        builder.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
        let (stop, stopped) = watch::channel(false);
        let task =
            tokio::spawn(http::serve(listener, Front::new(builder.build(), origins), stopped, Patience::default()));
        Ok(EndpointHandle { address, stop, task })
    }
}

impl EndpointHandle {
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more requests, and lets those under way end (for a few seconds).
    pub async fn shutdown(mut self) {
        // Nobody listens where the task has ended: nothing to stop.
        let _ = self.stop.send(true);
        let _ = (&mut self.task).await;
    }
}

impl Drop for EndpointHandle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The only key pair there is.
struct OneKey(Credentials);

#[async_trait::async_trait]
impl S3Auth for OneKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key != self.0.access_key_id {
            return Err(s3_error!(
                InvalidAccessKeyId,
                "The access key id is not this endpoint's; `spotter env` prints the right one."
            ));
        }
        Ok(SecretKey::from(self.0.secret_access_key.clone()))
    }
}

/// `bucket.localhost` names a bucket; any other host does not.
struct Localhost;

impl S3Host for Localhost {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.split_once(':').map_or(host, |(name, _)| name);
        Ok(match name.strip_suffix(".localhost") {
            Some(bucket) => VirtualHost::new("localhost").with_bucket(bucket),
            None => VirtualHost::new(host),
        })
    }
}
