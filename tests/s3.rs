//! The local S3 endpoint, asked by the clients that people use.

#![allow(clippy::unwrap_used)] // A panic is how a test fails.

mod clients;
mod forms;
mod keys;
mod listing;
mod multipart;
mod objects;
pub mod raw;
mod signatures;
mod versions;
mod wire;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Builder, Credentials as SdkCredentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use spotter::local::{Credentials, Endpoint, EndpointHandle, Store};
use tokio::net::TcpListener;

use crate::harness::on_runtime;

pub const BUCKET: &str = "pictures";
/// A page that may call the endpoint.
pub const PAGE: &str = "http://127.0.0.1:8080";

pub fn trials() -> Vec<Trial> {
    let groups = [
        objects::trials(),
        keys::trials(),
        listing::trials(),
        versions::trials(),
        multipart::trials(),
        signatures::trials(),
        wire::trials(),
        forms::trials(),
        clients::trials(),
    ];
    groups.into_iter().flatten().collect()
}

/// An endpoint with one empty bucket, and the AWS SDK talking to it.
pub struct Bench {
    pub store: Store,
    pub credentials: Credentials,
    pub endpoint: EndpointHandle,
    pub client: Client,
    _dir: tempfile::TempDir,
}

impl Bench {
    pub async fn start() -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        let store = Store::open(dir.path())?;
        store.create_bucket(BUCKET)?;
        let credentials = Credentials::load_or_create(dir.path())?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = Endpoint::start(store.clone(), listener, &credentials, vec![PAGE.to_owned()])?;
        let client = client(&endpoint, &credentials.access_key_id, &credentials.secret_access_key);
        Ok(Self { store, credentials, endpoint, client, _dir: dir })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.endpoint.address())
    }

    /// Uploads `body` and gives its ETag, without quotation marks.
    pub async fn put(&self, key: &str, body: &[u8]) -> Result<String, Failed> {
        let put = self.client.put_object().bucket(BUCKET).key(key).body(body.to_vec().into()).send().await?;
        Ok(put.e_tag().unwrap_or_default().trim_matches('"').to_owned())
    }

    pub async fn get(&self, key: &str) -> Result<Vec<u8>, Failed> {
        let got = self.client.get_object().bucket(BUCKET).key(key).send().await?;
        Ok(got.body.collect().await?.to_vec())
    }

    /// The queued notifications' event names and keys (as they are encoded), and forgets them.
    pub fn notified(&self) -> Result<Vec<(String, String)>, Failed> {
        Ok(self
            .records()?
            .iter()
            .map(|record| (text(&record["eventName"]), text(&record["s3"]["object"]["key"])))
            .collect())
    }

    /// The queued notifications' records, and forgets them.
    pub fn records(&self) -> Result<Vec<Value>, Failed> {
        let mut records = Vec::new();
        for queued in self.store.pending(10_000)? {
            let event: Value = serde_json::from_str(&queued.body)?;
            assert_eq!(event["Records"].as_array().map(Vec::len), Some(1));
            records.push(event["Records"][0].clone());
            self.store.done(queued.id)?;
        }
        Ok(records)
    }
}

pub fn client(endpoint: &EndpointHandle, access_key_id: &str, secret_access_key: &str) -> Client {
    let credentials = SdkCredentials::new(access_key_id, secret_access_key, None, None, "test");
    let config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(format!("http://{}", endpoint.address()))
        .region(Region::new("us-east-1"))
        .credentials_provider(credentials)
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

/// A trial with an endpoint of its own.
pub fn trial<F, T>(name: &str, test: F) -> Trial
where
    F: FnOnce(Bench) -> T + Send + 'static,
    T: Future<Output = Result<(), Failed>>,
{
    Trial::test(format!("s3::{name}"), move || on_runtime(async move { test(Bench::start().await?).await }))
}

/// The HTTP status and the S3 error code of a refusal.
pub fn refusal<T: std::fmt::Debug, E>(result: Result<T, SdkError<E>>) -> (u16, String)
where
    E: ProvideErrorMetadata,
{
    match result {
        Err(SdkError::ServiceError(error)) => {
            (error.raw().status().as_u16(), error.err().code().unwrap_or_default().to_owned())
        }
        Err(_) => panic!("not an answer of the endpoint"),
        Ok(output) => panic!("not refused: {output:?}"),
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
