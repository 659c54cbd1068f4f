//! What people say of pictures, on every home: rows beside the models', which change no model's answer.

use std::collections::BTreeSet;
use std::slice;
use std::sync::Arc;

use spotter::ask::{self, By};
use spotter::event::Timestamp;
use spotter::record::{HUMAN, Record, Status};
use spotter::records::{self, Listing};

use super::home::Home;
use super::{MODEL, everything, gone, seen, seq};
use crate::harness;

const NOON: i64 = 1_795_226_584_567;

fn correction(of: &Record, label: Option<&str>, at: i64) -> Record {
    Record::correction(of, label, Timestamp(at))
}

impl Home {
    async fn corrected(&self, of: &Record) -> Option<String> {
        records::correction_of(self.history(&of.key).await, &of.order).and_then(|row| row.label)
    }

    /// Key and version of the sightings that people left; each stands once.
    async fn corrections(&self, listing: Listing) -> Vec<(String, String)> {
        let rows = self.listed(listing).await;
        assert!(rows.iter().all(|row| row.model == HUMAN && row.is_correction()));
        let versions: Vec<_> = rows.into_iter().map(|row| (row.key, row.order.version)).collect();
        assert_eq!(versions.iter().collect::<BTreeSet<_>>().len(), versions.len(), "{versions:?}");
        versions
    }
}

pub(super) async fn a_correction_stands_beside_the_models(home: Arc<Home>) {
    let row = seen("a", &seq(1), 5, "v1");
    // A model whose name comes after "human".
    let other = Record { model: "letters/1".into(), ..row.clone() };
    let corrected = correction(&row, Some("1"), NOON);
    home.write_all([&corrected, &row, &other]).await;

    assert_eq!(home.history("a").await, [row.clone(), corrected.clone(), other.clone()]);
    assert_eq!(home.current("a").await, Some(row.clone()));
    assert!(records::is_current(&*home.records, &row, MODEL).await.unwrap());
    for (model, is) in [(MODEL, &row), ("letters/1", &other)] {
        assert_eq!(home.listed(everything(model)).await, slice::from_ref(is));
    }
    let stats = ask::stats(&*home.records, MODEL, None, None, By::Day).await.unwrap();
    assert_eq!((stats.rows, stats.by_label.get("1")), (1, None));

    let sighting = Record { model: HUMAN.into(), ..corrected.clone() };
    assert_eq!(home.listed(everything(HUMAN)).await, slice::from_ref(&sighting));
    let ones = Listing { label: Some("1".into()), ..everything(HUMAN) };
    assert_eq!(home.listed(ones).await, [sighting]);
    assert_eq!(home.corrected(&row).await, Some("1".into()));
}

/// What a model never saw has no answer, whatever people say of it.
pub(super) async fn a_correction_alone_answers_for_no_model(home: Arc<Home>) {
    let (row, newer) = (seen("a", &seq(1), 5, "v1"), seen("a", &seq(2), 6, "v2"));
    home.write_all([&row, &correction(&newer, Some("1"), NOON)]).await;
    assert_eq!(home.current("a").await, Some(row.clone()));
    assert_eq!(records::newest(&*home.records, "pictures", "a").await.unwrap(), Some(row.clone()));
    assert_eq!(records::of_version(&*home.records, "pictures", "a", "v2").await.unwrap(), None);

    let removal = gone(Status::VersionRemoved, "a", &seq(3), 7, "v2");
    home.write_all([&removal]).await;
    assert_eq!(records::newest(&*home.records, "pictures", "a").await.unwrap(), Some(row));
}

pub(super) async fn the_later_correction_holds_whichever_came_first(home: Arc<Home>) {
    for (key, order) in [("there", [0, 1]), ("back", [1, 0])] {
        let row = seen(key, &seq(1), 5, "v1");
        let said = [correction(&row, Some("1"), NOON), correction(&row, Some("3"), NOON + 1)];
        home.write_all([&row]).await;
        for which in order {
            home.write_all([&said[which]]).await;
        }
        assert_eq!(home.corrected(&row).await, Some("3".into()), "{key}");
        assert_eq!(home.history(key).await.len(), 3);
    }
    assert_eq!(home.corrections(everything(HUMAN)).await.len(), 2);
    for label in ["1", "3"] {
        let listing = Listing { label: Some(label.into()), limit: 1, ..everything(HUMAN) };
        assert_eq!(home.corrections(listing).await.len(), 2, "{label}");
    }
}

