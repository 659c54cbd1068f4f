//! Which nodes to talk to: those of the near data centre that do not hang.
//!
//! The driver waits without end for a node that takes a connection and then says nothing (it is paused, its disk is
//! full), and one such node keeps a whole session from being made. So each is asked beside the driver.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use scylla::cluster::metadata::Peer;
use scylla::policies::host_filter::HostFilter;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::moment::Moment;

/// Until a node has sent its first byte.
const FIRST_BYTE: Duration = Duration::from_secs(2);
/// A node that hung is left out for so long.
const LEFT_OUT: Duration = Duration::from_secs(60);
/// The request OPTIONS of protocol version 4, which every node answers before any login.
/// <https://cassandra.apache.org/doc/latest/cassandra/reference/native-protocol.html>
const OPTIONS: [u8; 9] = [4, 0, 0, 0, 5, 0, 0, 0, 0];

/// A session's choice of nodes.
pub(super) struct Nodes {
    datacenter: Option<String>,
    seen: Mutex<BTreeSet<SocketAddr>>,
    silent: Mutex<BTreeMap<SocketAddr, Moment>>,
}

impl Nodes {
    pub(super) fn of(datacenter: Option<String>) -> Nodes {
        Nodes { datacenter, seen: Mutex::default(), silent: Mutex::default() }
    }

    /// Those of the `configured` nodes (`host:port`) and of the cluster's that answer; the others are left out of the
    /// session from now on.
    pub(super) async fn answering(&self, configured: &[String], tls: Option<&Arc<ClientConfig>>) -> Vec<SocketAddr> {
        let mut addresses = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for resolved in join_all(configured.iter().map(|node| timeout(FIRST_BYTE, lookup_host(node)))).await {
            addresses.extend(resolved.into_iter().flatten().flatten());
        }
        let asked = addresses.into_iter().map(async |address| (address, answers(address, tls).await));
        let mut answering = Vec::new();
        for (address, answer) in join_all(asked).await {
            match answer {
                Some(true) => answering.push(address),
                // Nobody is there: that the driver finds out by itself.
                Some(false) => {}
                None => {
                    let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
                    silent.insert(address, Moment::now());
                }
            }
        }
        answering
    }

    fn hangs(&self, address: &SocketAddr) -> bool {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        silent.get(address).is_some_and(|since| since.age() < LEFT_OUT)
    }
}

impl HostFilter for Nodes {
    fn accept(&self, peer: &Peer) -> bool {
        let near = self.datacenter.is_none() || self.datacenter == peer.datacenter;
        let address = SocketAddr::new(peer.address.ip(), peer.address.port());
        if near {
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(address);
        }
        near && !self.hangs(&address)
    }
}

/// `None`: it took the connection and hangs, or its host swallows what is sent there.
async fn answers(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> Option<bool> {
    let hello = match tls {
        Some(config) => client_hello(config, address)?,
        None => OPTIONS.to_vec(),
    };
    let asking = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&hello).await?;
        // A refusal is an answer.
        stream.read(&mut [0]).await
    };
    timeout(FIRST_BYTE, asking).await.ok().map(|answer| answer.is_ok())
}

fn client_hello(config: &Arc<ClientConfig>, address: SocketAddr) -> Option<Vec<u8>> {
    let mut hello = Vec::new();
    let mut connection = ClientConnection::new(Arc::clone(config), ServerName::IpAddress(address.ip().into())).ok()?;
    connection.write_tls(&mut hello).ok()?;
    Some(hello)
}

/// Why `LOCAL_QUORUM` would not mean one thing: it is of the data centre of whichever node coordinates.
pub(super) fn ambiguous(datacenter: Option<&str>, there: &BTreeSet<&str>) -> Option<String> {
    let listed = || there.iter().copied().collect::<Vec<_>>().join(", ");
    match datacenter {
        None if there.len() > 1 => {
            Some(format!("it has several data centres ({}); name the near one in {DATACENTER_VARIABLE}", listed()))
        }
        Some(name) if !there.contains(name) => {
            Some(format!("it has no data centre '{name}' ({DATACENTER_VARIABLE}); it has {}", listed()))
        }
        _ => None,
    }
}

/// The variable of `config` that names the data centre.
pub const DATACENTER_VARIABLE: &str = "SPOTTER_CASSANDRA_DC";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_is_of_one_data_centre() {
        let (one, two) = (BTreeSet::from(["dc1"]), BTreeSet::from(["dc1", "dc2"]));
        assert_eq!(ambiguous(None, &one), None);
        assert_eq!(ambiguous(Some("dc1"), &two), None);
        let several = ambiguous(None, &two).unwrap_or_default();
        assert!(several.contains("(dc1, dc2)") && several.contains("SPOTTER_CASSANDRA_DC"), "{several}");
        let unknown = ambiguous(Some("dc3"), &two).unwrap_or_default();
        assert!(unknown.contains("'dc3'") && unknown.ends_with("it has dc1, dc2"), "{unknown}");
    }
}
