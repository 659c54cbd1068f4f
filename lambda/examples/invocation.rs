//! A warm invocation beside what it cannot do without: the GET of its object and the INSERTs of its rows, by the same
//! clients, in the same process, in turns. Built as the function is.
//!
//! `warm BUCKET OBJECTS ROUNDS` measures that; `loop BUCKET OBJECTS` only gets and inserts, ten objects at once, and benches/end_to_end.py counts
//! what it takes. Both take objects that have rows in `SPOTTER_KEYSPACE` already.

#![allow(clippy::print_stdout)] // figures are what it is for

use std::collections::HashMap;
use std::error::Error;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use scylla::client::PoolSize;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session::Session;
use scylla::client::session_builder::SessionBuilder;
use scylla::statement::Consistency;
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, MaybeUnset, Row};
use serde_json::Value;
use spotter::classifier::Model;
use spotter::config::Settings;
use spotter::decode::Limits;
use spotter::event::make::{self, EventName, Notification, Shape};
use spotter::event::{EventBridgeKeys, Timestamp};
use spotter::function::Function;
use spotter::objects::{Objects, Pinned, S3Objects};
use spotter::pipeline::Pipeline;
use spotter::records::cassandra::{Cassandra, CassandraConfig};

type Failure = Box<dyn Error + Send + Sync>;

const MAX_BYTES: u64 = 1_000_000;
const MODEL: &str = "digits/2";
const AT_ONCE: usize = 10;

/// What Spotter's own session is: the pool, the consistency, one connection a node.
async fn connect(config: &CassandraConfig) -> Result<Session, Failure> {
    let profile = ExecutionProfile::builder().consistency(Consistency::LocalQuorum).build();
    let session = SessionBuilder::new()
        .known_nodes(&config.nodes)
        .pool_size(PoolSize::PerHost(NonZeroUsize::MIN))
        .default_execution_profile_handle(profile.into_handle());
    Ok(session.build().await?)
}

/// One INSERT with what a table holds already.
struct Insert {
    seq: String,
    insert: PreparedStatement,
    values: Vec<MaybeUnset<CqlValue>>,
}

/// What one object's invocation writes, by table.
#[derive(Default)]
struct Inserts(HashMap<&'static str, Insert>);

/// The logs' rows are written at once, then that of the object.
const ROUND_TRIPS: [&[&str]; 2] = [&["by_time", "by_label"], &["by_object"]];

impl Inserts {
    async fn execute(&self, session: &Session) -> Result<(), Failure> {
        for tables in ROUND_TRIPS {
            let inserts = tables.iter().filter_map(|table| self.0.get(table));
            let executed = inserts.map(|Insert { insert, values, .. }| session.execute_unpaged(insert, values));
            try_join_all(executed).await?;
        }
        Ok(())
    }
}

/// Every object's newest rows, as Spotter has written them.
async fn rows(session: &Session, keyspace: &str, bucket: &str) -> Result<HashMap<String, Inserts>, Failure> {
    let mut objects = HashMap::<String, Inserts>::new();
    for table in ROUND_TRIPS.into_iter().flatten() {
        let mut read =
            session.query_iter(format!("SELECT * FROM {keyspace}.{table}"), ()).await?.rows_stream::<Row>()?;
        let columns: Vec<String> = read.column_specs().iter().map(|column| column.name().to_owned()).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let insert = format!("INSERT INTO {keyspace}.{table} ({}) VALUES ({marks})", columns.join(", "));
        let mut insert = session.prepare(insert).await?;
        insert.set_is_idempotent(true);
        while let Some(row) = read.try_next().await? {
            let text = |name: &str| {
                let at = columns.iter().position(|column| column == name)?;
                row.columns[at].as_ref()?.as_text().cloned()
            };
            let (Some(key), Some(seq)) = (text("key"), text("seq")) else {
                return Err(format!("a row of {table} lacks a part of its key").into());
            };
            if text("bucket").as_deref() != Some(bucket) || text("model").as_deref() != Some(MODEL) {
                continue;
            }
            let of_object = objects.entry(key).or_default();
            if of_object.0.get(table).is_some_and(|known| known.seq > seq) {
                continue;
            }
            let values =
                row.columns.into_iter().map(|value| value.map_or(MaybeUnset::Unset, MaybeUnset::Set)).collect();
            of_object.0.insert(table, Insert { seq, insert: insert.clone(), values });
        }
    }
    Ok(objects)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // As the function has it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["loop", bucket, objects] => runtime.block_on(bare_loop(bucket, objects.parse()?)),
        ["warm", bucket, objects, rounds] => runtime.block_on(warm(bucket, objects.parse()?, rounds.parse()?)),
        _ => Err("loop BUCKET OBJECTS, or warm BUCKET OBJECTS ROUNDS".into()),
    }
}

