//! What is measured: as CloudWatch gets it of the function, as Prometheus reads it of `serve` and `worker`, and as
//! documents, dashboards and alarms name it.

use libtest_mimic::Trial;

use crate::harness::{localstack, needs, on_runtime};

mod defined;
pub mod emf;
mod openmetrics;
mod prometheus;
pub mod watched;

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("metrics::cloudwatch_is_told_of_everything_in_one_line", || on_runtime(emf::everything())),
        Trial::test("metrics::cloudwatchs_limits_hold", || on_runtime(emf::limits())),
        Trial::test("metrics::prometheus_reads_serve", || on_runtime(prometheus::serve())),
        Trial::test("metrics::prometheus_needs_the_pages_token", || on_runtime(prometheus::serve_with_a_token())),
        Trial::test("metrics::prometheus_reads_a_worker", || on_runtime(prometheus::worker())),
        needs("metrics::prometheus_reads_what_became_of_a_queues_messages", localstack::endpoint(), |at| {
            on_runtime(async move { prometheus::messages(at.get()?).await })
        }),
        Trial::test("metrics::labels_have_a_bound", || on_runtime(prometheus::limits())),
        Trial::test("metrics::the_document_has_what_there_is", defined::document),
        Trial::test("metrics::grafana_names_what_there_is", defined::grafana),
        Trial::test("metrics::alarms_and_dashboard_name_what_there_is", defined::template),
    ]
}
