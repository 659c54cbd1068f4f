//! What `serve` and `worker` tell of their work: lines for people, numbers for Prometheus.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use super::failure::Failure;
use super::handled;
use super::output::line;
use crate::classifier::Model;
use crate::config;
use crate::function::Answer;
use crate::local::scraped;
use crate::metrics::{Exposition, Metric, Registry, Teller};
use crate::telemetry::Lines;

#[derive(Clone)]
pub(super) struct Observed {
    registry: Arc<Registry>,
    /// Where the log has a line an object for programs, people get none.
    quiet: bool,
}

impl Observed {
    pub(super) fn new(teller: Teller, model: &Model) -> Result<Observed, Failure> {
        let quiet = config::log_lines()? == Lines::Json;
        Ok(Observed { registry: Arc::new(Registry::new(teller, model.id(), &model.manifest().labels)), quiet })
    }

    pub(super) fn answered(&self, answer: &Answer) {
        self.registry.answered(answer);
        if !self.quiet {
            handled::print(answer);
        }
    }

    pub(super) fn tell(&self, metric: &'static Metric, value: &str, number: f64) {
        self.registry.tell(metric, value, number);
    }

    pub(super) fn exposition(&self) -> Exposition {
        let registry = Arc::clone(&self.registry);
        Arc::new(move || registry.text())
    }
}

#[derive(Debug, Args)]
pub(super) struct MetricsArgs {
    /// Let Prometheus read metrics at http://ADDRESS:PORT/metrics
    #[arg(long, value_name = "ADDRESS:PORT")]
    metrics: Option<SocketAddr>,
}

impl MetricsArgs {
    /// `None` if nobody is to read.
    pub(super) async fn listen(&self) -> Result<Option<TcpListener>, Failure> {
        let Some(address) = self.metrics else {
            return Ok(None);
        };
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| Failure::Failed(format!("cannot listen on {address}: {error}")))?;
        line(&format!("metrics  http://{}{}", listener.local_addr()?, scraped::PATH))?;
        Ok(Some(listener))
    }
}
