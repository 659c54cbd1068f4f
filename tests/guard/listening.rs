//! Who reaches `serve` at all, and what opens it.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;

use libtest_mimic::Failed;
use spotter::local::Credentials;
use tempfile::TempDir;

use super::{ports, with_all_ports};
use crate::cli::spotter;
use crate::s3::{self, BUCKET, Bench};

/// The sockets on which a process listens, from the tables that Linux has of them: address and port in hexadecimal.
#[cfg(target_os = "linux")]
fn sockets(pid: u32) -> Result<Vec<String>, Failed> {
    let mut own = BTreeSet::new();
    for descriptor in std::fs::read_dir(format!("/proc/{pid}/fd"))? {
        let link = std::fs::read_link(descriptor?.path()).unwrap_or_default();
        own.extend(link.to_str().and_then(|link| link.strip_prefix("socket:[")?.strip_suffix(']')).map(str::to_owned));
    }
    let mut listening = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/{table}"))?;
        let columns = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        // 0A is LISTEN; the tenth column is the socket's inode.
        let of_it = columns.filter(|column| column.len() > 9 && column[3] == "0A" && own.contains(column[9]));
        listening.extend(of_it.map(|column| column[1].to_owned()));
    }
    Ok(listening)
}

#[cfg(target_os = "linux")]
pub(super) async fn loopback() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let served = with_all_ports(&home)?;
    let listening = sockets(served.id())?;
    assert_eq!(listening.len(), 3, "S3, page, webhook: {listening:?}");
    // 127.0.0.1 in the order of the processor's bytes.
    assert!(listening.iter().all(|socket| socket.starts_with("0100007F:")), "{listening:?}");
    Ok(())
}

#[cfg(not(target_os = "linux"))]
pub(super) async fn loopback() -> Result<(), Failed> {
    Ok(())
}

/// Pairs that other stores come with, and people try first.
const USUAL: [(&str, &str); 5] = [
    ("minioadmin", "minioadmin"),
    ("test", "test"),
    ("spotter", "spotter"),
    ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    ("admin", "admin"),
];

pub(super) async fn key_pairs() -> Result<(), Failed> {
    let bench = Bench::start().await?;
    bench.put("a", b"x").await?;
    let id = bench.credentials.access_key_id.clone();
    for (name, secret) in USUAL.into_iter().chain([(id.as_str(), ""), (id.as_str(), "test"), ("", "")]) {
        // The SDK signs with whatever it has, an empty secret too.
        let client = s3::client(&bench.endpoint, name, secret);
        let refused = client.get_object().bucket(BUCKET).key("a").send().await;
        assert!(refused.is_err(), "{name}:{secret} opens it");
    }
    let mut made = BTreeSet::new();
    for _ in 0..3 {
        let home = TempDir::new()?;
        let printed = spotter(&home).arg("env").output()?;
        let pair = Credentials::load_or_create(&crate::serve::data(&home))?;
        assert!(String::from_utf8_lossy(&printed.stdout).contains(&pair.secret_access_key));
        // 256 bits in hexadecimal.
        assert_eq!(pair.secret_access_key.len(), 64);
        made.insert(pair.secret_access_key.clone());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let folder = std::fs::metadata(crate::serve::data(&home))?.permissions().mode();
            assert_eq!(folder & 0o777, 0o700, "other people of this machine look into the folder");
        }
    }
    assert_eq!(made.len(), 3);
    // A file that was written by hand, or half of one.
    let home = TempDir::new()?;
    std::fs::create_dir_all(crate::serve::data(&home))?;
    let file = crate::serve::data(&home).join("credentials.json");
    std::fs::write(&file, r#"{"access_key_id": "SPOT", "secret_access_key": ""}"#)?;
    // `serve` would serve if it took it; this ends.
    let refused = spotter(&home).arg("env").output()?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("credentials.json"), "{said}");
    Ok(())
}

fn ask(host: &str, request: &str) -> Result<String, Failed> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// DNS rebinding: a page at a name that suddenly means 127.0.0.1 asks each port, as a browser would let it.
pub(super) async fn rebound() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let served = with_all_ports(&home)?;
    let [s3, page, hook] = ports(&served)?;
    let event = r#"{"Records":[]}"#;
    for (port, way, method, refusals) in [
        (page, "/", "GET", &["421"][..]),
        (page, "/api/records", "GET", &["421"]),
        (page, "/api/corrections", "POST", &["421"]),
        (s3, "/", "GET", &["403"]),
        (s3, "/pictures/a.png", "PUT", &["403"]),
        (s3, "/pictures", "POST", &["403"]),
        (s3, "/pictures/a.png", "OPTIONS", &["403"]),
        (hook, "/events", "POST", &["403"]),
    ] {
        // With its own name, and as a bucket's.
        for host in ["evil.example", "pictures.localhost", "evil.example.localhost"] {
            if host.ends_with("localhost") && port != s3 {
                continue;
            }
            let length = if method == "GET" { 0 } else { event.len() };
            let body = if method == "GET" { "" } else { event };
            let answer = ask(
                port,
                &format!(
                    "{method} {way} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: close\r\n\
                     Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                ),
            )?;
            let status = answer.split(' ').nth(1).unwrap_or_default();
            // Where `s3s` finds no such operation, or no form, it says so before it asks for a signature.
            let refused = refusals.contains(&status) || (port == s3 && ["400", "405", "501"].contains(&status));
            assert!(refused, "{method} http://{host}{way}: {answer}");
            assert!(!answer.to_lowercase().contains("access-control-allow-origin"), "{answer}");
        }
    }
    let listed = served.client(&home)?.list_objects_v2().bucket("pictures").send().await?;
    assert_eq!(listed.key_count(), Some(0));
    Ok(())
}
