//! A way to a server that can go silent, as NAT and load balancers do: no FIN, no RST, new connections pass.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use libtest_mimic::Failed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

pub(super) struct Proxy {
    /// `host:port`.
    pub(super) address: String,
    ways: Arc<Ways>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Ways {
    /// When each connection came.
    came: Mutex<Vec<Instant>>,
    /// As many of the connections, in their order, are silent.
    silent: AtomicUsize,
    new_are_silent: AtomicBool,
}

impl Proxy {
    pub(super) async fn before(server: &str) -> Result<Proxy, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let (ways, server) = (Arc::new(Ways::default()), server.to_owned());
        let serving = tokio::spawn(serve(listener, server, Arc::clone(&ways)));
        Ok(Proxy { address, ways, serving })
    }

    /// What is said on the connections there are is lost from now on, either way.
    pub(super) fn silence(&self) {
        self.ways.silent.store(self.connections(), Ordering::SeqCst);
    }

    /// Whether a connection that comes from now on is silent from its start.
    pub(super) fn silence_new(&self, silent: bool) {
        self.ways.new_are_silent.store(silent, Ordering::SeqCst);
    }

    pub(super) fn connections(&self) -> usize {
        self.ways.came.lock().unwrap().len()
    }

    /// When the first connection after the `nth` came.
    pub(super) fn came(&self, nth: usize) -> Option<Instant> {
        self.ways.came.lock().unwrap().get(nth).copied()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, server: String, ways: Arc<Ways>) {
    let mut pumps = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let number = {
            let mut came = ways.came.lock().unwrap();
            came.push(Instant::now());
            came.len()
        };
        if ways.new_are_silent.load(Ordering::SeqCst) {
            ways.silent.fetch_max(number, Ordering::SeqCst);
        }
        let (server, ways) = (server.clone(), Arc::clone(&ways));
        pumps.spawn(async move {
            if let Ok(server) = TcpStream::connect(&server).await {
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                // Until both end: a socket that is dropped would say so.
                tokio::join!(pump(from_client, to_server, number, &ways), pump(from_server, to_client, number, &ways),);
            }
        });
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    number: usize,
    ways: &Ways,
) {
    let mut bytes = vec![0; 16_384];
    let silent = || ways.silent.load(Ordering::SeqCst) >= number;
    loop {
        let read = from.read(&mut bytes).await.unwrap_or(0);
        if silent() {
            // What comes is swallowed, an end as well.
            if read == 0 {
                return std::future::pending().await;
            }
        } else if read == 0 || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}
