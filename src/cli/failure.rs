//! How a command ends when it does not end well.

use std::io;
use std::path::Path;
use std::process::ExitCode;

use super::output::note;
use crate::config::{ConfigError, PROGRAM};

#[derive(Debug)]
pub(super) enum Failure {
    /// Exit 1, with a sentence.
    Failed(String),
    /// Exit 1; everything is said already.
    Said,
    /// Exit 2, with a sentence.
    Usage(String),
    /// Whoever read our output has enough of it.
    ClosedPipe,
}

impl Failure {
    pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
        Failure::Failed(format!("cannot write {}: {error}", path.display()))
    }

    pub(super) fn report(self) -> ExitCode {
        match self {
            Failure::Failed(sentence) => {
                note(&format!("{PROGRAM}: {sentence}"));
                ExitCode::from(1)
            }
            Failure::Said => ExitCode::from(1),
            Failure::Usage(sentence) => {
                note(&format!("{PROGRAM}: {sentence}"));
                ExitCode::from(2)
            }
            Failure::ClosedPipe => ExitCode::SUCCESS,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ClosedPipe,
            _ => Failure::Failed(error.to_string()),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::Usage(error.to_string())
    }
}

/// Errors that are sentences of their own.
macro_rules! failed {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::Failed(error.to_string())
            }
        })+
    };
}

failed!(
    crate::ask::AskError,
    crate::backfill::BackfillError,
    crate::classifier::ModelError,
    crate::local::CredentialsError,
    crate::local::StoreError,
    crate::model_source::SourceError,
    crate::objects::FetchError,
    crate::records::RecordsError,
    serde_json::Error,
);
