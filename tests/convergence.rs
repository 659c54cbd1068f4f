//! Whatever the order in which notifications arrive, and however often: the same tables, the same answers.

use std::collections::BTreeMap;

use libtest_mimic::{Failed, Trial};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use spotter::local::Notification;
use spotter::record::{Record, Status};
use spotter::records::{self, Records};

use crate::cloud::{BUCKET, Cloud, sample};
use crate::harness::on_runtime;

const MODEL: &str = "digits/2";
const KEYS: [&str; 3] = ["a.png", "a", "b c+%.png"];
/// Pictures with different answers, and one that is none.
const CONTENTS: [&str; 3] = ["1.png", "8.bmp", "notes.png"];
const CASES: u32 = 12;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("convergence::a_still_bucket_gives_the_same_tables_in_any_order", || property(tables_are_the_same)),
        Trial::test("convergence::a_busy_bucket_gives_the_same_answers_in_any_order", || {
            property(answers_are_the_same)
        }),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    Put { key: usize, content: usize },
    Delete { key: usize },
}

#[derive(Debug, Clone)]
struct Case {
    versioned: bool,
    steps: Vec<Step>,
    /// Sort keys of the deliveries, and which come twice.
    order: Vec<(u32, bool)>,
}

fn property(check: fn(&Case) -> Result<(), Failed>) -> Result<(), Failed> {
    let step = prop_oneof![
        3 => (0..KEYS.len(), 0..CONTENTS.len()).prop_map(|(key, content)| Step::Put { key, content }),
        1 => (0..KEYS.len()).prop_map(|key| Step::Delete { key }),
    ];
    let case =
        (any::<bool>(), prop::collection::vec((step, any::<(u32, bool)>()), 1..10)).prop_map(|(versioned, steps)| {
            let (steps, order) = steps.into_iter().unzip();
            Case { versioned, steps, order }
        });
    // Seeds that fail are printed; they are not kept in a file beside the source.
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let checked = |case: Case| check(&case).map_err(|failed| TestCaseError::fail(format!("{failed:?}")));
    TestRunner::new(config).run(&case, checked).map_err(|error| error.to_string().into())
}

/// All changes happen first, so every delivery finds the same bucket.
fn tables_are_the_same(case: &Case) -> Result<(), Failed> {
    on_runtime(async {
        let mut cloud = bucket(case).await?;
        for step in &case.steps {
            change(&cloud, step).await?;
        }
        let notifications = cloud.notifications()?;
        deliver(&cloud, notifications.iter()).await?;
        let in_order = rows(&*cloud.records).await?;
        cloud.records_anew("shuffled.sqlite")?;
        deliver(&cloud, shuffled(&notifications, &case.order)).await?;
        if rows(&*cloud.records).await? == in_order { Ok(()) } else { Err("the tables differ".into()) }
    })
}

/// Deliveries come between the changes, late and twice; at the end every notification has come at least once.
fn answers_are_the_same(case: &Case) -> Result<(), Failed> {
    on_runtime(async {
        let cloud = bucket(case).await?;
        let (mut now, mut late) = (BTreeMap::new(), Vec::new());
        for (step, (_, early)) in case.steps.iter().zip(&case.order) {
            change(&cloud, step).await?;
            match step {
                Step::Put { key, content } => now.insert(*key, Some(*content)),
                // A delete of what never was is announced only as a marker.
                Step::Delete { key } if !case.versioned && !now.contains_key(key) => None,
                Step::Delete { key } => now.insert(*key, None),
            };
            let notifications = cloud.notifications()?;
            if *early {
                deliver(&cloud, notifications.iter()).await?;
            }
            late.extend(notifications);
        }
        deliver(&cloud, shuffled(&late, &case.order)).await?;
        for (key, content) in now {
            let answer = records::get(&*cloud.records, BUCKET, KEYS[key], MODEL).await?;
            let told = answer.map(|record| (record.status, record.label));
            let expected = match content.map(|content| CONTENTS[content]) {
                Some("1.png") => Some((Status::Classified, Some("1".to_owned()))),
                Some("8.bmp") => Some((Status::Classified, Some("8".to_owned()))),
                Some(_) => Some((Status::Rejected, None)),
                None => Some((Status::Deleted, None)),
            };
            if told != expected {
                return Err(format!("{}: {told:?} instead of {expected:?}", KEYS[key]).into());
            }
        }
        Ok(())
    })
}

async fn bucket(case: &Case) -> Result<Cloud, Failed> {
    let cloud = Cloud::start().await?;
    if case.versioned {
        cloud.keep_versions().await?;
    }
    Ok(cloud)
}

async fn change(cloud: &Cloud, step: &Step) -> Result<(), Failed> {
    match step {
        Step::Put { key, content } => cloud.put(KEYS[*key], &sample(CONTENTS[*content])?).await?,
        Step::Delete { key } => {
            cloud.s3.delete_object().bucket(BUCKET).key(KEYS[*key]).send().await?;
        }
    }
    Ok(())
}

fn shuffled<'a>(notifications: &'a [Notification], order: &[(u32, bool)]) -> impl Iterator<Item = &'a Notification> {
    let mut deliveries: Vec<(u32, &Notification)> = Vec::new();
    for (notification, (rank, twice)) in notifications.iter().zip(order.iter().cycle()) {
        deliveries.push((*rank, notification));
        if *twice {
            deliveries.push((rank.wrapping_mul(2_654_435_761), notification));
        }
    }
    deliveries.sort_by_key(|(rank, _)| *rank);
    deliveries.into_iter().map(|(_, notification)| notification)
}

async fn deliver<'a>(cloud: &Cloud, notifications: impl Iterator<Item = &'a Notification>) -> Result<(), Failed> {
    for notification in notifications {
        cloud.answer(&notification.body).await?.body?;
    }
    Ok(())
}

/// Every row of every key, newest first.
async fn rows(records: &dyn Records) -> Result<Vec<Record>, Failed> {
    let mut all = Vec::new();
    for key in KEYS {
        all.extend(records.rows(BUCKET, key, None).await?);
    }
    Ok(all)
}
