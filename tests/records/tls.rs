//! Certificates that are right and wrong, at a node that does no more than shake hands; and a real node with TLS and
//! passwords.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ALL_VERSIONS, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion};
use spotter::records::cassandra::{Cassandra, CassandraConfig, Layout, Login, Tls};
use spotter::records::{self, Records, RecordsError};
use tempfile::TempDir;

use super::home::cut;
use super::{MODEL, seen, seq};
use crate::harness;
use crate::harness::cassandra::Secure;

pub(super) fn trials() -> Vec<Trial> {
    let plain = |name: &str, test: fn() -> Result<(), Failed>| Trial::test(format!("records::tls::{name}"), test);
    let secure = |name: &str, test: fn(&'static Secure) -> Result<(), Failed>| {
        let node = harness::cassandra::secure_node();
        harness::needs(&format!("records::tls::{name}"), node, move |node| test(node.get()?))
    };
    vec![
        plain("a_certificate_for_the_address_or_the_configured_name_is_right", right),
        plain("each_wrong_certificate_has_its_sentence", wrong),
        plain("a_certificate_that_nobody_signed_has_its_sentence", self_signed),
        plain("a_node_that_asks_for_a_certificate_has_its_sentence", client_certificate),
        plain("a_node_of_an_old_protocol_has_its_sentence", old_protocol),
        plain("a_node_without_tls_is_told", no_tls),
        plain("a_bad_ca_file_is_named", bad_file),
        secure("records_come_and_go_over_tls_with_a_password", |node| harness::on_runtime(round_trip(node))),
        secure("each_wrong_way_to_a_secure_node_has_its_sentence", |node| harness::on_runtime(wrong_ways(node))),
    ]
}

/// A CA of one test.
struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
    key: Vec<u8>,
    folder: TempDir,
}

impl Ca {
    fn new() -> Result<Ca, Failed> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pair = KeyPair::generate()?;
        let key = pair.serialize_der();
        let certificate = params.self_signed(&pair)?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("ca.pem"), certificate.pem())?;
        Ok(Ca { issuer: Issuer::new(params, pair), certificate, key, folder })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A node whose certificate is for `name`, with what else `change` says of it.
    fn node(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Result<Node, Failed> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        change(&mut params);
        let pair = KeyPair::generate()?;
        let certificate = params.signed_by(&pair, &self.issuer)?;
        Node::start(&certificate, pair.serialize_der())
    }
}

/// Shakes hands, and then leaves.
struct Node {
    port: u16,
    /// Whether a handshake went through.
    shaken: Arc<AtomicBool>,
}

impl Node {
    fn start(certificate: &Certificate, key: Vec<u8>) -> Result<Node, Failed> {
        Node::that(certificate, key, ALL_VERSIONS, None)
    }

    /// With these versions of TLS, and for clients with a certificate of this CA only.
    fn that(
        certificate: &Certificate,
        key: Vec<u8>,
        versions: &[&'static SupportedProtocolVersion],
        asks_for: Option<&Ca>,
    ) -> Result<Node, Failed> {
        let key = PrivateKeyDer::try_from(key)?;
        let provider = Arc::new(default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions)?;
        let config = match asks_for {
            None => config.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(ca.certificate.der().clone())?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
                config.with_client_cert_verifier(verifier)
            }
        };
        let config = Arc::new(config.with_single_cert(vec![certificate.der().clone()], key)?);
        let shaken = Arc::new(AtomicBool::new(false));
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let sees = Arc::clone(&shaken);
        std::thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let Ok(mut tls) = ServerConnection::new(Arc::clone(&config)) else { return };
                while tls.is_handshaking() && tls.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {}
                // An alert that waits; and without reading on, the system would reset what was just written.
                let _ = tls.complete_io(&mut stream);
                let _ = stream.shutdown(Shutdown::Write);
                let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                while stream.read(&mut [0; 512]).is_ok_and(|read| read > 0) {}
                if !tls.is_handshaking() {
                    sees.store(true, Ordering::SeqCst);
                }
            }
        });
        Ok(Node { port, shaken })
    }
}

fn config(node: &str, tls: Option<Tls>) -> CassandraConfig {
    CassandraConfig { nodes: vec![node.into()], keyspace: "pictures".into(), tls, ..CassandraConfig::default() }
}

