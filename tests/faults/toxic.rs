//! A way to a server that hurts what it carries. What it does can be changed while it is in use.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::Failed;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// What becomes of the bytes that the server sends on one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Toxic {
    None,
    /// Each piece comes so much later.
    Late(Duration),
    /// The connection stands, and nothing comes any more.
    HalfOpen,
    /// A RST after so many bytes.
    Reset(usize),
    /// A FIN after so many bytes.
    CutOff(usize),
    /// After so many bytes, one a second.
    Trickle(usize),
    /// Noise instead of the answer.
    Garbage,
}

pub(super) struct Proxy {
    /// `host:port`.
    pub(super) address: String,
    toxic: Arc<Mutex<Toxic>>,
    serving: JoinHandle<()>,
}

impl Proxy {
    pub(super) async fn before(server: &str) -> Result<Proxy, Failed> {
        // A node says that it is at its own address, and whatever port it was asked at.
        let host: IpAddr = server.rsplit_once(':').ok_or("no port")?.0.parse()?;
        let listener = TcpListener::bind((host, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (toxic, server) = (Arc::new(Mutex::new(Toxic::None)), server.to_owned());
        let serving = tokio::spawn(serve(listener, server, Arc::clone(&toxic)));
        Ok(Proxy { address, toxic, serving })
    }

    /// For the connections that there are as for those that come.
    pub(super) fn set(&self, toxic: Toxic) {
        *self.toxic.lock().unwrap() = toxic;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, server: String, toxic: Arc<Mutex<Toxic>>) {
    let mut ways = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (server, toxic) = (server.clone(), Arc::clone(&toxic));
        ways.spawn(async move {
            let Ok(server) = TcpStream::connect(&server).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let ((asked, answered), (answers, asks)) = (client.into_split(), server.into_split());
            tokio::select! {
                () = questions(asked, asks) => {}
                () = carry(answers, answered, &toxic) => {}
            }
        });
    }
}

async fn questions(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let _ = tokio::io::copy(&mut from, &mut to).await;
    // Half of a connection may be closed before its answer has come.
    std::future::pending().await
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, toxic: &Mutex<Toxic>) {
    let (mut bytes, mut carried) = (vec![0; 16_384], 0);
    loop {
        let read = from.read(&mut bytes).await.unwrap_or(0);
        let now = *toxic.lock().unwrap();
        if now == Toxic::HalfOpen {
            // Its end is swallowed as well.
            return std::future::pending().await;
        }
        let piece = &mut bytes[..read];
        if read == 0 || hurt(piece, carried, now, &mut to).await.is_none() {
            return;
        }
        carried += read;
    }
}

/// `None` ends the connection.
async fn hurt(piece: &mut [u8], carried: usize, toxic: Toxic, to: &mut OwnedWriteHalf) -> Option<()> {
    match toxic {
        Toxic::None | Toxic::HalfOpen => {}
        Toxic::Late(time) => tokio::time::sleep(time).await,
        Toxic::Reset(after) | Toxic::CutOff(after) if carried + piece.len() > after => {
            to.write_all(&piece[..after.saturating_sub(carried)]).await.ok()?;
            if matches!(toxic, Toxic::Reset(_)) {
                to.as_ref().set_zero_linger().ok()?;
            }
            return None;
        }
        Toxic::Reset(_) | Toxic::CutOff(_) => {}
        Toxic::Trickle(after) => {
            let (fast, slow) = piece.split_at(after.saturating_sub(carried).min(piece.len()));
            to.write_all(fast).await.ok()?;
            for byte in slow {
                tokio::time::sleep(Duration::from_secs(1)).await;
                to.write_all(&[*byte]).await.ok()?;
            }
            return Some(());
        }
        Toxic::Garbage => fastrand::Rng::with_seed(carried as u64).fill(piece),
    }
    to.write_all(piece).await.ok()
}
