//! What the driver says, in sentences that name the database and what to do.

use std::fmt::Display;
use std::time::Duration;

use scylla::errors::{
    BrokenConnectionError, BrokenConnectionErrorKind, ConnectionError, ConnectionPoolError,
    ConnectionSetupRequestErrorKind, DbError, ExecutionError, FrameHeaderParseError, MetadataError, NewSessionError,
    PrepareError, RequestAttemptError,
};

use super::{CA_VARIABLE, CassandraConfig, TLS_VARIABLE, Tls};
use crate::records::RecordsError::{self, Broken, Unavailable};

/// Which database, for its errors.
pub(super) struct At {
    /// As given: `host:port, host:port`.
    nodes: String,
    keyspace: String,
    tls: Option<Tls>,
}

/// What [`is_keyspace`] wants, for people.
pub const KEYSPACE_RULE: &str = "it takes a lower-case letter, then a-z, 0-9 and _, at most 48 in all";

/// Unquoted CQL names keep their case only in lower case.
pub fn is_keyspace(name: &str) -> bool {
    let plain = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    plain && name.len() <= 48 && name.starts_with(|first: char| first.is_ascii_lowercase())
}

impl At {
    pub(super) fn of(config: &CassandraConfig) -> At {
        At { nodes: config.nodes.join(", "), keyspace: config.keyspace.clone(), tls: config.tls.clone() }
    }

    pub(super) fn keyspace(&self) -> &str {
        &self.keyspace
    }

    /// It goes into statements as it is.
    pub(super) fn check_keyspace(&self) -> Result<(), RecordsError> {
        let name = &self.keyspace;
        if is_keyspace(name) { Ok(()) } else { Err(Broken(format!("'{name}' cannot be a keyspace; {KEYSPACE_RULE}"))) }
    }

    pub(super) fn connecting(&self, error: &NewSessionError) -> RecordsError {
        use MetadataError::ConnectionPoolError as Pool;
        match error {
            NewSessionError::EmptyKnownNodesList => {
                Broken("no Cassandra node is named; name one as host:9042".to_owned())
            }
            NewSessionError::FailedToResolveAnyHostname(_) => self.unreachable(&"its name cannot be resolved"),
            NewSessionError::MetadataError(Pool(ConnectionPoolError::Broken { last_connection_error, .. })) => {
                self.connection(last_connection_error)
            }
            other => self.unreachable(other),
        }
    }

    fn unreachable(&self, cause: &dyn Display) -> RecordsError {
        Unavailable(format!("Cassandra at {} cannot be reached: {cause}", self.nodes))
    }

    /// Nobody but a person can change it.
    pub(super) fn misconfigured(&self, what: &dyn Display) -> RecordsError {
        Broken(format!("Cassandra at {}: {what}", self.nodes))
    }

    pub(super) fn silent(&self, after: Duration) -> RecordsError {
        Unavailable(format!("Cassandra at {} did not answer within {:.1} s", self.nodes, after.as_secs_f64()))
    }

    pub(super) fn nobody_answers(&self) -> RecordsError {
        self.unreachable(&"no node answers")
    }

    fn connection(&self, error: &ConnectionError) -> RecordsError {
        match error {
            ConnectionError::ConnectTimeout => self.unreachable(&"it does not answer"),
            ConnectionError::IoError(error) => self.input_output(error),
            ConnectionError::BrokenConnection(error) => self.broke(error),
            ConnectionError::ConnectionSetupRequestError(setup) => match &setup.error {
                ConnectionSetupRequestErrorKind::DbError(error, said) => self.said(error, said),
                ConnectionSetupRequestErrorKind::MissingAuthentication => {
                    self.misconfigured(&"it asks for a user and a password")
                }
                ConnectionSetupRequestErrorKind::BrokenConnection(error) => self.broke(error),
                other => self.unreachable(other),
            },
            other => self.unreachable(other),
        }
    }

    fn input_output(&self, error: &std::io::Error) -> RecordsError {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match (inner, &self.tls) {
            (Some(inner), Some(tls)) => self.misconfigured(&tls.explain(inner)),
            _ => self.unreachable(error),
        }
    }

