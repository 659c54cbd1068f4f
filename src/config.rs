//! The only place that reads the environment. A bad value is an error that names its variable.

use std::path::PathBuf;

use crate::decode::Limits;
use crate::event::EventBridgeKeys;
use crate::objects::S3Settings;
use crate::records::cassandra::{CassandraConfig, Login};

/// The binary's name, and the data folder's.
pub const PROGRAM: &str = "spotter";

pub const MODEL: &str = "SPOTTER_MODEL";
pub const CASSANDRA: &str = "SPOTTER_CASSANDRA";
pub const KEYSPACE: &str = "SPOTTER_KEYSPACE";
pub const CASSANDRA_USER: &str = "SPOTTER_CASSANDRA_USER";
pub const CASSANDRA_PASSWORD: &str = "SPOTTER_CASSANDRA_PASSWORD";
pub const DATA: &str = "SPOTTER_DATA";
pub const EVENTBRIDGE_KEYS: &str = "SPOTTER_EVENTBRIDGE_KEYS";
pub const S3_ADDRESSING: &str = "SPOTTER_S3_ADDRESSING";
pub const MAX_PIXELS: &str = "SPOTTER_MAX_PIXELS";
pub const MAX_BYTES: &str = "SPOTTER_MAX_BYTES";
/// The AWS SDK reads these itself; that one is set decides the default of `SPOTTER_S3_ADDRESSING`.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];

pub const DEFAULT_KEYSPACE: &str = "spotter";
const DEFAULT_CASSANDRA_PORT: u16 = 9042;
/// No picture of 25 million pixels that people take is larger.
const DEFAULT_MAX_BYTES: u64 = 64_000_000;

/// What the environment says; flags of the command line replace single fields.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of a model that replaces the one in the binary.
    pub model: Option<PathBuf>,
    pub cassandra: Option<CassandraConfig>,
    /// Folder of the embedded home of records and of `serve`.
    pub data: Option<PathBuf>,
    pub eventbridge_keys: EventBridgeKeys,
    pub s3: S3Settings,
    pub limits: Limits,
    /// Larger objects are not fetched.
    pub max_bytes: u64,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{variable}={value:?}: {problem}")]
