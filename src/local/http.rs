//! HTTP/1.1 connections in front of a service, for clients that mean no harm and those that do: whoever is slow is cut
//! off, and the end is not abrupt. Everything that listens in this crate listens here.

mod pace;

use std::error::Error;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, body::Body, body::Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::pace::Reading;
pub(super) use self::pace::{Paced, TOO_SLOW};

/// What a shutdown grants to requests under way.
const GRACE: Duration = Duration::from_secs(5);

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For a request's head, and between two requests of a connection.
    head: Duration,
    /// For each [`pace::LEAST`] bytes of a body, and for what is left of it at the end.
    body: Duration,
    /// For taking any byte of an answer.
    answer: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        let minute = Duration::from_secs(60);
        Patience { head: Duration::from_secs(30), body: minute, answer: minute }
    }
}

type Cause = Box<dyn Error + Send + Sync>;

/// Serves a router until `stop` is done, then lets answers under way end (for a few seconds).
pub async fn serve_router(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let (stopping, stopped) = watch::channel(false);
    let stop = async {
        stop.await;
        let _ = stopping.send(true);
    };
    tokio::join!(stop, serve(listener, TowerToHyperService::new(router), stopped, Patience::default()));
}

/// Serves until `stopped` changes, then lets requests under way end (for a few seconds).
pub(super) async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    mut stopped: watch::Receiver<bool>,
    patience: Patience,
) where
    S: Service<Request<Paced>, Response = Response<B>, Error: Into<Cause>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data: Send, Error: Into<Cause>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, service.clone(), stopped.clone(), patience));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    // Too many open files, for example: trying at once again would only spin.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = stopped.changed() => break,
        }
    }
    drop(listener);
    // Whoever is still there is cut off when `connections` is dropped.
    let _ = tokio::time::timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn connection<S, B>(stream: TcpStream, service: S, mut stopped: watch::Receiver<bool>, patience: Patience)
where
    S: Service<Request<Paced>, Response = Response<B>, Error: Into<Cause>>,
    B: Body<Error: Into<Cause>> + 'static,
{
    // Answers and events are small and written whole: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let service =
        service_fn(|request: Request<Incoming>| service.call(request.map(|body| Paced::new(body, patience.body))));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .serve_connection(TokioIo::new(Reading::new(stream, patience.answer)), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests;
