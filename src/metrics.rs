//! What is measured: each metric's name, unit and meaning are said here once. CloudWatch's lines, Prometheus' text, the
//! documents, dashboards and alarms follow, and `tests/metrics` holds them to it.
//!
//! Names and units are OpenTelemetry's where it has one (<https://opentelemetry.io/docs/specs/semconv/faas/faas-metrics/>,
//! <https://opentelemetry.io/docs/specs/semconv/messaging/messaging-metrics/>), else they begin with `spotter.`. Nothing
//! here is in a record, and no record depends on it.

mod emf;
mod measure;
#[cfg(feature = "cli")]
mod prometheus;

use std::sync::Arc;

pub use self::emf::{DIMENSION, Emf, NAMESPACE};
#[cfg(feature = "cli")]
pub use self::prometheus::Registry;
use crate::pipeline::Outcome;
use crate::record::{Reason, Status};

/// Labels that are counted by their own name: as many as cost little, and as one chart shows.
pub const MOST_LABELS: usize = 40;
/// What the labels of a larger model's rest are counted as.
pub const OTHER_LABELS: &str = "_other";

/// What Prometheus gets at `/metrics`: <https://prometheus.io/docs/specs/om/open_metrics_spec/>
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Writes it.
pub type Exposition = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Debug)]
pub struct Metric {
    /// OpenTelemetry's.
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    /// What it is counted by; at most one thing, so that CloudWatch needs no dimension for it.
    pub by: Option<Split>,
    /// Attributes whose values never change.
    pub fixed: &'static [(&'static str, &'static str)],
    /// Who tells it.
    pub of: &'static [Teller],
    /// One sentence, without its full stop.
    pub help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// Its buckets' upper bounds.
    Histogram(&'static [f64]),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Seconds,
    /// A share, or a yes and no.
    One,
    /// So many of these.
    Of(&'static str),
}

#[derive(Debug, Clone, Copy)]
pub struct Split {
    /// The attribute.
    pub name: &'static str,
    pub values: Values,
}

#[derive(Debug, Clone, Copy)]
pub enum Values {
    /// All that there are.
    These(fn() -> Vec<&'static str>),
    /// The model's labels, [`MOST_LABELS`] of them.
    Labels,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teller {
    /// The Lambda function, to CloudWatch.
    Function,
    Serve,
    Worker,
}

impl Teller {
    pub const ALL: [Teller; 3] = [Teller::Function, Teller::Serve, Teller::Worker];

    pub fn name(self) -> &'static str {
        match self {
            Teller::Function => "function",
            Teller::Serve => "serve",
            Teller::Worker => "worker",
        }
    }
}

const EVERYWHERE: &[Teller] = &Teller::ALL;
/// Seconds. OpenTelemetry's bounds for durations, and shorter ones: a digit takes less than a millisecond.
const DURATIONS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0,
];
/// Seconds, to the day that a queue holds a message through.
const AGES: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0];
const SHARES: &[f64] = &[0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0];
const SQS: &[(&str, &str)] = &[("messaging.system", "aws_sqs"), ("messaging.operation.name", "receive")];

pub static OBJECTS: Metric = Metric {
    name: "spotter.objects",
    kind: Kind::Counter,
    unit: Unit::Of("{object}"),
    by: Some(Split { name: "spotter.outcome", values: Values::These(|| Outcome::NAMES.to_vec()) }),
    fixed: &[],
    of: EVERYWHERE,
    help: "What became of objects' events; an object whose event comes again is counted again",
};
pub static RECORDS: Metric = Metric {
    name: "spotter.records",
    kind: Kind::Counter,
    unit: Unit::Of("{record}"),
    by: Some(Split { name: "spotter.status", values: Values::These(|| Status::ALL.map(Status::as_str).to_vec()) }),
    fixed: &[],
    of: EVERYWHERE,
    help: "Records that were written",
};
pub static REASONS: Metric = Metric {
    name: "spotter.record.reasons",
    kind: Kind::Counter,
    unit: Unit::Of("{record}"),
    by: Some(Split { name: "spotter.reason", values: Values::These(|| Reason::ALL.map(Reason::as_str).to_vec()) }),
    fixed: &[],
    of: EVERYWHERE,
    help: "Records of pictures that are unsure or rejected, by why",
};
pub static LABELS: Metric = Metric {
    name: "spotter.record.labels",
    kind: Kind::Counter,
    unit: Unit::Of("{record}"),
    by: Some(Split { name: "spotter.label", values: Values::Labels }),
    fixed: &[],
    of: EVERYWHERE,
    help: "Records of classified pictures, once under each label that the picture has",
};
pub static CONFIDENCE: Metric = Metric {
    name: "spotter.record.confidence",
    kind: Kind::Histogram(SHARES),
    unit: Unit::One,
    by: None,
    fixed: &[],
    of: EVERYWHERE,
    help: "Confidence in the best guess, of classified and of unsure pictures",
};
pub static RETRIES: Metric = Metric {
    name: "spotter.retries",
    kind: Kind::Counter,
    unit: Unit::Of("{object}"),
    by: Some(Split { name: "error.type", values: Values::These(|| measure::BLAMED.to_vec()) }),
    fixed: &[],
    of: EVERYWHERE,
    help: "Objects whose event must come again, by what failed or did not answer in time",
};
pub static REDELIVERIES: Metric = Metric {
    name: "spotter.redeliveries",
    kind: Kind::Counter,
    unit: Unit::Of("{object}"),
    by: None,
    fixed: &[],
    of: EVERYWHERE,
    help: "Objects whose event came for the second time or later, where the queue says so",
};
pub static UNREADABLE: Metric = Metric {
    name: "spotter.events.unreadable",
    kind: Kind::Counter,
    unit: Unit::Of("{event}"),
    by: None,
    fixed: &[],
    of: EVERYWHERE,
    help: "Events, or parts of one, that are of no known shape",
};
pub static STEPS: Metric = Metric {
    name: "spotter.step.duration",
    kind: Kind::Histogram(DURATIONS),
    unit: Unit::Seconds,
    by: Some(Split { name: "spotter.step", values: Values::These(|| measure::STEP_NAMES.to_vec()) }),
    fixed: &[],
    of: EVERYWHERE,
    help: "How long each step of an object took; a step that was not taken is not counted",
};
pub static AGE: Metric = Metric {
    name: "spotter.event.age",
    kind: Kind::Histogram(AGES),
    unit: Unit::Seconds,
    by: None,
    fixed: &[],
    of: EVERYWHERE,
    help: "How long ago the change was, by its event, when it was recorded",
};
pub static COLD_STARTS: Metric = Metric {
    name: "faas.coldstarts",
    kind: Kind::Counter,
    unit: Unit::Of("{coldstart}"),
    by: None,
    fixed: &[],
    of: &[Teller::Function],
    help: "First invocations of a sandbox",
};
pub static RECEIVED: Metric = Metric {
    name: "messaging.client.consumed.messages",
    kind: Kind::Counter,
    unit: Unit::Of("{message}"),
    by: None,
    fixed: SQS,
    of: &[Teller::Worker],
    help: "Messages that were received from the queue",
};
pub static SETTLED: Metric = Metric {
    name: "spotter.messages.settled",
    kind: Kind::Counter,
    unit: Unit::Of("{message}"),
    by: Some(Split { name: "spotter.settled", values: Values::These(|| SETTLEMENTS.to_vec()) }),
    fixed: &[],
    of: &[Teller::Worker],
    help: "Received messages: done and deleted, done but not deleted, left to come again, given back unhandled",
};
pub static PROCESSING: Metric = Metric {
    name: "messaging.process.duration",
    kind: Kind::Histogram(DURATIONS),
    unit: Unit::Seconds,
    by: None,
    fixed: SQS,
    of: &[Teller::Worker],
    help: "How long one batch of messages took",
};
pub static AVAILABLE: Metric = Metric {
    name: "spotter.records.available",
    kind: Kind::Gauge,
    unit: Unit::One,
    by: None,
    fixed: &[],
    of: &[Teller::Worker],
    help: "1 while the records' home takes records; while it is 0, nothing is received",
};

/// In the order in which they are documented.
pub static ALL: [&Metric; 15] = [
    &OBJECTS,
    &RECORDS,
    &REASONS,
    &LABELS,
    &CONFIDENCE,
    &RETRIES,
    &REDELIVERIES,
    &UNREADABLE,
    &STEPS,
    &AGE,
    &COLD_STARTS,
    &RECEIVED,
    &SETTLED,
    &PROCESSING,
    &AVAILABLE,
];

pub const SETTLEMENTS: [&str; 4] = ["done", "undeleted", "failed", "given_back"];

impl Unit {
    /// <https://ucum.org/ucum>
    pub fn ucum(self) -> &'static str {
        match self {
            Unit::Seconds => "s",
            Unit::One => "1",
            Unit::Of(what) => what,
        }
    }
}

impl Metric {
    /// <https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/>
    pub fn prometheus_name(&self) -> String {
        let unit = match (self.unit, self.kind) {
            (Unit::Seconds, _) => "_seconds",
            (Unit::One, Kind::Gauge) => "_ratio",
            _ => "",
        };
        let total = if self.kind == Kind::Counter { "_total" } else { "" };
        format!("{}{unit}{total}", underscored(self.name))
    }

    /// The name under which CloudWatch has one value's count: the value ends it.
    pub fn cloudwatch_name(&self, value: &str) -> String {
        if value.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.name, emf::plain(value)) }
    }
}

/// An attribute or a name as Prometheus writes it.
pub fn underscored(name: &str) -> String {
    name.replace('.', "_")
}

/// Which labels are counted by name: the model's first ones. Which they are does not depend on the pictures, so all
/// processes agree, and none has more.
pub struct Labels(Vec<String>);

impl Labels {
    pub fn of(model: &[String]) -> Labels {
        Labels(model.iter().take(MOST_LABELS).cloned().collect())
    }

    #[cfg(feature = "cli")]
    fn all(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn counted<'a>(&self, label: &'a str) -> &'a str {
        if self.0.iter().any(|known| known == label) { label } else { OTHER_LABELS }
    }
}
