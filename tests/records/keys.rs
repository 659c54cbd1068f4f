//! Keys of any byte, from an event in any envelope to the rows of every home.

use std::collections::BTreeSet;
use std::sync::Arc;

use spotter::local::{Credentials, client};
use spotter::pipeline::{After, Outcome};
use spotter::records;

use super::{Home, MODEL, everything};
use crate::cloud;
use crate::harness::deadline;
use crate::hostile::keys::{keys, removal, shapes};

pub(super) async fn keys_of_events_come_back(home: Arc<Home>) {
    // Removals: no bucket is asked.
    let nobody = client("http://127.0.0.1:1", &Credentials::random().unwrap());
    let function = cloud::function(nobody, home.records.clone(), After::default()).unwrap();
    let (keys, shapes) = (keys(), shapes().collect::<Vec<_>>());
    for (number, key) in keys.iter().enumerate() {
        let event = removal(key, number, shapes[number % shapes.len()]);
        let answer = function.answer(&event, deadline()).await;
        assert!(matches!(answer.objects[0].1.outcome, Outcome::Recorded(_)), "{key:?}: {:?}", answer.objects);
    }
    for key in &keys {
        let row = records::get(&*home.records, "demo", key, MODEL).await.unwrap();
        assert_eq!(row.map(|row| row.key).as_ref(), Some(key));
    }
    let listed: BTreeSet<String> = home.listed(everything("")).await.into_iter().map(|row| row.key).collect();
    assert_eq!(listed, keys.into_iter().collect());
    // In the database's own words.
    assert!(home.dump("demo").await.len() >= listed.len());
}
