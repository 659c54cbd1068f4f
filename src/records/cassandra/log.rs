//! Reading the logs: the shards of a slot, merged in the order of time.

use std::collections::VecDeque;

use futures_util::future::try_join_all;
use scylla::response::PagingState;
use scylla::value::CqlTimestamp;

use super::session::Ready;
use crate::event::Timestamp;
use crate::record::Record;
use crate::records::{Cursor, End, Listing, RecordsError};

/// Rows in one answer, each of at most some 5 kB.
pub(super) const PAGE: i32 = 500;

/// A listing from `end` on.
pub(super) struct Logs<'a> {
    pub(super) ready: &'a Ready,
    pub(super) listing: &'a Listing,
    pub(super) end: End,
}

impl Logs<'_> {
    /// The newest `wanted` rows of a slot.
    pub(super) async fn slot(&self, slot: i64, wanted: usize) -> Result<Vec<Record>, RecordsError> {
        let count = self.ready.layout.shards;
        let page = rows_a_shard(wanted, count);
        let mut shards: Vec<Shard> = (0..count).map(Shard::new).collect();
        let mut rows = Vec::new();
        while rows.len() < wanted {
            let dry = shards.iter_mut().filter(|shard| shard.rows.is_empty());
            try_join_all(dry.map(|shard| self.read_on(slot, shard, page))).await?;
            let newest = shards.iter_mut().max_by(|one, other| one.newest().cmp(&other.newest()));
            let Some((_, row)) = newest.and_then(|shard| shard.rows.pop_front()) else { break };
            rows.push(row);
        }
        Ok(rows)
    }

    /// Until there is a row or no more of them.
    async fn read_on(&self, slot: i64, shard: &mut Shard, page: i32) -> Result<(), RecordsError> {
        let Logs { ready, listing, end } = self;
        let since = listing.since.unwrap_or(Timestamp(i64::MIN));
        let (model, slot) = (&listing.model, CqlTimestamp(slot));
        let (time, hash, seq, version) = (CqlTimestamp(end.event_time.0), &end.object_hash, &end.seq, &end.version);
        while shard.rows.is_empty()
            && let Some(from) = shard.from.take()
        {
            let since = CqlTimestamp(since.0);
            let (rows, next) = match &listing.label {
                None => {
                    let values = (model, slot, shard.number, time, hash, seq, version, since);
                    ready.statements.by_time.page(ready, listing.seen, page, values, from).await?
                }
                Some(label) => {
                    let values = (model, label, slot, shard.number, time, hash, seq, version, since);
                    ready.statements.by_label.page(ready, listing.seen, page, values, from).await?
                }
            };
            shard.rows.extend(rows.into_iter().map(|row| (Cursor::of(&row), row)));
            shard.from = next;
        }
        Ok(())
    }
}

/// One partition of a log, read a page at a time.
struct Shard {
    number: i32,
    /// Newest first.
    rows: VecDeque<(Cursor, Record)>,
    from: Option<PagingState>,
}

impl Shard {
    fn new(number: i32) -> Shard {
        Shard { number, rows: VecDeque::new(), from: Some(PagingState::start()) }
    }

    fn newest(&self) -> Option<&Cursor> {
        self.rows.front().map(|(place, _)| place)
    }
}

/// A shard's share of what is wanted, and three times its deviation, so that one answer mostly will do.
fn rows_a_shard(wanted: usize, shards: i32) -> i32 {
    let share = wanted as f64 / f64::from(shards);
    let spread = if shards == 1 { 0.0 } else { 3.0 * share.sqrt() };
    ((share + spread).ceil() as i32).clamp(1, PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_shards_are_not_read_in_vain() {
        for (wanted, shards, rows) in
            [(101, 1, 101), (101, 2, 72), (101, 64, 6), (1, 1024, 1), (0, 1, 1), (9_999, 3, PAGE)]
        {
            assert_eq!(rows_a_shard(wanted, shards), rows, "{wanted} of {shards}");
        }
    }
}
