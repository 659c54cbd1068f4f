//! A connected session: its statements, and rows in and out.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use scylla::client::PoolSize;
use scylla::client::caching_session::{CachingSession, CachingSessionBuilder};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::response::PagingState;
use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::{Consistency, Statement};
use scylla::value::CqlTimestamp;

use super::CassandraConfig;
use super::errors::At;
use super::row::{COLUMNS, Read};
use super::schema::Layout;
use crate::event::Timestamp;
use crate::record::Record;
use crate::records::{End, Listing, RecordsError};

/// For one node. The whole of it has [`SESSION`], because a node that hangs can hold it for a minute.
const CONNECT: Duration = Duration::from_secs(2);
const SESSION: Duration = Duration::from_secs(8);
const REQUEST: Duration = Duration::from_secs(10);

/// Rows in one answer of a log, each of at most some 5 kB.
const LOG_PAGE: i32 = 500;

/// A session without a keyspace: every statement names its own.
pub(super) async fn connect(config: &CassandraConfig) -> Result<Session, RecordsError> {
    let at = At::of(config);
    let profile =
        ExecutionProfile::builder().consistency(Consistency::LocalQuorum).request_timeout(Some(REQUEST)).build();
    let mut builder = SessionBuilder::new()
        .known_nodes(&config.nodes)
        .connection_timeout(CONNECT)
        .hostname_resolution_timeout(Some(CONNECT))
        .pool_size(PoolSize::PerHost(NonZeroUsize::MIN))
        .fetch_full_schema_metadata(false)
        .default_execution_profile_handle(profile.into_handle());
    if let Some(login) = &config.login {
        builder = builder.user(&login.user, &login.password);
    }
    match tokio::time::timeout(SESSION, builder.build()).await {
        Ok(session) => session.map_err(|error| at.connecting(&error)),
        Err(_) => Err(at.silent(SESSION)),
    }
}

/// A session whose schema is there and known.
pub(super) struct Ready {
    /// Prepares a statement when it is first used: a function never asks.
    session: CachingSession,
    at: At,
    pub(super) layout: Layout,
    pub(super) statements: Statements,
}

impl Ready {
    pub(super) async fn open(config: Arc<CassandraConfig>) -> Result<Ready, RecordsError> {
        let at = At::of(&config);
        at.check_keyspace()?;
        let session = connect(&config).await?;
        let layout = Layout::read(&session, &at).await?.ok_or_else(|| at.no_schema())?;
        let session = CachingSessionBuilder::new(session).build();
        let statements = Statements::new(&config.keyspace);
        try_join_all(statements.inserts().map(|insert| session.add_prepared_statement(insert)))
            .await
            .map_err(|error| at.executing(&error.into()))?;
        Ok(Ready { session, at, layout, statements })
    }

    /// Whether a quorum answers and the tables are there.
    pub(super) async fn probe(&self) -> Result<(), RecordsError> {
        let layout = Layout::read(self.session.get_session(), &self.at).await?;
        layout.map(drop).ok_or_else(|| self.at.no_schema())
    }

    pub(super) async fn write(&self, insert: &Statement, values: impl SerializeRow) -> Result<(), RecordsError> {
        let done = self.session.execute_unpaged(insert.clone(), values).await;
        done.map(drop).map_err(|error| self.at.executing(&error))
    }

    /// All records that a statement finds: its `LIMIT` bounds them.
    pub(super) async fn read(
        &self,
        select: &Statement,
        values: impl SerializeRow,
    ) -> Result<Vec<Record>, RecordsError> {
        let mut records = Vec::new();
        let mut from = Some(PagingState::start());
        while let Some(state) = from {
            let (rows, next) = self.page(select, &values, state).await?;
            for row in rows.rows::<Read>().map_err(|error| self.at.broken(&error))? {
                let row = row.map_err(|error| self.at.broken(&error))?;
                records.push(row.into_record().map_err(|what| self.at.broken(&what))?);
            }
            from = next;
        }
        Ok(records)
    }

    async fn page(
        &self,
        select: &Statement,
        values: impl SerializeRow,
        from: PagingState,
    ) -> Result<(QueryRowsResult, Option<PagingState>), RecordsError> {
        let answer = self.session.execute_single_page(select.clone(), values, from).await;
        let (result, next) = answer.map_err(|error| self.at.executing(&error))?;
        let rows = result.into_rows_result().map_err(|error| self.at.broken(&error))?;
        match next.into_paging_control_flow() {
            ControlFlow::Continue(next) => Ok((rows, Some(next))),
            ControlFlow::Break(()) => Ok((rows, None)),
        }
    }