    /// With TLS 1.3 a client takes the handshake for done before its node has looked at what it showed.
    fn broke(&self, error: &BrokenConnectionError) -> RecordsError {
        use BrokenConnectionErrorKind::{FrameHeaderParseError as Frame, WriteError};
        match error.downcast_ref() {
            Some(Frame(FrameHeaderParseError::HeaderIoError(error)) | WriteError(error)) if is_of_tls(error) => {
                self.input_output(error)
            }
            _ => self.unreachable(&self.ended(error)),
        }
    }

    /// Of a connection that broke before its first request was answered.
    fn ended(&self, error: &BrokenConnectionError) -> String {
        match error.downcast_ref() {
            Some(BrokenConnectionErrorKind::KeepaliveTimeout(_)) => "it does not answer".to_owned(),
            Some(BrokenConnectionErrorKind::FrameHeaderParseError(_)) if self.tls.is_none() => format!(
                "what answers there does not speak CQL; does it want TLS? Then set {CA_VARIABLE} or {TLS_VARIABLE}=on"
            ),
            // The driver's reader may lose the alert to its writer.
            Some(BrokenConnectionErrorKind::ChannelError) if self.tls.is_some() => {
                "it ended the connection after the TLS handshake; if it asks for a certificate: spotter has no \
                 certificate of its own to show"
                    .to_owned()
            }
            _ => error.to_string(),
        }
    }

    pub(super) fn executing(&self, error: &ExecutionError) -> RecordsError {
        use ExecutionError::{ConnectionPoolError as Pool, LastAttemptError, RequestTimeout};
        match error {
            RequestTimeout(after) => self.silent(*after),
            ExecutionError::PrepareError(PrepareError::AllAttemptsFailed { first_attempt, .. }) => {
                self.executing(&LastAttemptError(first_attempt.clone()))
            }
            ExecutionError::PrepareError(PrepareError::ConnectionPoolError(pool)) | Pool(pool) => match pool {
                ConnectionPoolError::Broken { last_connection_error, .. } => self.connection(last_connection_error),
                _ => self.unreachable(&"no connection is open"),
            },
            LastAttemptError(RequestAttemptError::DbError(error, said)) => self.said(error, said),
            LastAttemptError(RequestAttemptError::BrokenConnectionError(_)) => {
                self.unreachable(&"the connection broke")
            }
            other => Unavailable(format!("Cassandra at {}, keyspace {}: {other}", self.nodes, self.keyspace)),
        }
    }

    /// An answer that is an error.
    fn said(&self, error: &DbError, said: &str) -> RecordsError {
        let sentence = |said: &dyn Display| format!("Cassandra at {}, keyspace {}: {said}", self.nodes, self.keyspace);
        let sentence = if said.is_empty() { sentence(error) } else { sentence(&said) };
        match error {
            DbError::Unauthorized => Broken(format!("{sentence}; schema/roles.cql has what a login needs")),
            // Its own table of roles may be what is away.
            DbError::AuthenticationError if said.starts_with("Unable to perform") => Unavailable(sentence),
            DbError::SyntaxError
            | DbError::Invalid
            | DbError::AlreadyExists { .. }
            | DbError::FunctionFailure { .. }
            | DbError::AuthenticationError
            | DbError::ConfigError => Broken(sentence),
            _ => Unavailable(sentence),
        }
    }

    pub(super) fn no_schema(&self) -> RecordsError {
        Broken(format!(
            "Cassandra at {} has no tables of spotter in keyspace {}; run `spotter schema apply`",
            self.nodes, self.keyspace
        ))
    }

    pub(super) fn newer(&self, there: i32, known: i32) -> RecordsError {
        Broken(format!(
            "keyspace {} in Cassandra at {} was made by a newer spotter (schema {there}, this one knows {known}); \
             update spotter",
            self.keyspace, self.nodes
        ))
    }

    pub(super) fn broken(&self, what: &dyn Display) -> RecordsError {
        Broken(format!("Cassandra at {}, keyspace {}: {what}", self.nodes, self.keyspace))
    }
}

fn is_of_tls(error: &std::io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}
