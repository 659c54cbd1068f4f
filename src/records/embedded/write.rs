//! Writes that come together share a transaction: whoever gets the connection commits every row that waits for it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::oneshot;

use super::{File, explain, insert};
use crate::record::Record;
use crate::records::RecordsError;

/// Rows a transaction: other processes wait for its end.
const MOST: usize = 64;

pub(super) type Queue = VecDeque<Waiting>;

pub(super) struct Waiting {
    record: Record,
    written: oneshot::Sender<Result<(), RecordsError>>,
}

/// Returns once the row is committed, by this write or by one beside it.
pub(super) async fn write(file: &Arc<File>, record: Record) -> Result<(), RecordsError> {
    let (written, answer) = oneshot::channel();
    file.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(Waiting { record, written });
    let lost = |what: String| RecordsError::Unavailable(format!("{}: {what}", file.path.display()));
    let of_task = Arc::clone(file);
    // Each write brings a commit of its own: no row waits for one that is not on its way.
    let commits = tokio::task::spawn_blocking(move || commit_waiting(&of_task));
    match answer.await {
        Ok(done) => done,
        Err(_) => Err(lost(match commits.await {
            Ok(()) => "the write was lost".into(),
            Err(error) => error.to_string(),
        })),
    }
}

fn commit_waiting(file: &File) {
    // A panic while it was held left SQLite itself whole: a transaction that was open is rolled back.
    let mut connection = file.writer.lock().unwrap_or_else(PoisonError::into_inner);
    let waiting: Vec<Waiting> = {
        let mut queue = file.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queue.len().min(MOST);
        queue.drain(..count).collect()
    };
    let answers = commit(&mut connection, &waiting, &file.path);
    drop(connection);
    for (Waiting { written, .. }, answer) in waiting.into_iter().zip(answers) {
        // Who gave up waiting does not hear it.
        let _ = written.send(answer);
    }
}

/// All in one transaction. Where that fails each by itself, so that nobody gets another's error, but for what all wait
/// for alike.
fn commit(connection: &mut Connection, waiting: &[Waiting], path: &Path) -> Vec<Result<(), RecordsError>> {
    match together(connection, waiting) {
        Ok(()) => vec![Ok(()); waiting.len()],
        Err(error) if waiting.len() == 1 || error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            vec![Err(explain(path, error)); waiting.len()]
        }
        Err(_) => {
            let alone = |one| together(connection, std::slice::from_ref(one)).map_err(|error| explain(path, error));
            waiting.iter().map(alone).collect()
        }
    }
}

fn together(connection: &mut Connection, waiting: &[Waiting]) -> rusqlite::Result<()> {
    if waiting.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for one in waiting {
        insert(&transaction, &one.record)?;
    }
    transaction.commit()
}
