//! A connected session: its statements, and rows in and out.

use std::collections::{BTreeSet, VecDeque};
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, join, select, try_join_all};
use rustls::ClientConfig;
use scylla::client::PoolSize;
use scylla::client::caching_session::{CachingSession, CachingSessionBuilder};
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::deserialize::row::DeserializeRow;
use scylla::errors::{DbError, ExecutionError, NewSessionError, RequestAttemptError};
use scylla::policies::address_translator::AddressTranslator;
use scylla::policies::host_filter::HostFilter;
use scylla::policies::load_balancing::{DefaultPolicy, NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::policies::retry::FallthroughRetryPolicy;
use scylla::policies::speculative_execution::SimpleSpeculativeExecutionPolicy;
use scylla::response::PagingState;
use scylla::response::query_result::QueryRowsResult;
use scylla::serialize::row::SerializeRow;
use scylla::statement::{Consistency, Statement};
use scylla::value::CqlTimestamp;

use super::CassandraConfig;
use super::errors::At;
use super::log;
use super::moment::Moment;
use super::nodes::{Nodes, ambiguous};
use super::row::{COLUMNS, Read, UNSEEN, Unseen};
use super::schema::Layout;
use crate::record::Record;
use crate::records::RecordsError;

/// For one node to take a connection, and for a name to be resolved.
const CONNECT: Duration = Duration::from_secs(2);
/// After so long, the nodes are asked whether one of them hangs, and a second attempt goes round it.
const PATIENCE: Duration = Duration::from_secs(1);
/// For the whole of it.
pub(super) const SESSION: Duration = Duration::from_secs(8);
/// More than the 2 s after which a node itself gives up a write, so that its reason is what is told.
const REQUEST: Duration = Duration::from_secs(5);
/// A second node is asked as well then: one of them may hang. Every statement may be sent twice.
const SECOND_NODE: Duration = Duration::from_millis(500);
/// A connection whose node says nothing for so long is given up, twice: the interval and the wait.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// A session that was idle for so long may have been frozen, and is checked before it is used again.
const IDLE: Duration = Duration::from_millis(500);
/// What the check waits for.
const ALIVE: Duration = Duration::from_millis(200);

/// A session without a keyspace: every statement names its own.
pub(super) async fn connect(config: &CassandraConfig) -> Result<Session, RecordsError> {
    let at = At::of(config);
    let tls = config.tls.as_ref().map(|tls| tls.client(&config.nodes)).transpose();
    let tls = tls.map_err(|what| at.misconfigured(&what))?;
    let session = match tokio::time::timeout(SESSION, round_who_hangs(config, tls)).await {
        Ok(session) => session?,
        Err(_) => return Err(at.silent(SESSION)),
    };
    let state = session.get_cluster_state();
    let there: BTreeSet<&str> = state.get_nodes_info().iter().filter_map(|node| node.datacenter.as_deref()).collect();
    match ambiguous(config.datacenter.as_deref(), &there) {
        None => Ok(session),
        Some(what) => Err(at.misconfigured(&what)),
    }
}

/// One attempt, or, where it takes long, the first of two of which the second leaves out the nodes that hang. It also
/// rescues an attempt that was frozen midway: its sockets are new.
async fn round_who_hangs(config: &CassandraConfig, tls: Option<Arc<ClientConfig>>) -> Result<Session, RecordsError> {
    let at = At::of(config);
    let nodes = Arc::new(Nodes::of(config));
    let mut first = pin!(build(config, &config.nodes, &nodes, tls.clone()));
    if let Ok(built) = tokio::time::timeout(PATIENCE, &mut first).await {
        return built.map_err(|error| at.connecting(&error));
    }
    let second = pin!(async {
        let answering: Vec<String> = nodes.answering(tls.as_ref()).await.iter().map(ToString::to_string).collect();
        if answering.is_empty() {
            return None;
        }
        Some(build(config, &answering, &nodes, tls.clone()).await)
    });
    let built = match select(first, second).await {
        Either::Left((Ok(session), _)) => Ok(session),
        Either::Left((Err(error), second)) => second.await.unwrap_or(Err(error)),
        Either::Right((Some(built), _)) => built,
        Either::Right((None, _)) => return Err(at.nobody_answers()),
    };
    built.map_err(|error| at.connecting(&error))
}

async fn build(
    config: &CassandraConfig,
    contact_points: &[String],
    nodes: &Arc<Nodes>,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Session, NewSessionError> {
    let mut policy = DefaultPolicy::builder().token_aware(true).permit_dc_failover(false);
    if let Some(datacenter) = &config.datacenter {
        policy = policy.prefer_datacenter(datacenter.clone());
    }
    let second_node = SimpleSpeculativeExecutionPolicy { max_retry_count: 1, retry_interval: SECOND_NODE };
    let profile = ExecutionProfile::builder()
        .consistency(Consistency::LocalQuorum)
        .request_timeout(Some(REQUEST))
        .speculative_execution_policy(Some(Arc::new(second_node)))
        .load_balancing_policy(policy.build())
        .build();
    let mut builder = SessionBuilder::new()
        .known_nodes(contact_points)
        .connection_timeout(CONNECT)
        .hostname_resolution_timeout(Some(CONNECT))
        .metadata_request_clientside_timeout(CONNECT)
        .keepalive_interval(KEEPALIVE)
        .keepalive_timeout(KEEPALIVE)
        .pool_size(PoolSize::PerHost(NonZeroUsize::MIN))
        .fetch_full_schema_metadata(false)
        .tls_context(tls)
        .host_filter(Arc::clone(nodes) as Arc<dyn HostFilter>)
        .default_execution_profile_handle(profile.into_handle());
    if let Some(forwarded) = &nodes.forwarded {
        builder = builder.address_translator(Arc::clone(forwarded) as Arc<dyn AddressTranslator>);
    }
    if let Some(login) = &config.login {
        builder = builder.user(&login.user, login.password.expose());
    }
    builder.build().await
}

/// A session whose schema is there and known.
pub(super) struct Ready {
    /// Prepares a statement when it is first used: a function never asks.
    session: CachingSession,
    at: At,
    /// When a node last answered; `None` once one did not.
    heard: Mutex<Option<Moment>>,
    pub(super) layout: Layout,
    pub(super) statements: Statements,
}

impl Ready {
    pub(super) async fn open(config: Arc<CassandraConfig>) -> Result<Ready, RecordsError> {
        let at = At::of(&config);
        at.check_keyspace()?;
        let session = CachingSessionBuilder::new(connect(&config).await?).build();
        let statements = Statements::new(&config.keyspace);
        let prepared = try_join_all(statements.inserts().map(|insert| session.add_prepared_statement(insert)));
        // One round trip for both; where there is no schema, that is what is told.
        let (layout, prepared) = join(Layout::read(session.get_session(), &at), prepared).await;
        let layout = layout?.ok_or_else(|| at.no_schema())?;
        prepared.map_err(|error| at.executing(&error.into()))?;
        Ok(Ready { session, at, heard: Mutex::new(Some(Moment::now())), layout, statements })
    }

    /// Whether its connections may have died unnoticed.
    pub(super) fn is_doubtful(&self) -> bool {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).is_none_or(|heard| heard.age() > IDLE)
    }

    /// Whether every node that it has a connection to answers at once.
    pub(super) async fn is_alive(&self) -> bool {
        let session = self.session.get_session();
        let state = session.get_cluster_state();
        let asked: Vec<_> = state
            .get_nodes_info()
            .iter()
            .filter(|node| node.is_connected())
            .map(|node| {
                let mut question = Statement::new("SELECT key FROM system.local");
                question.set_consistency(Consistency::LocalOne);
                question.set_request_timeout(Some(ALIVE));
                question.set_retry_policy(Some(Arc::new(FallthroughRetryPolicy)));
                let node = SingleTargetLoadBalancingPolicy::new(NodeIdentifier::Node(Arc::clone(node)), None);
                question.set_load_balancing_policy(Some(node));
                session.query_unpaged(question, ())
            })
            .collect();
        let alive = !asked.is_empty() && try_join_all(asked).await.is_ok();
        self.heard(alive);
        alive
    }

    fn heard(&self, alive: bool) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = alive.then(Moment::now);
    }

    fn heed<T>(&self, answer: &Result<T, ExecutionError>) {
        // An error that a node sent is an answer.
        self.heard(matches!(answer, Ok(_) | Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(..)))));
    }

    /// Whether a quorum answers and the tables are there.
    pub(super) async fn probe(&self) -> Result<(), RecordsError> {
        let layout = Layout::read(self.session.get_session(), &self.at).await;
        if let Err(RecordsError::Unavailable(_)) = &layout {
            self.heard(false);
        }
        layout?.map(drop).ok_or_else(|| self.at.no_schema())
    }

    /// Schema 1 has no such column.
    pub(super) async fn served(&self) -> Result<Option<String>, RecordsError> {
        let answer = self.session.get_session().query_unpaged(self.statements.served.clone(), ()).await;
        self.heed(&answer);
        if let Err(ExecutionError::LastAttemptError(RequestAttemptError::DbError(DbError::Invalid, _))) = answer {
            return Ok(None);
        }
        let rows = answer.map_err(|error| self.at.executing(&error))?.into_rows_result();
        let rows = rows.map_err(|error| self.at.broken(&error))?;
        let row = rows.maybe_first_row::<(Option<String>,)>().map_err(|error| self.at.broken(&error))?;
        Ok(row.and_then(|(served,)| served).filter(|served| !served.is_empty()))
    }

    #[cfg(feature = "cli")]
    pub(super) async fn serve(&self, model: Option<&str>) -> Result<(), RecordsError> {
        match Layout::with_version(self.session.get_session(), &self.at).await? {
            Some((_, 2..)) => self.write(&self.statements.serve, (model,)).await,
            _ => Err(self.at.broken(&"its schema has no served model yet; run `spotter schema apply`, which adds it")),
        }
    }

    pub(super) async fn write(&self, insert: &Statement, values: impl SerializeRow) -> Result<(), RecordsError> {
        let done = self.session.execute_unpaged(insert.clone(), values).await;
        self.heed(&done);
        done.map(drop).map_err(|error| self.at.executing(&error))
    }

    /// All records that a statement of every column finds: its `LIMIT` bounds them.
    pub(super) async fn read(
        &self,
        select: &Statement,
        values: impl SerializeRow,
    ) -> Result<Vec<Record>, RecordsError> {
        let mut records = Vec::new();
        let mut from = Some(PagingState::start());
        while let Some(state) = from {
            let (rows, next) = self.page(select.clone(), &values, state).await?;
            records.extend(self.records::<Read>(&rows)?);
            from = next;
        }
        Ok(records)
    }

    fn records<T>(&self, rows: &QueryRowsResult) -> Result<Vec<Record>, RecordsError>
    where
        T: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata> + Into<Read>,
    {
        let rows = rows.rows::<T>().map_err(|error| self.at.broken(&error))?;
        let read = rows.map(|row| {
            let row: Read = row.map_err(|error| self.at.broken(&error))?.into();
            row.into_record().map_err(|what| self.at.broken(&what))
        });
        read.collect()
    }

    async fn page(
        &self,
        mut select: Statement,
        values: impl SerializeRow,
        from: PagingState,
    ) -> Result<(QueryRowsResult, Option<PagingState>), RecordsError> {
        // What Cassandra says of it is in system_traces, under the id.
        select.set_tracing(tracing::enabled!(tracing::Level::TRACE));
        let answer = self.session.execute_single_page(select, values, from).await;
        self.heed(&answer);
        let (result, next) = answer.map_err(|error| self.at.executing(&error))?;
        if let Some(tracing_id) = result.tracing_id() {
            tracing::trace!(%tracing_id, "asked Cassandra");
        }
        let rows = result.into_rows_result().map_err(|error| self.at.broken(&error))?;
        match next.into_paging_control_flow() {
            ControlFlow::Continue(next) => Ok((rows, Some(next))),
            ControlFlow::Break(()) => Ok((rows, None)),
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
            let (rows, next) = self.ready.page(self.ready.statements.slots.clone(), self.bounds, from).await?;
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
    pub(super) by_time: Log,
    pub(super) by_label: Log,
    slots: Statement,
    served: Statement,
    #[cfg(feature = "cli")]
    serve: Statement,
}

/// The rows of one partition, newest first.
pub(super) struct Log {
    seen: Statement,
    unseen: Statement,
}

impl Log {
    /// So many rows from there on, and where it goes on.
    pub(super) async fn page(
        &self,
        ready: &Ready,
        seen: bool,
        rows: i32,
        values: impl SerializeRow,
        from: PagingState,
    ) -> Result<(Vec<Record>, Option<PagingState>), RecordsError> {
        let select = if seen { &self.seen } else { &self.unseen };
        let (page, next) = ready.page(select.clone().with_page_size(rows), values, from).await?;
        let records = if seen { ready.records::<Read>(&page) } else { ready.records::<Unseen>(&page) };
        Ok((records?, next))
    }
}

impl Statements {
    pub(super) fn new(keyspace: &str) -> Statements {
        let statement = |cql: String| {
            let mut statement = Statement::new(cql).with_page_size(log::PAGE);
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
            let of = |columns: &str| {
                statement(format!(
                    "SELECT {columns} FROM {keyspace}.{table} WHERE model = ? {label} AND slot = ? AND shard = ? \
                     AND (event_time, object_hash, seq, version) < (?, ?, ?, ?) AND (event_time) >= (?)"
                ))
            };
            Log { seen: of(COLUMNS), unseen: of(UNSEEN) }
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
            served: statement(format!("SELECT served FROM {keyspace}.layout WHERE one = 'layout'")),
            #[cfg(feature = "cli")]
            serve: statement(format!("INSERT INTO {keyspace}.layout (one, served) VALUES ('layout', ?)")),
        }
    }

    #[cfg(test)]
    pub(super) fn texts(&self) -> Vec<&str> {
        let logs = [&self.by_time, &self.by_label].into_iter().flat_map(|log| [&log.seen, &log.unseen]);
        let reads = [&self.rows, &self.rows_of_order, &self.rows_below, &self.slots, &self.served, &self.serve]
            .into_iter()
            .chain(logs);
        self.inserts().into_iter().chain(reads).map(|statement| statement.contents.as_str()).collect()
    }

    fn inserts(&self) -> [&Statement; 4] {
        [&self.insert_by_time, &self.insert_by_label, &self.insert_slot, &self.insert_by_object]
    }
}
