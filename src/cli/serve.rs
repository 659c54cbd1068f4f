//! `spotter serve`: an S3 endpoint whose uploads are classified, and a page that shows the records.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::Client;
use clap::Args;
use futures_util::future::OptionFuture;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::filter::FilterArgs;
use super::observed::Observed;
use super::output::{line, note};
use super::samples::{self, SAMPLES};
use super::signals::Signals;
use super::webhook::WebhookArgs;
use super::{env, home};
use crate::config::{PAGE_TOKEN, Settings};
use crate::function::Answer;
use crate::local::{Credentials, Endpoint, Store, client, dispatch, serve_router};
use crate::metrics::Teller;
use crate::objects::S3Objects;
use crate::page::{self, Live, PageState, Samples, Token, Uploads, loopback_hosts};
use crate::pipeline::Outcome;
use crate::record::Record;

const OBJECTS_FOLDER: &str = "objects";
const FIRST_BUCKET: &str = "pictures";
const S3_PORT: u16 = 9000;
const PAGE_PORT: u16 = 8080;
/// Records that a page may be behind before it has to read them again.
const LIVE_RECORDS: usize = 256;
/// Ports that are tried after a usual one that is busy.
const NEXT_PORTS: u16 = 20;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Port of the S3 endpoint [default: 9000, or the next free one]
    #[arg(long)]
    port: Option<u16>,
    /// Port of the page [default: 8080, or the next free one]
    #[arg(long)]
    page_port: Option<u16>,
    /// Address to listen on; another than loopback is reached from other machines, and the page asks them for the token
    /// in SPOTTER_PAGE_TOKEN
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    #[command(flatten)]
    webhook: WebhookArgs,
    #[command(flatten)]
    filter: FilterArgs,
}

impl Serve {
    pub(super) async fn run(self, mut settings: Settings) -> Result<(), Failure> {
        self.filter.replace(&mut settings.filter);
        check(self.bind, &settings)?;
        let mut signals = Signals::new()?;
        let data = home::data_folder(&settings)?;
        let store = Store::open(&data.join(OBJECTS_FOLDER))?;
        let credentials = Credentials::load_or_create(&data)?;
        store.create_bucket(FIRST_BUCKET)?;
        let (records, model) = (home::records(&settings)?, home::model(&settings).await?);

        let s3 = listen(self.bind, self.port, S3_PORT).await?;
        let page = listen(self.bind, self.page_port, PAGE_PORT).await?;
        let (s3_url, page_url) = (url(s3.local_addr()?), url(page.local_addr()?));
        let hosts = hosts(page.local_addr()?);
        let origins = hosts.iter().map(|host| format!("http://{host}")).collect();
        let endpoint = Endpoint::start(store.clone(), s3, &credentials, origins)?;
        std::fs::write(env::endpoint_file(&data), &s3_url)?;
        line(&format!("S3    {s3_url}   bucket {FIRST_BUCKET} (every bucket is watched)"))?;
        line(&format!("page  {page_url}"))?;
        let (sender, _) = broadcast::channel(LIVE_RECORDS);
        let live = Live::new(&sender);
        let observed = Observed::new(Teller::Serve, &model)?;
        // Its events are of a bucket elsewhere: the one that the environment names.
        let webhook = match self.webhook.listen(&settings).await? {
            Some(listener) => {
                let objects = Arc::new(S3Objects::connect(&settings.s3).await);
                let function = home::function(&settings, objects, records.clone(), model.clone());
                let answered = answered(observed.clone(), live.clone());
                Some(listener.serve(function, records.clone(), answered, std::future::pending()))
            }
            None => None,
        };
        let named = settings.data.as_ref().map_or(String::new(), |data| format!(" --data '{}'", data.display()));
        note(&format!("other terminal:  eval \"$(spotter{named} env)\" && aws s3 cp 7.png s3://{FIRST_BUCKET}/"));

        let s3 = client(&s3_url, &credentials);
        let objects = Arc::new(S3Objects::new(s3.clone()));
        let token = settings.page_token.as_ref().map(|token| Token::new(token.expose()));
        let router = page::router(PageState {
            records: records.clone(),
            model: model.clone(),
            objects: objects.clone(),
            limits: settings.limits,
            max_bytes: settings.max_bytes,
            s3_endpoint: s3_url,
            uploads: Some(Uploads { bucket: FIRST_BUCKET.into(), any_bucket: true, prefix: String::new() }),
            // A browser's EventSource cannot send the token: its page asks every few seconds.
            live: token.is_none().then(|| live.clone()),
            samples: Some(samples(s3)),
            metrics: Some(observed.exposition()),
            hosts: Some(hosts),
            token,
        });
        let function = home::function(&settings, objects, records, model);
        let stop = CancellationToken::new();
        let page = tokio::spawn(serve_router(page, router, stop.clone().cancelled_owned()));
        tokio::select! {
            never = dispatch::run(&store, &function, answered(observed, live)) => match never {},
            Some(()) = OptionFuture::from(webhook) => {}
            () = signals.next() => {}
        }
        // What was not delivered is still queued, and is delivered at the next start.
        forget(&env::endpoint_file(&data));
        drop(sender); // which ends the streams of open pages
        stop.cancel();
        tokio::select! {
            (ended, ()) = async { tokio::join!(page, endpoint.shutdown()) } => Ok(ended.map_err(io::Error::from)?),
            () = signals.next() => Ok(()),
        }
    }
}

