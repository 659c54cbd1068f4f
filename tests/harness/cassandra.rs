//! A real Cassandra: the one that the environment names, else Docker's, else its jars on Java 17.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::part::{Part, announce, container, folder, image, output, runs, when_this_process_ends};
use super::root;

/// `host:port` of a Cassandra that the tests may fill; without passwords, without TLS.
const NAMED: &str = "SPOTTER_TEST_CASSANDRA";
const IMAGE: &str = "cassandra:5.0";
const HOW: &str = "there is no Cassandra: set SPOTTER_TEST_CASSANDRA=host:port, or install Docker, or Maven and Python";

/// A node with passwords and TLS.
pub struct Secure {
    /// `host:port`.
    pub address: String,
    /// The CA of its certificate, as a PEM file.
    pub ca: PathBuf,
    pub user: &'static str,
    pub password: &'static str,
}

/// One plain node, `host:port`, which all tests of this run share. `Err` says how to get one.
pub fn node() -> Result<Part<String>, String> {
    static STARTED: OnceLock<Result<String, String>> = OnceLock::new();
    let there = std::env::var_os(NAMED).is_some() || docker() || jars().is_ok();
    if there { Ok(Part { started: &STARTED, start: start_node }) } else { Err(HOW.into()) }
}

/// One node with passwords and TLS, from the jars: the official image has no variables for either.
pub fn secure_node() -> Result<Part<Secure>, String> {
    static STARTED: OnceLock<Result<Secure, String>> = OnceLock::new();
    jars()?;
    if !runs("openssl", &["version"]) {
        return Err("a Cassandra with TLS needs openssl for its certificates".into());
    }
    Ok(Part { started: &STARTED, start: start_secure_node })
}

fn start_node() -> Result<String, String> {
    if let Ok(named) = std::env::var(NAMED) {
        return Ok(named);
    }
    if docker() && image(IMAGE).is_ok() {
        // Drivers go where the node says it is, and elsewhere than on Linux a container's own address leads nowhere.
        let host = if cfg!(target_os = "linux") { free_address()? } else { "127.0.0.1".into() };
        let said = format!("CASSANDRA_BROADCAST_RPC_ADDRESS={host}");
        // Small: 2 cores and 4 GB must be enough for all tests together.
        let run = ["--env", &said, "--env", "MAX_HEAP_SIZE=384M", "--env", "HEAP_NEWSIZE=96M", IMAGE];
        return container("cassandra", &format!("{host}:9042:9042"), &run, serves);
    }
    start_jars("cassandra", &[]).map(|(address, _)| address)
}

fn start_secure_node() -> Result<Secure, String> {
    let (address, folder) = start_jars("cassandra-secure", &["--auth", "--tls"])?;
    Ok(Secure { address, ca: folder.join("tls/ca.crt"), user: "cassandra", password: "cassandra" })
}

fn docker() -> bool {
    static ANSWERS: OnceLock<bool> = OnceLock::new();
    *ANSWERS.get_or_init(|| runs("docker", &["info"]))
}

/// Can Cassandra's jars be run here?
fn jars() -> Result<(), String> {
    let java = runs("java", &["-version"]) || runs("python3", &["-m", "pip", "--version"]);
    let there = cfg!(target_os = "linux") && java && runs("mvn", &["--version"]);
    if there { Ok(()) } else { Err("Cassandra's jars need Linux, Maven, and Java 17 or Python".into()) }
}

/// `host:port` of a new node, and its folder, whose log outlives the run.
fn start_jars(name: &str, options: &[&str]) -> Result<(String, PathBuf), String> {
    let script = root().join("tests/cassandra/cassandra.sh");
    let folder = folder(name)?;
    let (sh, at) = (quoted(&script), quoted(&folder));
    when_this_process_ends(&format!("{sh} stop {at} --kill; rm -rf {at}/node1/data {at}/node1/commitlog"))?;
    announce("starting Cassandra from its jars; the first time it fetches 70 MB into the user's cache folder");
    let address =
        output(Command::new(&script).arg("start").arg(&folder).args(["--address", &free_address()?]).args(options))?;
    Ok((address, folder))
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// A loopback address on which neither CQL's nor the nodes' own port is taken.
fn free_address() -> Result<String, String> {
    let pid = std::process::id();
    let candidates = (0..1_000).map(|n| format!("127.77.{}.{}", (pid / 200 + n) % 256, pid % 200 + 1));
    let free = |address: &String| [9042, 7000].iter().all(|port| TcpListener::bind((address.as_str(), *port)).is_ok());
    candidates.into_iter().find(free).ok_or_else(|| "no loopback address is free".into())
}

/// A CQL server answers OPTIONS (opcode 5) with SUPPORTED (6): CQL binary protocol v4, sections 2 and 4.1.3.
fn serves(address: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.write_all(&[4, 0, 0, 0, 5, 0, 0, 0, 0])?;
    let mut header = [0; 5];
    stream.read_exact(&mut header)?;
    Ok(header[4] == 6)
}
