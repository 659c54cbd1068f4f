//! A home of records with Cassandra's ways: a write is several statements, each of them on some of three replicas; of
//! two values of a row the later time stamp stands; reads ask two replicas and mend them. It passes the contract.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use spotter::event::Timestamp;
use spotter::record::{Order, Record};
use spotter::records::{Cursor, Listing, Page, Records, RecordsError};

use super::truth::brief;
use super::wire::{Fault, Flight, Stage, send};
use super::world::{Shared, World, lock};

const REPLICAS: usize = 3;
const DAY: i64 = 86_400_000;

/// Primary keys, in the order of their tables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Row {
    Object {
        bucket: String,
        key: String,
        place: Reverse<Clustering>,
        model: String,
    },
    /// `by_label`, or `by_time` where there is no label. No model of its own: two corrections are one sighting.
    Log {
        model: String,
        label: Option<String>,
        place: Reverse<Sighting>,
    },
    Slot(i64),
}

/// `seq`, `event_time`, `version`.
type Clustering = (String, i64, String);
/// `event_time`, `object_hash`, `seq`, `version`.
type Sighting = (i64, [u8; 16], String, String);

/// The later time stamp stands, of two equal ones the greater value.
type Cell = (i64, Option<Arc<Record>>);

#[derive(Default)]
pub struct Tables {
    replicas: [BTreeMap<Row, Cell>; REPLICAS],
    /// The records of writes that succeeded, as they are told.
    acknowledged: BTreeSet<String>,
    last_stamp: i64,
    /// The model that is served. Nothing of what is simulated switches it.
    served: Option<String>,
    /// Rows of an object's page; 0 is Cassandra's own 100.
    pub page: usize,
    /// How far clients' clocks are apart, in milliseconds.
    pub skew: i64,
}

/// A session.
#[derive(Clone)]
pub struct Home(pub Shared);

fn object_row(record: &Record) -> Row {
    let Record { bucket, key, order: Order { seq, event_time, version }, model, .. } = record.clone();
    Row::Object { bucket, key, place: Reverse((seq, event_time.0, version)), model }
}

fn sighting(cursor: &Cursor) -> Sighting {
    let Cursor { object_hash, order: Order { seq, event_time, version } } = cursor.clone();
    (event_time.0, object_hash, seq, version)
}

fn merge(cells: &mut BTreeMap<Row, Cell>, row: Row, cell: Cell) {
    let text = |cell: &Cell| format!("{:?}", cell.1);
    match cells.get(&row) {
        Some(old) if old.0 > cell.0 || (old.0 == cell.0 && text(old) >= text(&cell)) => {}
        _ => {
            cells.insert(row, cell);
        }
    }
}

impl Tables {
    /// What these replicas have of the rows that `of` names, which are next to each other from `from` on, merged.
    fn read(&mut self, from: &Row, of: impl Fn(&Row) -> bool, asked: [usize; 2]) -> Vec<(Row, Arc<Record>)> {
        let mut merged = BTreeMap::new();
        for replica in asked {
            for (row, cell) in self.replicas[replica].range(from..).take_while(|(row, _)| of(row)) {
                merge(&mut merged, row.clone(), cell.clone());
            }
        }
        for replica in asked {
            for (row, cell) in &merged {
                merge(&mut self.replicas[replica], row.clone(), cell.clone());
            }
        }
        merged.into_iter().filter_map(|(row, (_, record))| Some((row, record?))).collect()
    }

    /// Every row of an object, newest first, as every quorum would say in the end.
    pub fn of_object(&mut self, bucket: &str, key: &str) -> Vec<Record> {
        let (from, of) = partition(bucket, key);
        self.read(&from, of, [0, 1]);
        self.read(&from, of, [1, 2]).into_iter().map(|(_, record)| Record::clone(&record)).collect()
    }

    /// Every row of every table, for who compares them.
    pub fn dump(&self, bucket: &str) -> Vec<String> {
        let rows = self.replicas[0].iter().filter_map(|(row, (_, record))| Some((row, record.as_ref()?)));
        rows.filter(|(_, record)| record.bucket == bucket).map(|(row, record)| format!("{row:?} {record:?}")).collect()
    }

    /// Whether a write of this record, as it is told, has succeeded.
    pub fn is_acknowledged(&self, told: &str) -> bool {
        self.acknowledged.contains(told)
    }

    fn is_slot(&self, slot: i64, asked: [usize; 2]) -> bool {
        asked.into_iter().any(|replica| self.replicas[replica].contains_key(&Row::Slot(slot)))
    }

