//! What the driver says, in sentences that name the database and what to do.

use std::fmt::Display;
use std::time::Duration;

use scylla::errors::{
    ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError, ExecutionError, MetadataError,
    NewSessionError, PrepareError, RequestAttemptError,
};

use super::CassandraConfig;
use crate::records::RecordsError::{self, Broken, Unavailable};

/// Which database, for its errors.
pub(super) struct At {
    /// As given: `host:port, host:port`.
    nodes: String,
    keyspace: String,
}

impl At {
    pub(super) fn of(config: &CassandraConfig) -> At {
        At { nodes: config.nodes.join(", "), keyspace: config.keyspace.clone() }
    }

    pub(super) fn keyspace(&self) -> &str {
        &self.keyspace
    }

    /// It goes into statements as it is.
    pub(super) fn check_keyspace(&self) -> Result<(), RecordsError> {
        let name = &self.keyspace;
        let plain = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        if plain && name.len() <= 48 && name.starts_with(|first: char| first.is_ascii_lowercase()) {
            return Ok(());
        }
        Err(Broken(format!(
            "'{name}' cannot be a keyspace; it takes a lower-case letter, then a-z, 0-9 and _, at most 48 in all"
        )))
    }

    pub(super) fn connecting(&self, error: &NewSessionError) -> RecordsError {
        use MetadataError::ConnectionPoolError as Pool;
        let cause = match error {
            NewSessionError::EmptyKnownNodesList => {
                return Broken("no Cassandra node is named; name one as host:9042".to_owned());
            }
            NewSessionError::FailedToResolveAnyHostname(_) => "its name cannot be resolved".to_owned(),
            NewSessionError::MetadataError(Pool(ConnectionPoolError::Broken { last_connection_error, .. })) => {
                connection(last_connection_error)
            }
            other => other.to_string(),
        };
        Unavailable(format!("Cassandra at {} cannot be reached: {cause}", self.nodes))
    }

    pub(super) fn silent(&self, after: Duration) -> RecordsError {
        Unavailable(format!("Cassandra at {} did not answer within {} s", self.nodes, after.as_secs()))
    }

    pub(super) fn executing(&self, error: &ExecutionError) -> RecordsError {
        use ExecutionError::{ConnectionPoolError as Pool, LastAttemptError, RequestTimeout};
        use RequestAttemptError::DbError as Answer;
        match error {
            RequestTimeout(after) => self.silent(*after),
            ExecutionError::PrepareError(PrepareError::AllAttemptsFailed { first_attempt, .. }) => {
                self.executing(&LastAttemptError(first_attempt.clone()))
            }
            Pool(ConnectionPoolError::Broken { last_connection_error, .. }) => Unavailable(format!(
                "Cassandra at {} cannot be reached: {}",
                self.nodes,
                connection(last_connection_error)
            )),
            LastAttemptError(Answer(DbError::Invalid | DbError::SyntaxError, said)) => {
                Broken(format!("Cassandra at {}, keyspace {}: {said}", self.nodes, self.keyspace))
            }
            LastAttemptError(Answer(_, said)) if !said.is_empty() => {
                Unavailable(format!("Cassandra at {}, keyspace {}: {said}", self.nodes, self.keyspace))
            }
            other => Unavailable(format!("Cassandra at {}, keyspace {}: {other}", self.nodes, self.keyspace)),
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

fn connection(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectTimeout => "it does not answer".to_owned(),
        ConnectionError::ConnectionSetupRequestError(setup) => match &setup.error {
            ConnectionSetupRequestErrorKind::DbError(_, said) => said.clone(),
            ConnectionSetupRequestErrorKind::MissingAuthentication => "it asks for a user and a password".to_owned(),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}
