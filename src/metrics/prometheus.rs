//! For Prometheus: what was measured since the process began, as text.

use std::collections::HashMap;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{self, Unit as Suffix};

use super::measure::measure;
use super::{ALL, Kind, Labels, Metric, Teller, Values, underscored};
use crate::function::Answer;

/// Of one process.
pub struct Registry {
    registry: registry::Registry,
    series: HashMap<&'static str, Series>,
    labels: Labels,
}

type Attributes = Vec<(String, String)>;

enum Series {
    Counter(Family<Attributes, Counter>),
    Gauge(Family<Attributes, Gauge>),
    Histogram(Family<Attributes, Histogram, Bounds>),
}

/// Of a histogram's buckets.
#[derive(Debug, Clone, Copy)]
struct Bounds(&'static [f64]);

impl MetricConstructor<Histogram> for Bounds {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

impl Registry {
    /// Of a model's `name/version` and its labels.
    pub fn new(teller: Teller, model: String, labels: &[String]) -> Registry {
        let mut registry = registry::Registry::default();
        // OpenTelemetry's attributes of what is measured, as its translation to Prometheus has them.
        let about = [
            ("service_name", "spotter".to_owned()),
            ("service_version", env!("CARGO_PKG_VERSION").to_owned()),
            ("spotter_model", model),
        ];
        registry.register("target", "Target metadata", Info::new(about.to_vec()));
        let labels = Labels::of(labels);
        let told = ALL.into_iter().filter(|metric| metric.of.contains(&teller));
        let series = told.map(|metric| (metric.name, Series::registered(metric, &labels, &mut registry))).collect();
        Registry { registry, series, labels }
    }

    pub fn answered(&self, answer: &Answer) {
        measure(answer, &self.labels, |metric, value, number| self.tell(metric, value, number));
    }

    /// Adds to a counter, sets a gauge, or puts a value into a histogram. What is not told here is left out.
    pub fn tell(&self, metric: &Metric, value: &str, number: f64) {
        if let Some(series) = self.series.get(metric.name) {
            series.tell(&attributes(metric, value), number);
        }
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Series {
    fn registered(metric: &'static Metric, labels: &Labels, registry: &mut registry::Registry) -> Series {
        let series = match metric.kind {
            Kind::Counter => Series::Counter(kept(metric, registry, Family::default())),
            Kind::Gauge => Series::Gauge(kept(metric, registry, Family::default())),
            Kind::Histogram(bounds) => {
                Series::Histogram(kept(metric, registry, Family::new_with_constructor(Bounds(bounds))))
            }
        };
        // What has not happened yet is 0, or its first time would be no increase.
        let values = match metric.by.map(|by| by.values) {
            Some(Values::These(values)) => values(),
            Some(Values::Labels) => labels.all().collect(),
            None => vec![""],
        };
        for value in values {
            series.make(&attributes(metric, value));
        }
        series
    }

    fn make(&self, attributes: &Attributes) {
        match self {
            Series::Counter(family) => drop(family.get_or_create(attributes)),
            Series::Gauge(_) => {} // 0 would be a claim
            Series::Histogram(family) => drop(family.get_or_create(attributes)),
        }
    }

    fn tell(&self, attributes: &Attributes, number: f64) {
        match self {
            Series::Counter(family) => {
                family.get_or_create(attributes).inc_by(number as u64);
            }
            Series::Gauge(family) => {
                family.get_or_create(attributes).set(number as i64);
            }
            Series::Histogram(family) => family.get_or_create(attributes).observe(number),
        }
    }
}

/// The crate ends names with the unit and with `_total` itself.
fn kept<M: registry::Metric + Clone>(metric: &Metric, registry: &mut registry::Registry, family: M) -> M {
    let name = metric.prometheus_name();
    let name = name.strip_suffix("_total").unwrap_or(&name);
    match name.strip_suffix("_seconds") {
        Some(name) => registry.register_with_unit(name, metric.help, Suffix::Seconds, family.clone()),
        None => registry.register(name, metric.help, family.clone()),
    }
    family
}

fn attributes(metric: &Metric, value: &str) -> Attributes {
    let by = metric.by.map(|by| (by.name, value));
    let all = metric.fixed.iter().copied().chain(by);
    all.map(|(name, value)| (underscored(name), value.to_owned())).collect()
}
