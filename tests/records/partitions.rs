//! Which partitions a question reads, as Cassandra itself traces it: never more than it must, and never a scan.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use scylla::client::session::Session;
use scylla::observability::tracing::TracingInfo;
use scylla::value::CqlTimeuuid;
use spotter::event::Timestamp;
use spotter::record::{HUMAN, Record};
use spotter::records::{self, Listing, object_hash};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::Registry;

use super::home::{At, Home, Place};
use super::{MODEL, everything, seen, seq};
use crate::harness;

const OBJECTS: u64 = 12;

pub(super) fn trials(place: &Place) -> Vec<Trial> {
    let place = place.clone();
    let name = format!("records::{place}::a_question_reads_only_the_partitions_that_it_must");
    vec![Trial::test(name, move || harness::on_runtime(only_what_it_must(place)))]
}

/// Table, then label where it is one of `by_label`'s, slot and shard; of `by_object` the key.
type Partition = (String, Vec<String>);

async fn only_what_it_must(place: Place) -> Result<(), Failed> {
    let home = place.fresh().await?;
    let layout = place.layout();
    let width = i64::from(layout.slot_hours) * 3_600_000;
    // Ten slots, of which the fifth is empty, with more objects than shards in each.
    let slots: Vec<i64> = (0..10).filter(|slot| *slot != 5).map(|slot| slot * width).collect();
    let mut rows = Vec::new();
    for (slot, number) in slots.iter().flat_map(|slot| (0..OBJECTS).map(move |number| (slot, number))) {
        let mut row = seen(&format!("{number}"), &seq(number), slot + number as i64, &slot.to_string());
        row.label = Some(if *slot == 0 && number == 0 { "9" } else { "7" }.to_owned());
        rows.push(row);
    }
    home.write_all(&rows).await;
    let shards: BTreeSet<i32> = (0..OBJECTS).map(|number| shard(&number.to_string(), layout.shards)).collect();
    assert_eq!(shards.len(), usize::try_from(layout.shards)?, "every shard has an object");

    let log = |table: &str, label: Option<&str>, slots: &[i64]| -> BTreeSet<Partition> {
        let places = slots.iter().flat_map(|slot| shards.iter().map(move |shard| (*slot, *shard)));
        let label = label.map(|label| format!("'{label}'"));
        let of = |(slot, shard): (i64, i32)| {
            let slot = format!("'{}'", Timestamp(slot));
            (table.to_owned(), label.clone().into_iter().chain([slot, shard.to_string()]).collect())
        };
        places.map(of).collect()
    };
    let newest_first: Vec<i64> = slots.iter().rev().copied().collect();
    let page = Listing { limit: 5, ..everything(MODEL) };
    let labelled = |label: &str, listing: &Listing| Listing { label: Some(label.into()), ..listing.clone() };

    // A page that the newest slot has is read from it alone.
    let asked = Asked::of(&home);
    assert_eq!(home.records.list(&page).await?.records.len(), 5);
    assert_eq!(asked.partitions().await?, log("by_time", None, &newest_first[..1]));
    assert_eq!(home.records.list(&labelled("7", &page)).await?.records.len(), 5);
    assert_eq!(asked.partitions().await?, log("by_label", Some("7"), &newest_first[..1]));

    // Where it goes on and where it ends are not passed.
    let middle = Listing { until: Some(Timestamp(7 * width)), since: Some(Timestamp(3 * width)), ..page.clone() };
    assert_eq!(home.listed(middle.clone()).await.len(), 3 * OBJECTS as usize);
    assert_eq!(asked.partitions().await?, log("by_time", None, &[3 * width, 4 * width, 6 * width]));
    assert_eq!(home.listed(labelled("7", &middle)).await.len(), 3 * OBJECTS as usize);
    assert_eq!(asked.partitions().await?, log("by_label", Some("7"), &[3 * width, 4 * width, 6 * width]));
    let nothing = Listing { since: Some(Timestamp(20 * width)), ..page.clone() };
    assert_eq!(home.listed(nothing).await, []);
    assert_eq!(asked.partitions().await?, BTreeSet::new());

    // What is rare is looked for in each slot, and in no other label or table.
    assert_eq!(home.listed(labelled("9", &page)).await.len(), 1);
    assert_eq!(asked.partitions().await?, log("by_label", Some("9"), &slots));
    assert_eq!(home.listed(Listing { seen: false, ..page.clone() }).await.len(), rows.len());
    assert_eq!(asked.partitions().await?, log("by_time", None, &slots));

    // An object's rows are one partition.
    let object = BTreeSet::from([("by_object".to_owned(), vec!["'3'".to_owned()])]);
    assert!(
        records::is_current(&*home.records, rows.iter().rfind(|row| row.key == "3").ok_or("no row")?, MODEL).await?
    );
    assert_eq!(asked.partitions().await?, object);
    home.write_all([&Record::correction(&rows[3], Some("1"), Timestamp(0))]).await;
    assert_eq!((home.history("3").await.len(), home.listed(everything(HUMAN)).await.len()), (slots.len() + 1, 1));
    let read = asked.partitions().await?;
    assert!(read.is_superset(&object) && read.iter().all(|(table, _)| table == "by_object" || table == "by_time"));
    drop(asked);
    home.end().await
}