pub struct ConfigError {
    variable: &'static str,
    value: String,
    problem: String,
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// The first variable whose value cannot be used.
    pub fn from_env() -> Result<Settings, ConfigError> {
        Settings::read(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// Records in the cluster that has `nodes`, whatever the environment said.
    pub fn use_cassandra(&mut self, nodes: &str) -> Result<(), ConfigError> {
        let nodes = parse_nodes(nodes)?;
        match &mut self.cassandra {
            Some(cassandra) => cassandra.nodes = nodes,
            None => self.cassandra = Some(CassandraConfig { nodes, keyspace: DEFAULT_KEYSPACE.into(), login: None }),
        }
        Ok(())
    }

    /// An empty value counts as none, as in `VAR= command`.
    fn read(get: impl Fn(&'static str) -> Option<String>) -> Result<Settings, ConfigError> {
        Ok(Settings {
            model: get(MODEL).map(PathBuf::from),
            cassandra: cassandra(&get)?,
            data: get(DATA).map(PathBuf::from),
            eventbridge_keys: choice(
                &get,
                EVENTBRIDGE_KEYS,
                &[("plain", EventBridgeKeys::Plain), ("encoded", EventBridgeKeys::Encoded)],
            )?
            .unwrap_or_default(),
            s3: S3Settings {
                path_style: choice(&get, S3_ADDRESSING, &[("path", true), ("virtual", false)])?,
                endpoint_in_env: ENDPOINTS.into_iter().any(|name| get(name).is_some()),
                ..S3Settings::default()
            },
            limits: number(&get, MAX_PIXELS)?.map_or_else(Limits::default, |pixels| Limits { pixels }),
            max_bytes: number(&get, MAX_BYTES)?.unwrap_or(DEFAULT_MAX_BYTES),
        })
    }
}

fn cassandra(get: &impl Fn(&'static str) -> Option<String>) -> Result<Option<CassandraConfig>, ConfigError> {
    let Some(nodes) = get(CASSANDRA) else {
        return Ok(None);
    };
    let login = match (get(CASSANDRA_USER), get(CASSANDRA_PASSWORD)) {
        (Some(user), Some(password)) => Some(Login { user, password }),
        (None, None) => None,
        (Some(user), None) => {
            return Err(error(CASSANDRA_USER, &user, format!("{CASSANDRA_PASSWORD} must be set too")));
        }
        (None, Some(_)) => return Err(error(CASSANDRA_USER, "", format!("{CASSANDRA_PASSWORD} is set without it"))),
    };
    let keyspace = get(KEYSPACE).unwrap_or_else(|| DEFAULT_KEYSPACE.into());
    if !is_identifier(&keyspace) {
        return Err(error(
            KEYSPACE,
            &keyspace,
            "use up to 48 lower-case letters, digits and underscores, a letter first",
        ));
    }
    Ok(Some(CassandraConfig { nodes: parse_nodes(&nodes)?, keyspace, login }))
}

/// `host`, `host:port`, `[v6]:port`, comma-separated; the port is 9042 if not said.
fn parse_nodes(text: &str) -> Result<Vec<String>, ConfigError> {
    let node = |part: &str| {
        let part = part.trim();
        let (host, port) = match part.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
            _ => (part, None),
        };
        let bad = || error(CASSANDRA, text, "must be host:port, or several with commas between");
        if host.is_empty() || host.contains(char::is_whitespace) || host.contains('/') {
            return Err(bad());
        }
        let port = port.map_or(Ok(DEFAULT_CASSANDRA_PORT), |port| port.parse().map_err(|_| bad()))?;
        Ok(if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        })
    };
    text.split(',').map(node).collect()
}

/// Unquoted CQL names keep their case only in lower case.
fn is_identifier(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.len() <= 48 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(plain)
}

fn choice<T: Copy>(
    get: &impl Fn(&'static str) -> Option<String>,
    variable: &'static str,
    choices: &[(&str, T)],
) -> Result<Option<T>, ConfigError> {
    let Some(value) = get(variable) else {
        return Ok(None);
    };
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    match choices.iter().find(|(name, _)| *name == value) {
        Some((_, choice)) => Ok(Some(*choice)),
        None => Err(error(variable, &value, format!("must be {}", names.join(" or ")))),
    }
}

fn number(get: &impl Fn(&'static str) -> Option<String>, variable: &'static str) -> Result<Option<u64>, ConfigError> {
    let parse = |value: String| match value.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(error(variable, &value, "must be a whole number above 0")),
    };
    get(variable).map(parse).transpose()
}

fn error(variable: &'static str, value: &str, problem: impl Into<String>) -> ConfigError {
    ConfigError { variable, value: value.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let get = |name: &'static str| variables.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Settings::read(get).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_set_is_the_embedded_default() {
        let settings = read(&[]).unwrap();
        assert!(settings.cassandra.is_none() && settings.model.is_none() && !settings.s3.uses_path_style());
        assert_eq!((settings.limits.pixels, settings.max_bytes), (25_000_000, 64_000_000));
    }

    #[test]
    fn a_custom_endpoint_is_addressed_by_path_unless_told() {
        assert!(read(&[("AWS_ENDPOINT_URL", "http://x")]).unwrap().s3.uses_path_style());
        assert!(!read(&[("AWS_ENDPOINT_URL", "http://x"), (S3_ADDRESSING, "virtual")]).unwrap().s3.uses_path_style());
    }

    #[test]
    fn nodes_get_the_usual_port() {
        let nodes = read(&[(CASSANDRA, "a, b:1,[::1]:2,::1")]).unwrap().cassandra.unwrap().nodes;
        assert_eq!(nodes, ["a:9042", "b:1", "[::1]:2", "[::1]:9042"]);
    }

    #[test]
    fn bad_values_are_named() {
        let error = |variables: &[(&str, &str)]| read(variables).unwrap_err();
        assert_eq!(error(&[(EVENTBRIDGE_KEYS, "raw")]), "SPOTTER_EVENTBRIDGE_KEYS=\"raw\": must be plain or encoded");
        assert_eq!(error(&[(MAX_PIXELS, "many")]), "SPOTTER_MAX_PIXELS=\"many\": must be a whole number above 0");
        assert!(error(&[(CASSANDRA, "a:b")]).contains("host:port"));
        assert!(error(&[(CASSANDRA, "a"), (KEYSPACE, "x; DROP")]).contains("SPOTTER_KEYSPACE"));
        assert!(error(&[(CASSANDRA, "a"), (CASSANDRA_PASSWORD, "p")]).contains("SPOTTER_CASSANDRA_USER"));
    }

    #[test]
    fn a_password_is_never_shown() {
        let variables = [(CASSANDRA, "a"), (CASSANDRA_USER, "u"), (CASSANDRA_PASSWORD, "hunter2")];
        assert!(!format!("{:?}", read(&variables).unwrap()).contains("hunter2"));
        assert!(!error_of_short_login().contains("hunter2"));
    }

    fn error_of_short_login() -> String {
        read(&[(CASSANDRA, "a"), (CASSANDRA_PASSWORD, "hunter2")]).unwrap_err()
    }
}