    /// The first `wanted` rows of one partition of a log.
    pub(super) async fn log(
        &self,
        listing: &Listing,
        end: &End,
        (slot, shard): (i64, i32),
        wanted: usize,
    ) -> Result<Vec<Record>, RecordsError> {
        let since = listing.since.unwrap_or(Timestamp(i64::MIN));
        let place = (CqlTimestamp(slot), shard);
        let end = (CqlTimestamp(end.event_time.0), &end.object_hash, &end.seq, &end.version);
        let rest = (end, CqlTimestamp(since.0), i32::try_from(wanted).unwrap_or(i32::MAX));
        let ((slot, shard), ((time, hash, seq, version), since, wanted)) = (place, rest);
        let model = &listing.model;
        match &listing.label {
            None => {
                let values = (model, slot, shard, time, hash, seq, version, since, wanted);
                self.read(&self.statements.by_time, values).await
            }
            Some(label) => {
                let values = (model, label, slot, shard, time, hash, seq, version, since, wanted);
                self.read(&self.statements.by_label, values).await
            }
        }
    }

    /// The slots there are, newest first.
    pub(super) fn slots(&self, newest: i64, oldest: i64) -> Slots<'_> {
        let bounds = (CqlTimestamp(newest), CqlTimestamp(oldest));
        Slots { ready: self, bounds, read: VecDeque::new(), from: Some(PagingState::start()) }
    }
}

/// Walks `slots`, a page at a time.
pub(super) struct Slots<'a> {
    ready: &'a Ready,
    bounds: (CqlTimestamp, CqlTimestamp),
    read: VecDeque<i64>,
    from: Option<PagingState>,
}

impl Slots<'_> {
    pub(super) async fn next(&mut self) -> Result<Option<i64>, RecordsError> {
        let at = &self.ready.at;
        while self.read.is_empty()
            && let Some(from) = self.from.take()
        {
            let (rows, next) = self.ready.page(&self.ready.statements.slots, self.bounds, from).await?;
            for row in rows.rows::<(CqlTimestamp,)>().map_err(|error| at.broken(&error))? {
                let (slot,) = row.map_err(|error| at.broken(&error))?;
                self.read.push_back(slot.0);
            }
            self.from = next;
        }
        Ok(self.read.pop_front())
    }
}

pub(super) struct Statements {
    pub(super) insert_by_object: Statement,
    pub(super) insert_by_time: Statement,
    pub(super) insert_by_label: Statement,
    pub(super) insert_slot: Statement,
    pub(super) rows: Statement,
    pub(super) rows_of_order: Statement,
    pub(super) rows_below: Statement,
    by_time: Statement,
    by_label: Statement,
    slots: Statement,
}

impl Statements {
    fn new(keyspace: &str) -> Statements {
        let statement = |cql: String| {
            let mut statement = Statement::new(cql).with_page_size(LOG_PAGE);
            // Every row is a pure function of its key: the driver may send it again.
            statement.set_is_idempotent(true);
            statement
        };
        let insert = |table: &str, more: &str| {
            let columns = format!("{COLUMNS}{more}");
            let marks = vec!["?"; columns.split(',').count()].join(", ");
            statement(format!("INSERT INTO {keyspace}.{table} ({columns}) VALUES ({marks})"))
        };
        let log = |table: &str, label: &str| {
            statement(format!(
                "SELECT {COLUMNS} FROM {keyspace}.{table} WHERE model = ? {label} AND slot = ? AND shard = ? \
                 AND (event_time, object_hash, seq, version) < (?, ?, ?, ?) AND (event_time) >= (?) LIMIT ?"
            ))
        };
        let object = |rest: &str| {
            statement(format!("SELECT {COLUMNS} FROM {keyspace}.by_object WHERE bucket = ? AND key = ? {rest} LIMIT ?"))
        };
        Statements {
            insert_by_object: insert("by_object", ""),
            insert_by_time: insert("by_time", ", slot, shard, object_hash"),
            insert_by_label: insert("by_label", ", slot, shard, object_hash, listed_as"),
            insert_slot: statement(format!("INSERT INTO {keyspace}.slots (one, slot) VALUES ('slots', ?)")),
            rows: object(""),
            rows_of_order: object("AND seq = ? AND event_time = ? AND version = ? AND model > ?"),
            rows_below: object("AND (seq, event_time, version) < (?, ?, ?)"),
            by_time: log("by_time", ""),
            by_label: log("by_label", "AND listed_as = ?"),
            slots: statement(format!(
                "SELECT slot FROM {keyspace}.slots WHERE one = 'slots' AND slot <= ? AND slot >= ?"
            )),
        }
    }

    fn inserts(&self) -> [&Statement; 4] {
        [&self.insert_by_time, &self.insert_by_label, &self.insert_slot, &self.insert_by_object]
    }
}
