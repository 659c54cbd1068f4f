//! TLS to the nodes. The driver connects to nodes by address and has rustls check their certificates for that
//! address, but certificates are mostly issued for names: here the names that the nodes were configured by count too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore};
use rustls::{OtherError, SignatureScheme};

use crate::event::Timestamp;

/// The variables of `config` that these settings and their errors are about.
pub const CA_VARIABLE: &str = "SPOTTER_CASSANDRA_CA";
pub const TLS_VARIABLE: &str = "SPOTTER_CASSANDRA_TLS";

/// Whose certificates the nodes have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Signed by a CA that this system trusts.
    System,
    /// Signed by a CA of this PEM file.
    Ca(PathBuf),
}

impl Tls {
    /// Trusts a certificate for the node's address or for one of the names of `nodes` (`host:port`).
    ///
    /// # Errors
    /// A sentence about the CAs, where there are none.
    pub(super) fn client(&self, nodes: &[String]) -> Result<Arc<ClientConfig>, String> {
        let provider = Arc::new(default_provider());
        let roots = Arc::new(self.roots()?);
        let by_address = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
        let by_address = by_address.map_err(|error| format!("no CA to trust: {error}"))?;
        let names = nodes.iter().filter_map(|node| dns_name(node)).collect();
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| error.to_string())?;
        let verifier = Arc::new(AddressOrName { by_address, names });
        Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        match self {
            Tls::System => {
                let found = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(found.certs);
                if roots.is_empty() {
                    return Err(format!(
                        "this system has no CA certificates; name the database's CA, a PEM file, in {CA_VARIABLE}"
                    ));
                }
            }
            Tls::Ca(file) => {
                for certificate in certificates(file)? {
                    roots.add(certificate).map_err(|error| {
                        format!("{CA_VARIABLE}={}: holds a certificate that cannot be read: {error}", file.display())
                    })?;
                }
            }
        }
        Ok(roots)
    }

    /// What is wrong with a node's side of TLS, and what to do.
    pub(super) fn explain(&self, error: &Error) -> String {
        use CertificateError::{BadSignature, Expired, ExpiredContext, NotValidForName, NotValidForNameContext};
        use CertificateError::{InvalidPurpose, InvalidPurposeContext, NotValidYet, NotValidYetContext, UnknownIssuer};
        let date = |time: &UnixTime| Timestamp(i64::try_from(time.as_secs()).unwrap_or(i64::MAX).saturating_mul(1_000));
        match error {
            Error::InvalidCertificate(UnknownIssuer | BadSignature) => match self {
                Tls::System => format!(
                    "its certificate is signed by no CA that this system trusts; name its CA, a PEM file, in \
                     {CA_VARIABLE}"
                ),
                Tls::Ca(file) => format!(
                    "its certificate is not signed by the CA in {}; name the one that signed it in {CA_VARIABLE}",
                    file.display()
                ),
            },
            Error::InvalidCertificate(NotValidForNameContext { expected, presented }) => format!(
                "its certificate is for {}, not for {}; name the node as its certificate does",
                presented_names(presented),
                expected.to_str()
            ),
            Error::InvalidCertificate(NotValidForName) => {
                "its certificate is for another name; name the node as its certificate does".to_owned()
            }
            Error::InvalidCertificate(ExpiredContext { not_after, .. }) => {
                format!("its certificate expired on {}; it needs a new one", date(not_after))
            }
            Error::InvalidCertificate(Expired) => "its certificate has expired; it needs a new one".to_owned(),
            Error::InvalidCertificate(NotValidYetContext { not_before, .. }) => {
                format!("its certificate is valid from {} on only; check both clocks", date(not_before))
            }
            Error::InvalidCertificate(NotValidYet) => "its certificate is not valid yet; check both clocks".to_owned(),
            Error::InvalidCertificate(CertificateError::Other(OtherError(other)))
                if other.to_string().contains("CaUsedAsEndEntity") =>
            {
                "its certificate is a CA's; a node needs one of its own, signed by the CA".to_owned()
            }
            Error::InvalidCertificate(InvalidPurpose | InvalidPurposeContext { .. }) => {
                "its certificate is not for a server (extended key usage serverAuth); it needs one that is".to_owned()
            }
            Error::InvalidMessage(_) => format!(
                "it speaks no TLS at this port; name its TLS port, or set neither {CA_VARIABLE} nor {TLS_VARIABLE}"
            ),
            Error::AlertReceived(
                AlertDescription::CertificateRequired
                | AlertDescription::HandshakeFailure
                | AlertDescription::ProtocolVersion,
            ) => {
                "it ended the TLS handshake; spotter has no certificate of its own to show, and speaks TLS 1.2 and 1.3"
                    .to_owned()
            }
            other => format!("TLS: {other}"),
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let name = file.display();
    let pem = std::fs::read(file).map_err(|error| format!("{CA_VARIABLE}={name}: cannot be read: {error}"))?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(format!("{CA_VARIABLE}={name}: has no certificate in it; it must be a PEM file"))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(format!("{CA_VARIABLE}={name}: is no PEM file: {error}")),
    }
}

/// `None` for an address: certificates are checked for the nodes' addresses anyway.
fn dns_name(node: &str) -> Option<ServerName<'static>> {
    let (host, _port) = node.rsplit_once(':')?;
    match ServerName::try_from(host.to_owned()) {
        Ok(name @ ServerName::DnsName(_)) => Some(name),
        _ => None,
    }
}

/// webpki presents them as `DnsName("db.example")` and `IpAddress(10.0.0.1)`.
fn presented_names(presented: &[String]) -> String {
    let plain = |name: &String| {
        let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')')).unwrap_or(name);
        inner.trim_matches('"').to_owned()
    };
    if presented.is_empty() { "no name".to_owned() } else { presented.iter().map(plain).collect::<Vec<_>>().join(", ") }
}

#[derive(Debug)]
struct AddressOrName {
    by_address: Arc<WebPkiServerVerifier>,
    names: Vec<ServerName<'static>>,
}

impl ServerCertVerifier for AddressOrName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        address: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verify = |name| self.by_address.verify_server_cert(end_entity, intermediates, name, ocsp_response, now);
        let mut verified = verify(address);
        for name in &self.names {
            if !is_of_another_name(&verified) {
                break;
            }
            verified = verify(name);
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_address.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.by_address.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_address.supported_verify_schemes()
    }
}

fn is_of_another_name(verified: &Result<ServerCertVerified, Error>) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(verified, Err(Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })))
}