pub(super) async fn a_correction_is_undone_and_given_again(home: Arc<Home>) {
    let row = seen("a", &seq(1), 5, "v1");
    let undone = correction(&row, None, NOON + 1);
    home.write_all([&row, &undone]).await;
    assert_eq!(home.corrected(&row).await, None);
    home.write_all([&correction(&row, Some("1"), NOON)]).await;
    assert_eq!(home.corrected(&row).await, None, "what was undone does not come back when it comes late");
    home.write_all([&correction(&row, Some("3"), NOON + 2)]).await;
    assert_eq!(home.corrected(&row).await, Some("3".into()));
    assert!(home.history("a").await.contains(&undone));
    assert_eq!(home.current("a").await, Some(row));
}

pub(super) async fn a_correction_is_of_one_version(home: Arc<Home>) {
    let (row, next) = (seen("a", &seq(1), 5, "v1"), seen("a", &seq(2), 6, "v2"));
    home.write_all([&row, &correction(&row, Some("1"), NOON), &next]).await;
    assert_eq!(home.current("a").await, Some(next.clone()));
    assert_eq!(home.corrected(&next).await, None);
    assert_eq!(home.corrected(&row).await, Some("1".into()));
    assert_eq!(home.corrections(everything(HUMAN)).await, [("a".to_owned(), "v1".to_owned())]);
}

pub(super) async fn a_correction_outlives_the_models_next_write(home: Arc<Home>) {
    let row = seen("a", &seq(1), 5, "v1");
    home.write_all([&row]).await;
    home.write_all([&correction(&row, Some("1"), NOON)]).await;
    let before = home.dump("pictures").await;
    home.write_all([&row]).await;
    assert_eq!(home.dump("pictures").await, before);
    assert_eq!(home.corrected(&row).await, Some("1".into()));
}

/// However a listing is cut into pages, each corrected version stands in it once, and none is lost.
pub(super) async fn many_corrections_of_one_version_are_one_sighting(home: Arc<Home>) {
    let mut expected = BTreeSet::new();
    for (key, times) in [("a", 1), ("b", 7), ("c", 1), ("d", 12), ("e", 3)] {
        let row = seen(key, "", 5, key);
        let said: Vec<Record> = (0..times).map(|at| correction(&row, Some("1"), NOON + at)).collect();
        home.write_all(&said).await;
        expected.insert((key.to_owned(), key.to_owned()));
    }
    for limit in [1, 2, 5, 100] {
        for label in [None, Some("1".to_owned())] {
            let listing = Listing { limit, label, ..everything(HUMAN) };
            assert_eq!(home.corrections(listing).await.into_iter().collect::<BTreeSet<_>>(), expected, "{limit}");
        }
    }
}

pub(super) async fn corrections_are_purged_with_their_object(home: Arc<Home>) {
    let (row, other) = (seen("a", &seq(1), 5, "v1"), seen("b", &seq(1), 5, "v1"));
    let said = [correction(&row, Some("1"), NOON), correction(&row, Some("3"), NOON + 1), correction(&row, None, 1)];
    let kept = correction(&other, Some("1"), NOON);
    home.write_all([&row, &other, &kept].into_iter().chain(&said)).await;
    assert_eq!(home.records.purge("pictures", "a").await.unwrap(), 4);
    assert_eq!(home.history("a").await, []);
    assert_eq!(home.corrections(everything(HUMAN)).await, [("b".to_owned(), "v1".to_owned())]);
    for (label, left) in [("1", 1), ("3", 0), ("unsure", 0)] {
        let listing = Listing { label: Some(label.into()), ..everything(HUMAN) };
        assert_eq!(home.corrections(listing).await.len(), left, "{label}");
    }
    let left = home.dump("pictures").await;
    assert!(left.iter().all(|row| !row.contains("\"key\": \"a\"") && !row.contains("Text(\"a\")")), "{left:#?}");
}

pub(super) async fn a_listing_without_pictures_has_all_else(home: Arc<Home>) {
    let rows = [seen("a", &seq(1), 5, "v1"), seen("b", &seq(2), 6, "v1")];
    home.write_all(&rows).await;
    let unseen = rows.clone().map(|row| Record { seen: Vec::new(), ..row });
    for label in [None, Some("7".to_owned())] {
        let listing = Listing { label, limit: 1, ..everything(MODEL) };
        assert_eq!(home.listed(listing.clone()).await, [rows[1].clone(), rows[0].clone()]);
        let listed = home.listed(Listing { seen: false, ..listing }).await;
        assert_eq!(listed, [unseen[1].clone(), unseen[0].clone()]);
    }
    for row in &unseen {
        assert!(records::is_current(&*home.records, row, MODEL).await.unwrap());
    }
    // A correction keeps the picture, whatever it was made of.
    home.records.write(&correction(&rows[0], Some("1"), NOON), harness::deadline()).await.unwrap();
    assert_eq!(home.listed(everything(HUMAN)).await[0].seen, rows[0].seen);
}
