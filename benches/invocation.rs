//! A warm invocation beside what it cannot do without: the GET of its object and the INSERTs of its rows, by the same
//! clients, in the same process, in turns.
//!
//! `SPOTTER_CASSANDRA=host:port cargo bench --bench invocation -- [objects] [rounds]` measures that.
//! `… -- loop BUCKET AT_ONCE OBJECTS` gets objects of a bucket that have rows in `SPOTTER_KEYSPACE` already, inserts these again, and says
//! what that took of the processors; benches/end_to_end.py calls it. See benches/README.md.

#![allow(clippy::print_stdout)] // figures are what it is for

mod endpoint;
mod processors;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use endpoint::{Failure, load, serve};
use futures_util::future::try_join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use processors::processors;
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
use spotter::local::{Credentials, Store, client};
use spotter::objects::{Objects, Pinned, S3Objects};
use spotter::pipeline::Pipeline;
use spotter::records::cassandra::{Cassandra, CassandraConfig, Wanted};

const BUCKET: &str = "pictures";
const MAX_BYTES: u64 = 1_000_000;
const MODEL: &str = "digits/2";

/// What Spotter's own session is: the pool, the consistency, one connection a node.
async fn connect(config: &CassandraConfig) -> Result<Session, Failure> {
    let profile = ExecutionProfile::builder().consistency(Consistency::LocalQuorum).build();
    let session = SessionBuilder::new()
        .known_nodes(&config.nodes)
        .pool_size(PoolSize::PerHost(std::num::NonZeroUsize::MIN))
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
async fn rows(session: &Session, keyspace: &str) -> Result<HashMap<String, Inserts>, Failure> {
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
            let (Some(key), Some(model), Some(seq)) = (text("key"), text("model"), text("seq")) else {
                return Err(format!("a row of {table} lacks a part of its key").into());
            };
            let of_object = objects.entry(key).or_default();
            if model != MODEL || of_object.0.get(table).is_some_and(|known| known.seq > seq) {
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
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let settings = Settings::from_env(None)?;
    let cassandra = settings.cassandra.clone().ok_or("SPOTTER_CASSANDRA names the database, as host:port")?;
    // As the function has it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["loop", bucket, at_once, objects] => {
            let (at_once, objects) = (at_once.parse()?, objects.parse()?);
            runtime.block_on(bare_loop(&settings, &cassandra, bucket, at_once, objects))
        }
        ref numbers => {
            let mut numbers = numbers.iter().map(|number| number.parse::<usize>());
            let objects = numbers.next().unwrap_or(Ok(100))?;
            let rounds = numbers.next().unwrap_or(Ok(20))?;
            runtime.block_on(warm(cassandra, objects, rounds))
        }
    }
}

async fn bare_loop(
    settings: &Settings,
    cassandra: &CassandraConfig,
    bucket: &str,
    at_once: usize,
    count: usize,
) -> Result<(), Failure> {
    let s3 = S3Objects::connect(&settings.s3).await;
    let session = connect(cassandra).await?;
    let objects = rows(&session, &cassandra.keyspace).await?;
    let (started, before) = (Instant::now(), processors());
    if objects.len() < count {
        return Err(format!("{} of {count} objects have rows", objects.len()).into());
    }
    let each = stream::iter(&objects).take(count).map(|(key, inserts)| {
        let (s3, session) = (&s3, &session);
        async move {
            s3.get(&pinned(bucket, key), MAX_BYTES).await?;
            inserts.execute(session).await
        }
    });
    each.buffer_unordered(at_once).try_collect::<()>().await?;
    let (wall, busy) = (started.elapsed(), processors() - before);
    println!("{count} objects in {:.2} s, {:.2} s of the processors", wall.as_secs_f64(), busy.as_secs_f64());
    Ok(())
}

fn pinned(bucket: &str, key: &str) -> Pinned {
    Pinned { bucket: bucket.to_owned(), key: key.to_owned(), version_id: None, etag: None }
}

/// One object: the event of its upload, and the INSERTs that an invocation for it makes.
struct Object {
    key: String,
    event: Value,
    inserts: Inserts,
}

async fn warm(mut cassandra: CassandraConfig, objects: usize, rounds: usize) -> Result<(), Failure> {
    cassandra.keyspace = format!("bench_{:08x}", fastrand::u32(..));
    let folder = tempfile::tempdir()?;
    let store = Store::open(folder.path())?;
    let keys: Vec<String> = (0..objects).map(|at| format!("{at:06}.png")).collect();
    load(&store, BUCKET, keys.iter().cloned()).await?;
    let credentials = Credentials::random()?;
    let address = serve(store, credentials.clone())?;
    let s3: Arc<dyn Objects> = Arc::new(S3Objects::new(client(&format!("http://{address}"), &credentials)));
    let session = connect(&cassandra).await?;
    let records = Arc::new(Cassandra::new(cassandra.clone()));
    records.apply_schema(&Wanted { replication: None, layout: None, ttl: None }).await?;
    let model = Arc::new(Model::embedded()?);
    let function =
        Function::new(Pipeline::new(s3.clone(), records, model, Limits::default(), MAX_BYTES), EventBridgeKeys::Plain);
    for key in &keys {
        invoke(&function, &event(key)).await?;
    }
    let mut inserts = rows(&session, &cassandra.keyspace).await?;
    let found = keys.into_iter().map(|key| {
        let inserts = inserts.remove(&key).filter(|inserts| inserts.0.len() == 3);
        Some(Object { event: event(&key), inserts: inserts?, key })
    });
    let found = found.collect::<Option<Vec<_>>>().ok_or("an object has no rows")?;
    let measured = measure(&function, &*s3, &session, &found, rounds).await;
    session.query_unpaged(format!("DROP KEYSPACE {}", cassandra.keyspace), ()).await?;
    let Measured { whole, get, insert } = measured?;
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
async fn measure(
    function: &Function,
    s3: &dyn Objects,
    session: &Session,
    objects: &[Object],
    rounds: usize,
) -> Result<Measured, Failure> {
    let mut measured = Measured::default();
    let ms = |since: Instant| since.elapsed().as_secs_f64() * 1e3;
    for at in 0..rounds * objects.len() {
        let Object { key, event, inserts } = &objects[at % objects.len()];
        for invocation in [at % 2 == 0, at % 2 == 1] {
            let started = Instant::now();
            if invocation {
                invoke(function, event).await?;
                measured.whole.push(ms(started));
            } else {
                s3.get(&pinned(BUCKET, key), MAX_BYTES).await?;
                measured.get.push(ms(started));
                let started = Instant::now();
                inserts.execute(session).await?;
                measured.insert.push(ms(started));
            }
        }
    }
    Ok(measured)
}

fn event(key: &str) -> Value {
    let notification = Notification {
        name: EventName::Put,
        bucket: BUCKET,
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
