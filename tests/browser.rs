//! The page of `spotter serve` in a real browser: what people do, and what they see then.
//!
//! Each trial has a `serve` with an empty folder and a browser with an empty profile of its own. Whatever a trial is
//! about, it fails too if the console has an error, a request left the two origins, or a dialog of the browser opened.

mod access;
mod bench;
mod draw;
mod files;
mod gallery;
mod review;
mod shots;

use futures_util::future::LocalBoxFuture;
use libtest_mimic::{Failed, Trial};

use crate::harness::browser::{Driver, axe, driver};
use crate::harness::{Part, needs};
use bench::Bench;

type Tried<'a> = LocalBoxFuture<'a, Result<(), Failed>>;
type Test = fn(&mut Bench) -> Tried<'_>;

macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => {
        [$((stringify!($name), (|bench: &mut Bench| Box::pin($module::$name(bench)) as Tried<'_>) as Test)),*]
    };
}

pub fn trials() -> Vec<Trial> {
    let tests = tests![
        draw::a_3_by_mouse_is_a_3_in_gallery_and_journey,
        draw::a_3_by_touch_is_a_3_on_a_phone,
        draw::a_3_by_pen_is_a_3,
        files::of_20_files_2_are_broken,
        files::dropped_and_pasted_files_go_the_same_way,
        files::a_key_is_never_html,
        files::a_file_that_is_too_large_is_refused_before_it_is_sent,
        gallery::filters_live_in_the_address,
        gallery::what_others_upload_comes_without_a_reload,
        gallery::an_empty_page_offers_the_samples,
        gallery::an_object_has_its_history,
        gallery::what_came_in_is_counted_and_named,
        gallery::the_end_of_20_000_rows_is_reached,
        review::a_key_corrects_and_stats_know,
        review::the_dialog_corrects_and_undoes,
        access::nothing_is_wider_than_a_small_phone,
        access::a_keyboard_is_enough,
        access::a_lost_connection_is_said_and_found_again,
        access::seven_tabs_are_as_good_as_one,
        access::records_are_seen_at_once_on_a_phone,
        access::the_page_is_light,
    ];
    let rules = axe().and_then(|rules| Ok((driver()?, rules)));
    let mut trials: Vec<Trial> = tests.into_iter().map(|(name, test)| trial(name, test)).collect();
    trials.push(trial("the_screenshots_of_the_readme", |bench| Box::pin(shots::the_readme(bench))));
    trials.push(needs("browser::axe_finds_nothing_serious", rules, |(driver, rules)| {
        bench::on(driver, |bench| Box::pin(access::axe_finds_nothing_serious(bench, rules)))
    }));
    trials
}

fn trial(name: &str, test: Test) -> Trial {
    needs(&format!("browser::{name}"), driver(), move |driver: Part<Driver>| bench::on(driver, test))
}