/// Whoever opens the page may upload and correct. (The S3 endpoint has its own credentials.)
fn check(bind: IpAddr, settings: &Settings) -> Result<(), Failure> {
    let bind = bind.to_canonical();
    let problem = if bind.is_unspecified() {
        "is no address to open the page at: name the address under which others reach this machine, such as 192.168.1.5"
            .to_owned()
    } else if !bind.is_loopback() && settings.page_token.is_none() {
        format!("is reached from other machines, who could upload and correct: set a token in {PAGE_TOKEN}")
    } else {
        return Ok(());
    };
    Err(Failure::Usage(format!("--bind {bind} {problem}")))
}

fn samples(s3: Client) -> Samples {
    Box::new(move || {
        let s3 = s3.clone();
        Box::pin(async move { samples::upload_all(&s3, FIRST_BUCKET).await.map(|()| SAMPLES.len()) })
    })
}

/// What becomes of each object is printed, counted, and told to the pages.
fn answered(observed: Observed, live: Live) -> impl Fn(&Answer) + Send + Sync {
    move |answer| {
        observed.answered(answer);
        for (_, handled) in &answer.objects {
            if let Outcome::Recorded(record) = &handled.outcome {
                live.send(Record::clone(record));
            }
        }
    }
}

/// A usual port that is busy gives way to the next free one, aloud; one that was asked for does not.
async fn listen(address: IpAddr, asked: Option<u16>, usual: u16) -> Result<TcpListener, Failure> {
    let busy = |port: u16, error: io::Error| Failure::Failed(format!("cannot listen on {address}:{port}: {error}"));
    if let Some(port) = asked {
        return TcpListener::bind((address, port)).await.map_err(|error| busy(port, error));
    }
    for port in usual..usual + NEXT_PORTS {
        match TcpListener::bind((address, port)).await {
            Ok(listener) => {
                if port != usual {
                    note(&format!("port {usual} is busy, so {port}"));
                }
                return Ok(listener);
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(busy(port, error)),
        }
    }
    Err(Failure::Failed(format!("ports {usual} to {} are all busy: choose one", usual + NEXT_PORTS - 1)))
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}")
}

/// The names under which the page is asked for: whatever else a browser says leads here by DNS rebinding.
fn hosts(page: SocketAddr) -> Vec<String> {
    let mut hosts = loopback_hosts(page.port());
    if !page.ip().is_loopback() {
        hosts.push(page.to_string());
    }
    hosts
}

fn forget(file: &Path) {
    // Left behind, it only makes `spotter env` name an endpoint that is not there.
    let _ = std::fs::remove_file(file);
}