/// The error of an attempt, which names the node.
async fn refused(config: CassandraConfig) -> RecordsError {
    let node = config.nodes[0].clone();
    let error = Cassandra::new(config).connect().await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("Cassandra at {node}")), "{error}");
    error
}

fn right() -> Result<(), Failed> {
    let ca = Ca::new()?;
    for (certified, asked) in [("127.0.0.1", "127.0.0.1"), ("localhost", "localhost")] {
        let node = ca.node(certified, |_| ())?;
        let config = config(&format!("{asked}:{}", node.port), Some(Tls::Ca(ca.file())));
        let error = harness::on_runtime(async {
            // The handshake over, the node leaves.
            let error = refused(config).await;
            assert!(matches!(error, RecordsError::Unavailable(_)), "{error}");
            Ok(())
        });
        error?;
        assert!(node.shaken.load(Ordering::SeqCst), "{certified}");
    }
    Ok(())
}

fn wrong() -> Result<(), Failed> {
    let (ca, other) = (Ca::new()?, Ca::new()?);
    let trusted = || Some(Tls::Ca(ca.file()));
    let cases = [
        (other.node("127.0.0.1", |_| ())?, trusted(), "its certificate is not signed by the CA in "),
        (ca.node("127.0.0.1", |_| ())?, Some(Tls::System), "signed by no CA that this system trusts"),
        (ca.node("other.example", |_| ())?, trusted(), "its certificate is for other.example, not for 127.0.0.1; "),
        (
            ca.node("127.0.0.1", |params| params.not_after = date_time_ymd(2021, 2, 3))?,
            trusted(),
            "its certificate expired on 2021-02-03T00:00:00",
        ),
        (
            ca.node("127.0.0.1", |params| params.not_before = date_time_ymd(4000, 1, 1))?,
            trusted(),
            "its certificate is valid from 4000-01-01T00:00:00",
        ),
        (Node::start(&ca.certificate, ca.key.clone())?, trusted(), "its certificate is a CA's; "),
        (
            ca.node("127.0.0.1", |params| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth])?,
            trusted(),
            "its certificate is not for a server",
        ),
    ];
    for (node, tls, sentence) in cases {
        harness::on_runtime(async {
            let error = refused(config(&format!("127.0.0.1:{}", node.port), tls)).await;
            assert!(matches!(&error, RecordsError::Broken(said) if said.contains(sentence)), "{sentence}: {error}");
            Ok(())
        })?;
        assert!(!node.shaken.load(Ordering::SeqCst), "{sentence}");
    }
    Ok(())
}

/// As `openssl req -x509` makes one: signed by itself, whether it is what is trusted or not.
fn self_signed() -> Result<(), Failed> {
    let (ca, pair) = (Ca::new()?, KeyPair::generate()?);
    let own = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.self_signed(&pair)?;
    let node = Node::start(&own, pair.serialize_der())?;
    let itself = ca.folder.path().join("node.pem");
    std::fs::write(&itself, own.pem())?;
    for (trusted, sentence) in [
        (Tls::Ca(ca.file()), "its certificate is not signed by the CA in "),
        (Tls::System, "signed by no CA that this system trusts"),
    ] {
        let at = config(&format!("127.0.0.1:{}", node.port), Some(trusted));
        harness::on_runtime(async {
            let error = refused(at).await;
            assert!(matches!(&error, RecordsError::Broken(said) if said.contains(sentence)), "{sentence}: {error}");
            Ok(())
        })?;
        assert!(!node.shaken.load(Ordering::SeqCst), "{sentence}");
    }
    // Named as its own CA it is the very certificate that was meant.
    let at = config(&format!("127.0.0.1:{}", node.port), Some(Tls::Ca(itself)));
    harness::on_runtime(async {
        let error = refused(at).await;
        assert!(matches!(error, RecordsError::Unavailable(_)), "{error}");
        Ok(())
    })?;
    assert!(node.shaken.load(Ordering::SeqCst));
    Ok(())
}

/// Of TLS 1.3 the client has done its part when the node refuses it, of 1.2 not.
fn client_certificate() -> Result<(), Failed> {
    let ca = Ca::new()?;
    for versions in [&[&TLS12][..], &[&TLS13]] {
        let pair = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()])?.signed_by(&pair, &ca.issuer)?;
        let node = Node::that(&certificate, pair.serialize_der(), versions, Some(&ca))?;
        let at = config(&format!("127.0.0.1:{}", node.port), Some(Tls::Ca(ca.file())));
        harness::on_runtime(async {
            let said = refused(at).await.to_string();
            assert!(said.contains("spotter has no certificate of its own to show"), "{versions:?}: {said}");
            Ok(())
        })?;
        assert!(!node.shaken.load(Ordering::SeqCst), "{versions:?}");
    }
    Ok(())
}

