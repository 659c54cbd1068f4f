//! Whose answers are shown where nobody names a model: one row, which every session of a home reads anew.

use std::sync::Arc;

use spotter::ask;

use super::home::Home;
use super::{MODEL, seen, seq};

const OTHER: &str = "other/1";

pub(super) async fn the_served_model_is_one_row_that_everybody_follows(home: Arc<Home>) {
    let row = seen("a", &seq(1), 1, "");
    home.write_all([&row]).await;
    let before = home.dump("pictures").await;
    let elsewhere = home.again();
    assert_eq!(elsewhere.served().await.unwrap(), None, "nobody said so");
    assert_eq!(ask::served(&*elsewhere, MODEL).await.unwrap(), MODEL, "each has its own");
    for served in [Some(OTHER), Some(MODEL), Some(OTHER), None, Some(OTHER), Some(OTHER)] {
        home.records.serve(served).await.unwrap();
        for session in [&home.records, &elsewhere, &home.again()] {
            assert_eq!(session.served().await.unwrap().as_deref(), served);
            assert_eq!(ask::served(&**session, MODEL).await.unwrap(), served.unwrap_or(MODEL));
        }
    }
    assert_eq!(home.dump("pictures").await, before, "no record changes");
    home.records.available().await.unwrap();
}