struct Clients {
    s3: Arc<dyn Objects>,
    cassandra: CassandraConfig,
    session: Session,
    rows: Vec<(String, Inserts)>,
}

impl Clients {
    async fn from_env(bucket: &str, objects: usize) -> Result<Clients, Failure> {
        let settings = Settings::from_env(None)?;
        let cassandra = settings.cassandra.ok_or("SPOTTER_CASSANDRA names the database, as host:port")?;
        let session = connect(&cassandra).await?;
        let rows = rows(&session, &cassandra.keyspace, bucket).await?;
        let rows: Vec<_> = rows.into_iter().filter(|(_, inserts)| inserts.0.len() == 3).take(objects).collect();
        if rows.len() < objects {
            return Err(format!("{} of {objects} objects have rows", rows.len()).into());
        }
        Ok(Clients { s3: Arc::new(S3Objects::connect(&settings.s3).await), cassandra, session, rows })
    }
}

async fn bare_loop(bucket: &str, objects: usize) -> Result<(), Failure> {
    let Clients { s3, session, rows, .. } = &Clients::from_env(bucket, objects).await?;
    let each = stream::iter(rows).map(|(key, inserts)| async move {
        s3.get(&pinned(bucket, key), MAX_BYTES).await?;
        inserts.execute(session).await
    });
    each.buffer_unordered(AT_ONCE).try_collect().await
}

fn pinned(bucket: &str, key: &str) -> Pinned {
    Pinned { bucket: bucket.to_owned(), key: key.to_owned(), version_id: None, etag: None }
}

async fn warm(bucket: &str, objects: usize, rounds: usize) -> Result<(), Failure> {
    let clients = Clients::from_env(bucket, objects).await?;
    let records = Arc::new(Cassandra::new(clients.cassandra.clone()));
    let pipeline =
        Pipeline::new(clients.s3.clone(), records, Arc::new(Model::embedded()?), Limits::default(), MAX_BYTES);
    let function = Function::new(pipeline, EventBridgeKeys::Plain);
    // The first one connects, and writes its slot down.
    measure(&function, &clients, bucket, 1).await?;
    let Measured { whole, get, insert } = measure(&function, &clients, bucket, rounds).await?;
    println!("{objects} objects, {rounds} rounds; median (ninth decile)");
    let bare: Vec<f64> = get.iter().zip(&insert).map(|(get, insert)| get + insert).collect();
    let ratios: Vec<f64> = whole.iter().zip(&bare).map(|(whole, bare)| whole / bare).collect();
    for (name, times) in
        [("GET", get), ("three INSERTs, two round trips", insert), ("both", bare), ("invocation", whole)]
    {
        println!("{name:32} {:6.2} ({:.2}) ms", decile(&times, 5), decile(&times, 9));
    }
    println!(
        "{:32} {:6.2} ({:.2} to {:.2})",
        "invocation / both",
        decile(&ratios, 5),
        decile(&ratios, 1),
        decile(&ratios, 9)
    );
    Ok(())
}

#[derive(Default)]
struct Measured {
    whole: Vec<f64>,
    get: Vec<f64>,
    insert: Vec<f64>,
}

/// Milliseconds; who goes first changes from object to object.
async fn measure(function: &Function, clients: &Clients, bucket: &str, rounds: usize) -> Result<Measured, Failure> {
    let mut measured = Measured::default();
    let ms = |since: Instant| since.elapsed().as_secs_f64() * 1e3;
    for round in 0..rounds {
        for (at, (key, inserts)) in clients.rows.iter().enumerate() {
            let event = event(bucket, key);
            let first = (round + at) % 2 == 0;
            for invocation in [first, !first] {
                let started = Instant::now();
                if invocation {
                    invoke(function, &event).await?;
                    measured.whole.push(ms(started));
                } else {
                    clients.s3.get(&pinned(bucket, key), MAX_BYTES).await?;
                    measured.get.push(ms(started));
                    let started = Instant::now();
                    inserts.execute(&clients.session).await?;
                    measured.insert.push(ms(started));
                }
            }
        }
    }
    Ok(measured)
}

fn event(bucket: &str, key: &str) -> Value {
    let notification = Notification {
        name: EventName::Put,
        bucket,
        key,
        size: None,
        etag: None,
        version_id: None,
        sequencer: Some("0A"),
        event_time: Timestamp(1_790_000_000_000),
        region: "us-east-1",
    };
    make::event(&notification, Shape::S3)
}

async fn invoke(function: &Function, event: &Value) -> Result<(), Failure> {
    let answer = function.answer(event, Instant::now() + Duration::from_secs(30)).await;
    answer.body.map(drop).map_err(Into::into)
}

fn decile(values: &[f64], tenths: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) * tenths / 10]
}
