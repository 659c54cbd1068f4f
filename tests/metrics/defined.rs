//! What the documents, dashboards and alarms say of metrics is what there is.

use std::collections::BTreeSet;
use std::fs::read_to_string;

use libtest_mimic::Failed;
use serde_json::Value;
use spotter::metrics::{ALL, DIMENSION, Kind, Metric, NAMESPACE, Teller, Values, underscored};

use super::emf;
use crate::harness::root;

const TABLE: &str = "| Prometheus | CloudWatch | unit | counted by | told by | what |\n|---|---|---|---|---|---|\n";

fn row(metric: &Metric) -> String {
    let told_to_cloudwatch = metric.of.contains(&Teller::Function);
    let told_to_prometheus = metric.of.iter().any(|teller| *teller != Teller::Function);
    let end = metric.by.map_or("", |by| if matches!(by.values, Values::Labels) { ".LABEL" } else { ".*" });
    let cloudwatch = if told_to_cloudwatch { format!("`{}{end}`", metric.name) } else { "–".into() };
    let prometheus = if told_to_prometheus { format!("`{}`", metric.prometheus_name()) } else { "–".into() };
    let by = metric.by.map_or("–".into(), |by| match by.values {
        Values::These(values) => format!("`{}`: {}", underscored(by.name), values().join(", ")),
        Values::Labels => format!("`{}`: the model's labels", underscored(by.name)),
    });
    let tellers: Vec<&str> = metric.of.iter().map(|teller| teller.name()).collect();
    let unit = metric.unit.ucum().replace("{", "").replace("}", "");
    format!("| {prometheus} | {cloudwatch} | {unit} | {by} | {} | {} |\n", tellers.join(", "), metric.help)
}

pub fn document() -> Result<(), Failed> {
    let document = read_to_string(root().join("docs/metrics.md"))?;
    let table = ALL.iter().map(|metric| row(metric)).fold(TABLE.to_owned(), |table, row| table + &row);
    if document.contains(&table) { Ok(()) } else { Err(format!("docs/metrics.md should have\n{table}").into()) }
}

/// Each name of a time series, and of its labels.
fn series() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut names, mut labels) = (BTreeSet::new(), BTreeSet::from(["le".to_owned()]));
    for metric in ALL.into_iter().filter(|metric| metric.of.iter().any(|teller| *teller != Teller::Function)) {
        let name = metric.prometheus_name();
        match metric.kind {
            Kind::Histogram(_) => names.extend(["bucket", "sum", "count"].map(|end| format!("{name}_{end}"))),
            Kind::Counter | Kind::Gauge => drop(names.insert(name)),
        }
        labels.extend(metric.by.iter().map(|by| underscored(by.name)));
        labels.extend(metric.fixed.iter().map(|(name, _)| underscored(name)));
    }
    (names, labels)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| expressions(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

pub fn grafana() -> Result<(), Failed> {
    let dashboard: Value = serde_json::from_str(&read_to_string(root().join("docs/grafana/spotter.json"))?)?;
    let (names, labels) = series();
    let (mut found, mut used) = (Vec::new(), BTreeSet::new());
    expressions(&dashboard["panels"], &mut found);
    assert!(found.len() > 10, "{found:?}");
    for expression in &found {
        // Without what is between quotation marks: values of labels.
        let outside: String = expression.split('"').step_by(2).collect::<Vec<_>>().join(" ");
        for word in words(&outside).filter(|word| word.contains('_')) {
            let is_function = ["histogram_quantile"].contains(&word) || word.starts_with("__");
            let known = names.contains(word) || labels.contains(word) || is_function;
            assert!(known, "{word} of {expression} is nowhere defined");
            used.insert(word.to_owned());
        }
        for (value, label) in expression.split('"').skip(1).step_by(2).zip(expression.split('"').step_by(2)) {
            let label = words(label).last().unwrap_or_default();
            let values = ALL.iter().filter_map(|metric| metric.by).filter(|by| underscored(by.name) == label);
            let Some(Values::These(values)) = values.map(|by| by.values).next() else { continue };
            let known = value.split('|').all(|value| values().contains(&value));
            assert!(known, "{label} of {expression} is never {value}");
        }
    }
    let unused: Vec<&Metric> = ALL
        .into_iter()
        .filter(|metric| metric.of.iter().any(|teller| *teller != Teller::Function))
        .filter(|metric| !used.iter().any(|word| word.starts_with(&metric.prometheus_name())))
        .collect();
    assert!(unused.is_empty(), "in no panel: {unused:?}");
    Ok(())
}

fn widget_metrics(body: &Value) -> Vec<&Vec<Value>> {
    let widgets = body["widgets"].as_array().into_iter().flatten();
    widgets
        .filter_map(|widget| widget["properties"]["metrics"].as_array())
        .flatten()
        .filter_map(Value::as_array)
        .collect()
}

/// The template's alarms and its dashboard name what the function tells, in its namespace, by its dimension; and the
/// dashboard shows all of it.
pub fn template() -> Result<(), Failed> {
    let template = read_to_string(root().join("template.yaml"))?;
    let names = emf::names();
    let is_ours = |word: &&str| word.starts_with("spotter.") || word.starts_with("faas.");
    let dotted = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.');
        words.filter(is_ours).map(|word| word.trim_end_matches('.').to_owned()).collect()
    };
    let (before, body) = template.split_once("DashboardBody: !Sub |\n").ok_or("no dashboard")?;
    let body: Vec<&str> = body.lines().take_while(|line| line.starts_with("        ") || line.is_empty()).collect();
    let dashboard: Value = serde_json::from_str(&body.join("\n"))?;

    let mut alarms = 0;
    for alarm in before.split("Type: AWS::CloudWatch::Alarm\n").skip(1) {
        let alarm = alarm.split("\n\n").next().unwrap_or_default();
        let (spaces, metrics) = (alarm.matches(&format!("Namespace: {NAMESPACE}")).count(), dotted(alarm));
        assert_eq!(spaces, metrics.len(), "{alarm}");
        assert_eq!(alarm.matches("MetricName: spotter.").count(), metrics.len(), "{alarm}");
        assert!(metrics.is_empty() || alarm.contains(&format!("Name: {DIMENSION}, Value: !Ref Spotter")), "{alarm}");
        assert!(metrics.iter().all(|name| names.contains(name)), "{metrics:?} in {alarm}");
        assert!(alarm.contains("AlarmActions:") && alarm.contains("OKActions:"), "nobody is told of {alarm}");
        alarms += 1;
    }
    assert_eq!(alarms, 9);

    let mut shown = BTreeSet::new();
    for metric in widget_metrics(&dashboard) {
        let name = metric.get(1).and_then(Value::as_str).unwrap_or_default();
        if metric[0] == NAMESPACE {
            assert_eq!((&metric[2], &metric[3]), (&DIMENSION.into(), &"${Spotter}".into()), "{metric:?}");
            assert!(names.contains(name), "{name} is nowhere defined");
            shown.insert(name.to_owned());
        } else if let Some(expression) = metric[0]["expression"].as_str().filter(|text| text.contains("SEARCH")) {
            assert!(expression.contains(&format!("{{{NAMESPACE},{DIMENSION}}}")), "{expression}");
            assert!(expression.contains("MetricName=labels"), "{expression}");
            shown.insert("spotter.record.labels.*".to_owned());
        }
    }
    assert_eq!(shown, names);
    Ok(())
}
