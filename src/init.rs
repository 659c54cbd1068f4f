//! What either Lambda function has to begin with: all but the model from INIT on, the model as soon as it can be had.
//!
//! INIT never fails, or events would be lost: what is wrong is the answer of every invocation instead. A model that
//! cannot be had is asked for again by each invocation, since a bucket may be back by then.

use std::future::ready;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use futures_util::FutureExt;
use tokio::join;
use tokio::sync::OnceCell;
use tokio::time::timeout_at;

use crate::classifier::Model;
use crate::config::{self, Settings};
use crate::model_source::LAYER;
use crate::objects::{Objects, S3Objects};
use crate::records::cassandra::Cassandra;
use crate::telemetry;

/// Of the 10 s that INIT may take; over them Lambda would begin anew.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>
const INIT_TIME: Duration = Duration::from_secs(8);
/// Kept free of an invocation's time, so that what is not done is answered and not cut off.
const TO_ANSWER: Duration = Duration::from_millis(500);

pub struct Init {
    pub settings: Settings,
    pub records: Arc<Cassandra>,
    pub objects: Arc<dyn Objects>,
    model: OnceCell<Arc<Model>>,
}

impl Init {
    /// Makes the S3 client and tries to load the model, and connects to the database beside them.
    ///
    /// # Errors
    /// Which setting is wrong, and how. A model that cannot be had, and a database that is away, are none.
    pub async fn from_env() -> Result<Init, String> {
        let mut settings = Settings::from_env(None).map_err(|error| error.to_string())?;
        let Some(cassandra) = settings.cassandra.take() else {
            return Err(format!("{} must name the database's nodes, as host:port[,host:port…]", config::CASSANDRA));
        };
        settings.model = settings.model.or_layer(Path::new(LAYER));
        let records = Arc::new(Cassandra::new(cassandra));
        let connecting = Arc::clone(&records);
        // The first statement waits for it, and tries again if it failed.
        tokio::spawn(async move { connecting.connect().await });
        let objects = async { Arc::new(S3Objects::connect(&settings.s3).await) as Arc<dyn Objects> }.shared();
        // The model first: it is made ready on a thread of its own, while the client of S3 reads the trusted roots on this.
        let (model, objects) = join!(load(&settings, objects.clone(), Instant::now() + INIT_TIME), objects);
        // What kept it from its model is the next invocation's to tell, if it is still so.
        let model = OnceCell::new_with(model.ok());
        Ok(Init { settings, records, objects, model })
    }

    /// The model, which is loaded once.
    ///
    /// # Errors
    /// Why it cannot be had before `deadline`, in words; the log is told too.
    pub async fn model(&self, deadline: Instant) -> Result<Arc<Model>, String> {
        let load = async || load(&self.settings, ready(Arc::clone(&self.objects)), deadline).await;
        self.model.get_or_try_init(load).await.cloned()
    }
}

async fn load(
    Settings { model: source, temp, .. }: &Settings,
    bucket: impl Future<Output = Arc<dyn Objects>>,
    deadline: Instant,
) -> Result<Arc<Model>, String> {
    let model = match timeout_at(deadline.into(), source.load(bucket, temp)).await {
        Ok(model) => model.map(Arc::new).map_err(|error| error.to_string()),
        Err(_) => Err(format!("the time was up while still loading the model from {source}")),
    };
    model.inspect_err(|problem| telemetry::no_model(problem))
}

/// By when an invocation has to have its answer, so that Lambda, which ends the process at `end`, can take it.
pub fn deadline(end: SystemTime) -> Instant {
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now() + left.saturating_sub(TO_ANSWER)
}
