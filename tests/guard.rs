//! What `SECURITY.md` promises and no test of a single part shows: the whole binary, and strangers.

mod body_limits;
pub(crate) mod leaks;
mod listening;
mod slow;
mod traversal;

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use crate::cli::spotter;
use crate::harness::cassandra::secure_node;
use crate::harness::{needs, on_runtime};
use crate::serve::Served;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("guard::it_listens_on_this_machine_only", || on_runtime(listening::loopback())),
        Trial::test("guard::no_key_pair_is_known_before_it_is_made", || on_runtime(listening::key_pairs())),
        Trial::test("guard::a_name_that_leads_here_opens_nothing", || on_runtime(listening::rebound())),
        Trial::test("guard::every_route_has_a_limit_of_its_body", || on_runtime(body_limits::bodies())),
        Trial::test("guard::a_head_has_a_limit", || on_runtime(body_limits::heads())),
        Trial::test("guard::no_key_and_no_bucket_is_a_path", || on_runtime(traversal::keys())),
        Trial::test("guard::no_command_prints_a_secret", || on_runtime(leaks::commands())),
        needs("guard::no_secret_of_the_database_is_printed", secure_node(), |node| {
            on_runtime(leaks::database(node.get()?))
        }),
        // It waits for a minute.
        Trial::test("guard::whoever_drips_is_cut_off_at_each_port", || on_runtime(slow::drips()))
            .with_ignored_flag(true),
    ]
}

fn with_all_ports(home: &TempDir) -> Result<Served, Failed> {
    Served::by(spotter(home).args(["serve", "--port", "0", "--page-port", "0", "--webhook", "127.0.0.1:0"]))
}

/// Host and port of the bucket, of the page and of the webhook.
fn ports(served: &Served) -> Result<[&str; 3], Failed> {
    let hook = served.hook_url.as_deref().ok_or("no webhook")?;
    Ok([&served.s3_url, &served.page_url, hook].map(|url| url.split('/').nth(2).unwrap_or_default()))
}
