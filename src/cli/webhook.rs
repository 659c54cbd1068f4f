//! The webhook of `serve` and `worker`.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use super::failure::Failure;
use super::output::line;
use crate::config::{Settings, WEBHOOK_TOKEN};
use crate::function::{Answer, Function};
use crate::local::webhook::{PATH, Webhook};
use crate::records::Records;
use crate::secret::Secret;

#[derive(Debug, Args)]
pub(super) struct WebhookArgs {
    /// Take notifications by HTTP, from MinIO or Ceph; the token is in SPOTTER_WEBHOOK_TOKEN
    #[arg(long, value_name = "ADDRESS:PORT")]
    webhook: Option<SocketAddr>,
}

/// An address that is listened on.
pub(super) struct Listener {
    listener: TcpListener,
    token: Option<Secret>,
}

impl WebhookArgs {
    pub(super) fn is_asked_for(&self) -> bool {
        self.webhook.is_some()
    }

    /// `None` if no webhook is asked for.
    pub(super) async fn listen(&self, settings: &Settings) -> Result<Option<Listener>, Failure> {
        let Some(address) = self.webhook else {
            return Ok(None);
        };
        let token = settings.webhook_token.clone();
        if token.is_none() && !address.ip().is_loopback() {
            let problem = "is reached from other machines, who could make records: set a token in";
            return Err(Failure::Usage(format!("--webhook {address} {problem} {WEBHOOK_TOKEN}")));
        }
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| Failure::Failed(format!("cannot listen on {address}: {error}")))?;
        line(&format!("hook  http://{}{PATH}", listener.local_addr()?))?;
        Ok(Some(Listener { listener, token }))
    }
}

impl Listener {
    pub(super) async fn serve(
        self,
        function: Function,
        records: Arc<dyn Records>,
        answered: impl Fn(&Answer) + Send + Sync + 'static,
        stop: impl Future<Output = ()>,
    ) {
        let token = self.token;
        let webhook = Webhook { function: Arc::new(function), records, token, answered: Box::new(answered) };
        webhook.serve(self.listener, stop).await;
    }
}
