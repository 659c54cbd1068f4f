//! What a bucket is on a bare machine: an S3 endpoint in this process, for `serve`, `demo` and the tests, a webhook, and what
//! Prometheus reads.
//!
//! [`Store`] keeps buckets, objects and a queue of notifications; an object's row and its notification commit in
//! one transaction, so that no crash separates them. [`Endpoint`] speaks S3 in front of it, on the `s3s` crate.

mod client;
mod credentials;
pub mod dispatch;
mod endpoint;
mod http;
pub mod scraped;
mod store;
pub mod webhook;

pub use client::client;
pub use credentials::{Credentials, CredentialsError};
pub use endpoint::{Endpoint, EndpointHandle};
pub use http::serve_router;
pub use store::{
    Attributes, Body, Bucket, Checksums, Condition, Notification, Removed, Staged, Staging, Store, StoreError, Version,
    Versioning, Written,
};