fn shard(key: &str, shards: i32) -> i32 {
    let hash = object_hash("pictures", key);
    i32::from(u16::from_be_bytes([hash[14], hash[15]])) % shards
}

/// What was asked of Cassandra by this thread, since it was made or last told.
struct Asked<'a> {
    traced: Traced,
    session: &'a Session,
    keyspace: &'a str,
    _subscribed: tracing::subscriber::DefaultGuard,
}

impl<'a> Asked<'a> {
    fn of(home: &'a Home) -> Asked<'a> {
        let At::Cassandra { session, config } = &home.at else { panic!("only Cassandra has partitions") };
        let traced = Traced::default();
        let subscribed = tracing::subscriber::set_default(Registry::default().with(traced.clone()));
        Asked { traced, session, keyspace: &config.keyspace, _subscribed: subscribed }
    }

    /// Of the three tables of records; one that was read twice is there once.
    async fn partitions(&self) -> Result<BTreeSet<Partition>, Failed> {
        let mut read = BTreeSet::new();
        let traced = std::mem::take(&mut *self.traced.0.lock().unwrap_or_else(PoisonError::into_inner));
        assert!(!traced.is_empty(), "nothing was asked");
        for id in traced {
            let info = self.info(id).await?;
            let activities: Vec<&str> = info.events.iter().filter_map(|event| event.activity.as_deref()).collect();
            let scan = ["seq scan", "range", "Range"].iter().any(|word| activities.iter().any(|it| it.contains(word)));
            assert!(!scan, "{activities:?}");
            let parameters = info.parameters.ok_or("no parameters were traced")?;
            let value = |name: &str| {
                let of_name = |bound: &&String| bound.starts_with("bound_var_") && bound.ends_with(name);
                parameters.keys().find(of_name).map(|bound| parameters[bound].clone())
            };
            let query = &parameters["query"];
            let from = query.split_once(&format!("FROM {}.", self.keyspace)).ok_or("another keyspace")?.1;
            let table = from.split(' ').next().unwrap_or_default();
            let columns: &[&str] = match table {
                "by_object" => &["_key"],
                "by_time" | "by_label" => &["_listed_as", "_slot", "_shard"],
                _ => continue,
            };
            let one = format!("Executing single-partition query on {table}");
            assert_eq!(activities.iter().filter(|activity| **activity == one).count(), 1, "{query}: {activities:?}");
            read.insert((table.to_owned(), columns.iter().filter_map(|column| value(column)).collect()));
        }
        Ok(read)
    }

    /// A trace is written after the answer.
    async fn info(&self, id: CqlTimeuuid) -> Result<TracingInfo, Failed> {
        let deadline = harness::deadline();
        loop {
            match self.session.get_tracing_info(id.as_ref()).await {
                Ok(info) if info.duration.is_some() => return Ok(info),
                _ if std::time::Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(20)).await,
                other => return Err(format!("no trace {id:?}: {other:?}").into()),
            }
        }
    }
}

/// The `tracing_id`s that the library logs.
#[derive(Clone, Default)]
struct Traced(Arc<Mutex<Vec<CqlTimeuuid>>>);

impl<S: Subscriber> Layer<S> for Traced {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.target().starts_with("spotter::records")
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        event.record(&mut self.clone());
    }
}

impl Visit for Traced {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "tracing_id"
            && let Ok(id) = CqlTimeuuid::from_str(&format!("{value:?}"))
        {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        }
    }
}
