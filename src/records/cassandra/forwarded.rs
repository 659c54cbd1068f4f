//! Nodes behind a forwarded port: Docker's `-p`, `ssh -L`, `kubectl port-forward`.

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use scylla::errors::TranslationError;
use scylla::policies::address_translator::{AddressTranslator, UntranslatedPeer};

/// A cluster that is named by loopback addresses only, and whose nodes say that they are elsewhere, is behind
/// forwarded ports: what the nodes say of themselves cannot be reached from here, what was named can. Any node
/// coordinates a request for the others, so it does not matter which one a port leads to.
pub(super) struct Forwarded {
    named: Vec<SocketAddr>,
}

impl Forwarded {
    /// `None` unless every node, as `host:port`, is named by a loopback address or `localhost`.
    pub(super) fn of(nodes: &[String]) -> Option<Forwarded> {
        let named: Option<Vec<SocketAddr>> = nodes.iter().map(|node| loopback(node)).collect();
        named.filter(|named| !named.is_empty()).map(|named| Forwarded { named })
    }

    fn translate(&self, said: SocketAddr, node: u128) -> SocketAddr {
        if said.ip().is_loopback() { said } else { self.named[(node % self.named.len() as u128) as usize] }
    }
}

fn loopback(node: &str) -> Option<SocketAddr> {
    let (host, port) = node.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let ip: IpAddr = if host == "localhost" { [127, 0, 0, 1].into() } else { host.parse().ok()? };
    ip.is_loopback().then_some(SocketAddr::new(ip, port.parse().ok()?))
}

#[async_trait]
impl AddressTranslator for Forwarded {
    async fn translate_address(&self, peer: &UntranslatedPeer) -> Result<SocketAddr, TranslationError> {
        Ok(self.translate(peer.untranslated_address(), peer.host_id().as_u128()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(nodes: &[&str]) -> Option<Forwarded> {
        Forwarded::of(&nodes.iter().map(|&node| node.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_container_is_reached_through_its_published_port() {
        let container: SocketAddr = "172.17.0.2:9142".parse().unwrap();
        for (named, reached) in [("127.0.0.1:9142", "127.0.0.1:9142"), ("localhost:9142", "127.0.0.1:9142")] {
            assert_eq!(of(&[named]).unwrap().translate(container, 7), reached.parse().unwrap());
        }
        assert_eq!(of(&["[::1]:9142"]).unwrap().translate(container, 7), "[::1]:9142".parse().unwrap());
    }

    #[test]
    fn nodes_on_this_machine_are_reached_where_they_say() {
        let said: SocketAddr = "127.0.3.2:9042".parse().unwrap();
        assert_eq!(of(&["127.0.3.1:9042"]).unwrap().translate(said, 7), said);
    }

    #[test]
    fn a_cluster_elsewhere_is_left_alone() {
        for nodes in [&["10.0.0.1:9042"][..], &["127.0.0.1:9042", "db:9042"], &["cassandra:9042"], &[]] {
            assert!(of(nodes).is_none(), "{nodes:?}");
        }
    }
}