    fn purge(&mut self, bucket: &str, key: &str) -> u64 {
        let mut objects = BTreeSet::new();
        for replica in &mut self.replicas {
            replica.retain(|row, (_, record)| {
                let gone = record.as_ref().is_some_and(|record| record.bucket == bucket && record.key == key);
                if gone && let Row::Object { .. } = row {
                    objects.insert(row.clone());
                }
                !gone
            });
        }
        objects.len() as u64
    }
}

/// The first row that an object can have, and whether a row is one of its.
fn partition<'a>(bucket: &'a str, key: &'a str) -> (Row, impl Fn(&Row) -> bool + Copy + 'a) {
    let newest = Reverse((String::from(char::MAX), i64::MAX, String::new()));
    let from = Row::Object { bucket: bucket.into(), key: key.into(), place: newest, model: String::new() };
    let of = move |row: &Row| matches!(row, Row::Object { bucket: b, key: k, .. } if b == bucket && k == key);
    (from, of)
}

impl World {
    /// Two of the three.
    fn quorum(&mut self) -> [usize; 2] {
        let without = if self.calm { 2 } else { self.chance.usize(0..REPLICAS) };
        [(without + 1) % REPLICAS, (without + 2) % REPLICAS]
    }

    /// One statement. A success is on two replicas, and comes to the third later or never; a failure may be on any.
    fn insert(&mut self, row: Row, cell: Cell, fault: Fault) -> Result<(), RecordsError> {
        let mut on = [true; REPLICAS];
        match fault {
            Fault::None if self.calm || self.odds(60) => {}
            Fault::None => on[self.chance.usize(0..REPLICAS)] = false,
            Fault::Before => on = [false; REPLICAS],
            Fault::After => on = [self.chance.bool(), self.chance.bool(), self.chance.bool()],
        }
        if on.contains(&false) && self.chance.bool() {
            // A hint, or a coordinator that was slow: it is written later.
            let (id, row, cell) = (self.next_id(), row.clone(), cell.clone());
            let effect = move |world: &mut World, _| world.tables.write(&row, &cell, [true; REPLICAS]);
            self.flights.insert(id, Flight::late("late write".into(), Box::new(effect)));
        }
        self.tables.write(&row, &cell, on);
        match fault {
            Fault::None => Ok(()),
            Fault::Before | Fault::After => Err(RecordsError::Unavailable("the simulation says so".into())),
        }
    }
}

impl Tables {
    fn write(&mut self, row: &Row, cell: &Cell, on: [bool; REPLICAS]) {
        for (replica, _) in self.replicas.iter_mut().zip(on).filter(|(_, on)| *on) {
            merge(replica, row.clone(), cell.clone());
        }
    }
}

impl Home {
    async fn insert(&self, row: Row, record: Option<Arc<Record>>) -> Result<(), RecordsError> {
        let cell = {
            let world = &mut *lock(&self.0);
            world.tables.last_stamp += 1;
            let skew = if world.calm { 0 } else { world.task as i64 % 3 * world.tables.skew };
            ((world.clock + skew) * 1_000 + world.tables.last_stamp, record)
        };
        let table = match &row {
            Row::Object { .. } => "by_object",
            Row::Log { label: Some(_), .. } => "by_label",
            Row::Log { label: None, .. } => "by_time",
            Row::Slot(_) => "slots",
        };
        send(&self.0, || format!("INSERT {table}"), move |world, fault| world.insert(row, cell, fault)).await
    }

    /// The logs and the slot at once, the object's row last.
    async fn write_once(&self, record: &Record) -> Result<(), RecordsError> {
        let model = record.listed_model().to_owned();
        let listed = Arc::new(Record { model: model.clone(), ..record.clone() });
        let place = Reverse(sighting(&Cursor::of(record)));
        let labels = record.listed_under().into_iter().map(|label| Some(label.to_owned()));
        let logs = labels.chain([None]).map(|label| Row::Log { model: model.clone(), label, place: place.clone() });
        let logs = logs.map(|row| (row, Some(Arc::clone(&listed))));
        let slot = (Row::Slot(record.order.event_time.0.div_euclid(DAY)), None);
        try_join_all(logs.chain([slot]).map(|(row, record)| self.insert(row, record))).await?;
        self.insert(object_row(record), Some(Arc::new(record.clone()))).await
    }

    fn read<A: Send + 'static>(
        &self,
        what: &'static str,
        read: impl FnOnce(&mut World, [usize; 2]) -> A + Send + 'static,
    ) -> impl Future<Output = Result<A, RecordsError>> + Send {
        send(
            &self.0,
            || what.to_owned(),
            move |world, fault| match fault {
                Fault::None => {
                    let asked = world.quorum();
                    Ok(read(world, asked))
                }
                Fault::Before | Fault::After => Err(RecordsError::Unavailable("the simulation says so".into())),
            },
        )
    }
}

