//! For CloudWatch: one line an invocation, from which CloudWatch Logs makes metrics.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
//!
//! A line has each dimension's value once, so what a metric is counted by ends its name (`spotter.objects.recorded`)
//! and is no dimension. What did not happen is not in it: missing data is none, and costs nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Map, Value, json};

use super::measure::measure;
use super::{COLD_STARTS, Kind, Labels, Metric, Unit};
use crate::event::Timestamp;
use crate::function::Answer;

pub const NAMESPACE: &str = "Spotter";
/// As Lambda's own metrics have it, so that both stand in one chart; OpenTelemetry says `faas.name`.
pub const DIMENSION: &str = "FunctionName";
/// Numbers of one metric in a line.
const MOST_VALUES: usize = 100;
/// Of a label in a metric's name, which may have 255 characters.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html>
const LONGEST_VALUE: usize = 100;

/// What a sandbox tells of its invocations.
pub struct Emf {
    model: String,
    labels: Labels,
    is_cold: AtomicBool,
}

impl Emf {
    /// Of a model's `name/version` and its labels.
    pub fn new(model: String, labels: &[String]) -> Emf {
        Emf { model, labels: Labels::of(labels), is_cold: AtomicBool::new(true) }
    }

    /// The line of one invocation of the function, without its end; `None` where there is nothing to tell.
    pub fn line(&self, function: &str, answer: &Answer, now: Timestamp) -> Option<String> {
        let mut values: BTreeMap<String, (&Metric, Vec<f64>)> = BTreeMap::new();
        let mut tell = |metric: &'static Metric, value: &str, number: f64| {
            let (_, numbers) = values.entry(metric.cloudwatch_name(value)).or_insert((metric, Vec::new()));
            match (metric.kind, numbers.last_mut()) {
                (Kind::Counter, Some(sum)) => *sum += number,
                _ => numbers.push((number * 1e6).round() / 1e6),
            }
        };
        measure(answer, &self.labels, &mut tell);
        if self.is_cold.swap(false, Ordering::Relaxed) {
            tell(&COLD_STARTS, "", 1.0);
        }
        if values.is_empty() {
            return None;
        }
        let definition = |(name, (metric, _)): (&String, &(&Metric, _))| json!({ "Name": name, "Unit": unit(metric) });
        let definitions: Vec<Value> = values.iter().map(definition).collect();
        let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": definitions });
        let mut line = Map::new();
        line.insert("_aws".into(), json!({ "Timestamp": now.0, "CloudWatchMetrics": [directive] }));
        line.insert(DIMENSION.into(), plain(function).into());
        line.insert("spotter.model".into(), self.model.as_str().into());
        line.extend(values.into_iter().map(|(name, (metric, numbers))| match metric.kind {
            Kind::Histogram(_) => (name, json!(thinned(numbers))),
            Kind::Counter | Kind::Gauge => (name, json!(numbers.first())),
        }));
        Some(Value::Object(line).to_string())
    }
}

fn unit(metric: &Metric) -> &'static str {
    match metric.unit {
        Unit::Seconds => "Seconds",
        Unit::One => "None",
        Unit::Of(_) => "Count",
    }
}

/// Of more than fit, those that keep least, greatest and percentiles; their number is the counters' to tell. SQS brings
/// ten messages at once, so it takes an event that somebody wrote.
fn thinned(mut numbers: Vec<f64>) -> Vec<f64> {
    if numbers.len() <= MOST_VALUES {
        return numbers;
    }
    numbers.sort_by(f64::total_cmp);
    let last = numbers.len() - 1;
    (0..MOST_VALUES).map(|at| numbers[at * last / (MOST_VALUES - 1)]).collect()
}

/// CloudWatch's names are ASCII, without control characters.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        let shown = if c.is_ascii_graphic() || c == ' ' { c.to_string() } else { c.escape_unicode().to_string() };
        if plain.len() + shown.len() > LONGEST_VALUE {
            break;
        }
        plain.push_str(&shown);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_ascii_and_bounded() {
        assert_eq!(plain("hot dog, hotdog"), "hot dog, hotdog");
        assert_eq!(plain("七\n\u{1b}"), r"\u{4e03}\u{a}\u{1b}");
        assert_eq!(plain(&"é".repeat(1_000)).len(), 16 * r"\u{e9}".len());
    }

    #[test]
    fn a_hundred_of_many_keep_their_ends_and_percentiles() {
        let few: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(thinned(few.clone()), few);
        let many = thinned((0..10_000).rev().map(f64::from).collect());
        assert_eq!((many.len(), many[0], many[99]), (100, 0.0, 9_999.0));
        assert!((4_900.0..5_100.0).contains(&many[50]), "{}", many[50]);
    }
}
