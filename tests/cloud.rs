//! A bucket, a function and a home of records in this process: real parts, in a folder of their own.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use libtest_mimic::Failed;
use serde_json::Value;
use spotter::classifier::Model;
use spotter::decode::Limits;
use spotter::event::EventBridgeKeys;
use spotter::function::{Answer, Function};
use spotter::local::{Credentials, Endpoint, EndpointHandle, Notification, Store, client};
use spotter::notify::Notifier;
use spotter::objects::S3Objects;
use spotter::pipeline::{After, Pipeline};
use spotter::records::Records;
use spotter::records::embedded::Embedded;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// The bucket of the fixtures.
pub const BUCKET: &str = "demo";
/// Less than the default, so that a test of too large an object is quick.
pub const MAX_BYTES: u64 = 2_000_000;

pub struct Cloud {
    pub s3: Client,
    pub url: String,
    pub credentials: Credentials,
    pub store: Store,
    pub records: Arc<dyn Records>,
    pub function: Arc<Function>,
    /// Serves as long as it lives.
    _endpoint: EndpointHandle,
    folder: TempDir,
}

impl Cloud {
    pub async fn start() -> Result<Cloud, Failed> {
        let folder = TempDir::new()?;
        let store = Store::open(&folder.path().join("objects"))?;
        store.create_bucket(BUCKET)?;
        let credentials = Credentials::random()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let endpoint = Endpoint::start(store.clone(), listener, &credentials, Vec::new())?;
        let s3 = client(&url, &credentials);
        let records: Arc<dyn Records> = Arc::new(Embedded::open(&folder.path().join("records.sqlite"))?);
        let function = Arc::new(function(s3.clone(), records.clone(), After::default())?);
        Ok(Cloud { s3, url, credentials, store, records, function, _endpoint: endpoint, folder })
    }

    /// The same bucket with an empty home of records.
    pub fn records_anew(&mut self, name: &str) -> Result<(), Failed> {
        self.records = Arc::new(Embedded::open(&self.folder.path().join(name))?);
        self.followed_by(false, None)
    }

    pub fn read_keys_as(&mut self, keys: EventBridgeKeys) -> Result<(), Failed> {
        let pipeline = pipeline(self.s3.clone(), self.records.clone())?;
        self.function = Arc::new(Function::new(pipeline, keys));
        Ok(())
    }

    /// Objects are tagged and others told.
    pub fn followed_by(&mut self, tag: bool, notifier: Option<Notifier>) -> Result<(), Failed> {
        let after = After::new(tag, notifier);
        self.function = Arc::new(function(self.s3.clone(), self.records.clone(), after)?);
        Ok(())
    }

    pub async fn put(&self, key: &str, bytes: &[u8]) -> Result<(), Failed> {
        let body = ByteStream::from(bytes.to_vec());
        self.s3.put_object().bucket(BUCKET).key(key).body(body).send().await?;
        Ok(())
    }

    pub async fn put_samples(&self) -> Result<(), Failed> {
        for (name, bytes) in samples()? {
            self.put(&name, &bytes).await?;
        }
        Ok(())
    }

    pub async fn keep_versions(&self) -> Result<(), Failed> {
        let versioning = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        self.s3.put_bucket_versioning().bucket(BUCKET).versioning_configuration(versioning).send().await?;
        Ok(())
    }

    /// What the bucket announced since the last call.
    pub fn notifications(&self) -> Result<Vec<Notification>, Failed> {
        let pending = self.store.pending(usize::MAX)?;
        for notification in &pending {
            self.store.done(notification.id)?;
        }
        Ok(pending)
    }

    pub async fn answer(&self, event: &str) -> Result<Answer, Failed> {
        Ok(self.function.answer(&serde_json::from_str::<Value>(event)?, crate::harness::deadline()).await)
    }
}

pub fn function(s3: Client, records: Arc<dyn Records>, after: After) -> Result<Function, Failed> {
    Ok(Function::new(pipeline(s3, records)?.followed_by(after), EventBridgeKeys::Plain))
}

pub fn pipeline(s3: Client, records: Arc<dyn Records>) -> Result<Pipeline, Failed> {
    let model = Arc::new(Model::embedded()?);
    Ok(Pipeline::new(Arc::new(S3Objects::new(s3)), records, model, Limits::default(), MAX_BYTES))
}

/// Name and bytes of the drawn pictures, by `samples/expected.tsv`.
pub fn samples() -> Result<Vec<(String, Vec<u8>)>, Failed> {
    let folder = crate::harness::root().join("samples");
    let expected = std::fs::read_to_string(folder.join("expected.tsv"))?;
    let names = expected.lines().skip(1).filter_map(|line| line.split('\t').next());
    names.map(|name| Ok((name.to_owned(), std::fs::read(folder.join(name))?))).collect()
}

pub fn sample(name: &str) -> Result<Vec<u8>, Failed> {
    Ok(std::fs::read(crate::harness::root().join("samples").join(Path::new(name)))?)
}

pub fn fixture(name: &str) -> Result<String, Failed> {
    Ok(std::fs::read_to_string(crate::harness::root().join("events").join(name))?)
}
