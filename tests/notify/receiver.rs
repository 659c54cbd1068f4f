//! An HTTP or HTTPS server in this process that answers by a script and keeps what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::Failed;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What is answered in turn; the last again and again.
#[derive(Clone)]
pub struct Script(pub Vec<(u16, &'static str)>);

#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

pub struct Receiver {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    /// Of the CA that signed its certificate.
    pub ca: String,
}

impl Receiver {
    pub fn http(script: Script) -> Result<Receiver, Failed> {
        Receiver::start(script, None, String::new())
    }

    /// Its certificate is for `localhost`.
    pub fn https(script: Script) -> Result<Receiver, Failed> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["localhost".into()])?.signed_by(&key, &ca)?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        Receiver::start(script, Some(Arc::new(config)), ca.pem())
    }

    fn start(script: Script, tls: Option<Arc<ServerConfig>>, ca: String) -> Result<Receiver, Failed> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let received = Arc::new(Mutex::new(Vec::new()));
        let kept = received.clone();
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, script, tls) = (kept.clone(), script.clone(), tls.clone());
                std::thread::spawn(move || match tls {
                    None => answer(stream, &kept, &script),
                    Some(tls) => answer(StreamOwned::new(ServerConnection::new(tls)?, stream), &kept, &script),
                });
            }
        });
        Ok(Receiver { address, received, ca })
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }
}

/// Until the client closes the connection.
fn answer(stream: impl Read + Write, received: &Mutex<Vec<Received>>, script: &Script) -> Result<(), Failed> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, value)| value);
        let mut body = vec![0; length.parse()?];
        stream.read_exact(&mut body)?;
        let body = String::from_utf8(body)?;
        let turn = {
            let mut received = received.lock().unwrap();
            received.push(Received { path, headers, body });
            received.len() - 1
        };
        let (status, text) = script.0.get(turn).or(script.0.last()).ok_or("an empty script")?;
        let length = text.len();
        let head = format!("HTTP/1.1 {status} -\r\nlocation: /elsewhere\r\ncontent-length: {length}\r\n\r\n{text}");
        stream.get_mut().write_all(head.as_bytes())?;
        stream.get_mut().flush()?;
    }
}

/// Accepts, and never says anything.
pub fn silent() -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        let kept: Vec<TcpStream> = listener.incoming().flatten().collect();
        std::thread::sleep(Duration::from_secs(3_600));
        drop(kept);
    });
    Ok(address)
}