/// A node that knows nothing newer than TLS 1.1 answers so (RFC 5246, section 7.2.2: `protocol_version`).
fn old_protocol() -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 4_096]);
            let _ = stream.write_all(b"\x15\x03\x02\0\x02\x02\x46");
            let _ = stream.shutdown(Shutdown::Write);
            while stream.read(&mut [0; 512]).is_ok_and(|read| read > 0) {}
        }
    });
    harness::on_runtime(async {
        let error = refused(config(&address, Some(Tls::Ca(Ca::new()?.file())))).await;
        let said = error.to_string();
        assert!(matches!(error, RecordsError::Broken(_)) && said.contains("speaks TLS 1.2 and 1.3"), "{said}");
        Ok(())
    })
}

fn no_tls() -> Result<(), Failed> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 512]);
            // As a node's: an ERROR of protocol version 4 that it cannot make sense of what it read.
            let _ = stream.write_all(b"\x84\0\0\0\0\0\0\0\x06\0\0\0\x0a\0\0");
        }
    });
    harness::on_runtime(async {
        let error = refused(config(&address, Some(Tls::Ca(Ca::new()?.file())))).await;
        let said = error.to_string();
        assert!(said.contains("it speaks no TLS at this port") && said.contains("SPOTTER_CASSANDRA_CA"), "{said}");
        Ok(())
    })
}

fn bad_file() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let (none, empty) = (folder.path().join("none.pem"), folder.path().join("empty.pem"));
    std::fs::write(&empty, "-----BEGIN NOTHING-----\n-----END NOTHING-----\n")?;
    for (file, sentence) in [(none, "cannot be read"), (empty, "has no certificate in it")] {
        harness::on_runtime(async {
            let error = refused(config("127.0.0.1:1", Some(Tls::Ca(file.clone())))).await;
            let said = error.to_string();
            assert!(matches!(error, RecordsError::Broken(_)), "{said}");
            assert!(said.contains(&format!("SPOTTER_CASSANDRA_CA={}: {sentence}", file.display())), "{said}");
            Ok(())
        })?;
    }
    Ok(())
}

fn secure(node: &Secure, password: &str) -> CassandraConfig {
    let login = Login { user: node.user.into(), password: password.into() };
    CassandraConfig { login: Some(login), ..config(&node.address, Some(Tls::Ca(node.ca.clone()))) }
}

async fn round_trip(node: &Secure) -> Result<(), Failed> {
    let keyspace = format!("secure_{}", std::process::id());
    let home = Cassandra::new(CassandraConfig { keyspace, ..secure(node, node.password) });
    home.apply_schema(&cut(Layout::default())).await?;
    let row = seen("a", &seq(1), 1, "");
    home.write(&row, harness::deadline()).await?;
    home.available().await?;
    assert_eq!(records::get(&home, "pictures", "a", MODEL).await?, Some(row));
    Ok(())
}

async fn wrong_ways(node: &Secure) -> Result<(), Failed> {
    let right = secure(node, node.password);
    let other = Ca::new()?;
    let elsewhere = Some("elsewhere".to_owned());
    let ways = [
        (secure(node, "not it"), "incorrect"),
        (CassandraConfig { login: None, ..right.clone() }, "it asks for a user and a password"),
        (CassandraConfig { tls: Some(Tls::Ca(other.file())), ..right.clone() }, "not signed by the CA in "),
        (CassandraConfig { tls: None, ..right.clone() }, "does it want TLS?"),
        (CassandraConfig { datacenter: elsewhere, ..right }, "it has no data centre 'elsewhere'"),
    ];
    for (way, sentence) in ways {
        let started = Instant::now();
        let home = Cassandra::new(way);
        let error = home.write(&seen("a", &seq(1), 1, ""), started + Duration::from_secs(20)).await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains(&node.address) && said.contains(sentence), "{said}");
        assert!(!said.contains("not it"), "{said}");
        // Of all this only a node that ends the connection may be another one in a moment.
        assert_eq!(said.contains("; tried "), sentence == "does it want TLS?", "{said}");
    }
    Ok(())
}