#[async_trait]
impl Records for Home {
    /// Tried again a few times, all statements of it.
    async fn write(&self, record: &Record, _: Instant) -> Result<(), RecordsError> {
        let mut tries = lock(&self.0).chance.u32(1..=3);
        lock(&self.0).check_purity(record);
        loop {
            tries -= 1;
            match self.write_once(record).await {
                Err(RecordsError::Unavailable(_)) if tries > 0 => {}
                Ok(()) => {
                    lock(&self.0).tables.acknowledged.insert(brief(record));
                    return Ok(());
                }
                failed => return failed,
            }
        }
    }

    async fn available(&self) -> Result<(), RecordsError> {
        self.read("SELECT", |_, _| ()).await
    }

    async fn rows(&self, bucket: &str, key: &str, after: Option<&Record>) -> Result<Vec<Record>, RecordsError> {
        let (bucket, key, after) = (bucket.to_owned(), key.to_owned(), after.map(object_row));
        let rows = self.read("SELECT by_object", move |world, asked| {
            let (first, of) = partition(&bucket, &key);
            let page = if world.tables.page == 0 { 100 } else { world.tables.page };
            let from = after.as_ref().unwrap_or(&first);
            let rows = world.tables.read(from, of, asked).into_iter();
            let rows = rows.skip_while(|(row, _)| Some(row) == after.as_ref()).take(page);
            rows.map(|(_, record)| Record::clone(&record)).collect()
        });
        rows.await
    }

    async fn list(&self, listing: &Listing) -> Result<Page, RecordsError> {
        let listing = listing.clone();
        self.read("SELECT log", move |world, asked| list(&mut world.tables, &listing, asked)).await
    }

    async fn served(&self) -> Result<Option<String>, RecordsError> {
        self.read("SELECT layout", |world, _| world.tables.served.clone()).await
    }

    async fn serve(&self, model: Option<&str>) -> Result<(), RecordsError> {
        let model = model.map(str::to_owned);
        self.read("INSERT layout", move |world, _| world.tables.served = model).await
    }

    async fn purge(&self, bucket: &str, key: &str) -> Result<u64, RecordsError> {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        self.read("DELETE", move |world, _| world.tables.purge(&bucket, &key)).await
    }
}

fn list(tables: &mut Tables, listing: &Listing, asked: [usize; 2]) -> Page {
    let Listing { model, label, since, until, limit, seen, after } = listing;
    let after = after.as_ref().map(sighting);
    let newest = (i64::MAX, [0xff; 16], String::from(char::MAX), String::new());
    let place = Reverse(after.clone().unwrap_or(newest));
    let from = Row::Log { model: model.clone(), label: label.clone(), place };
    let of = |row: &Row| matches!(row, Row::Log { model: m, label: l, .. } if m == model && l == label);
    let mut records = Vec::new();
    let limit = (*limit).max(1);
    for (row, record) in tables.read(&from, of, asked) {
        let Row::Log { place: Reverse(place), .. } = row else { continue };
        let time = Timestamp(place.0);
        let wanted = after.as_ref().is_none_or(|after| place < *after)
            && since.is_none_or(|since| time >= since)
            && until.is_none_or(|until| time < until)
            // A slot that nobody wrote down is not looked at.
            && tables.is_slot(time.0.div_euclid(DAY), asked);
        if wanted {
            let seen = if *seen { record.seen.clone() } else { Vec::new() };
            records.push(Record { seen, ..Record::clone(&record) });
        }
    }
    let more = records.len() > limit;
    records.truncate(limit);
    Page { next: records.last().filter(|_| more).map(Cursor::of), records }
}

impl World {
    /// The same row is always written with the same content.
    fn check_purity(&mut self, record: &Record) {
        if self.calm {
            return;
        }
        let row = object_row(record);
        let other = self.tables.replicas.iter().find_map(|replica| replica.get(&row)?.1.clone());
        if let Some(other) = other.filter(|other| **other != *record) {
            let (is, was) = (brief(record), brief(&other));
            self.broken.push(format!("a row is written with other content: {is} was {was}"));
        }
    }

    /// What is still on its way from nobody who waits arrives.
    pub fn land(&mut self) {
        while let Some(id) = self.flights.iter().find(|(_, flight)| !flight.awaited).map(|(id, _)| *id) {
            let Some(flight) = self.flights.remove(&id) else { break };
            if let Stage::Sent(effect) = flight.stage {
                effect(self, Fault::None);
            }
        }
    }
}
