//! Fresh homes of records to run the contract on.

use std::fmt;
use std::sync::Arc;

use libtest_mimic::Failed;
use rusqlite::Connection;
use rusqlite::types::Value;
use spotter::records::Records;
use spotter::records::embedded::Embedded;
use tempfile::TempDir;

#[derive(Clone)]
pub(super) enum Place {
    Sqlite,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Sqlite => f.write_str("sqlite"),
        }
    }
}

pub(super) struct Home {
    pub(super) records: Arc<dyn Records>,
    at: At,
}

enum At {
    Sqlite(TempDir),
}

impl Place {
    /// How many random histories a property is tried on.
    pub(super) fn cases(&self) -> u32 {
        match self {
            Place::Sqlite => 100,
        }
    }

    pub(super) async fn fresh(&self) -> Result<Home, Failed> {
        let at = match self {
            Place::Sqlite => At::Sqlite(tempfile::tempdir()?),
        };
        Ok(Home { records: at.open().await, at })
    }
}

impl At {
    async fn open(&self) -> Arc<dyn Records> {
        match self {
            At::Sqlite(folder) => Arc::new(Embedded::open(&folder.path().join("records.sqlite")).unwrap()),
        }
    }
}

impl Home {
    /// A second session on the same home.
    pub(super) async fn again(&self) -> Arc<dyn Records> {
        self.at.open().await
    }

    /// Every table's rows of one bucket, whole, sorted.
    pub(super) async fn dump(&self, bucket: &str) -> Vec<String> {
        match &self.at {
            At::Sqlite(folder) => {
                let connection = Connection::open(folder.path().join("records.sqlite")).unwrap();
                let mut statement = connection.prepare("SELECT * FROM records WHERE bucket = ?").unwrap();
                let columns = statement.column_count();
                let row = |row: &rusqlite::Row<'_>| {
                    (0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<Vec<Value>>>()
                };
                let rows = statement.query_map([bucket], row).unwrap();
                let mut rows: Vec<String> = rows.map(|row| format!("{:?}", row.unwrap())).collect();
                rows.sort();
                rows
            }
        }
    }

    pub(super) async fn end(&self) -> Result<(), Failed> {
        Ok(())
    }
}
