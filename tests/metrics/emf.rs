//! What the function tells CloudWatch, held to the format's specification.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Failed;
use serde_json::{Value, json};
use spotter::classifier::Model;
use spotter::event::Timestamp;
use spotter::function::Answer;
use spotter::metrics::{ALL, DIMENSION, Emf, MOST_LABELS, NAMESPACE, Teller, Values};
use spotter::pipeline::{Handled, Outcome};
use spotter::record::Status;

use crate::cloud::{Cloud, sample};
use crate::harness;

const NOW: Timestamp = Timestamp(1_795_226_584_567);
/// Bytes of a log event.
const LARGEST_LINE: usize = 256 * 1024;

/// Numbers by metric.
pub type Numbers = BTreeMap<String, Vec<f64>>;

/// Every MUST of the specification.
pub fn parse(line: &str) -> Result<Numbers, Failed> {
    assert!(line.len() <= LARGEST_LINE && line.is_ascii() && !line.contains('\n'), "{line}");
    let line: Value = serde_json::from_str(line)?;
    let root = line.as_object().ok_or("an object")?;
    let aws = line["_aws"].as_object().ok_or("_aws")?;
    assert_eq!(aws.keys().collect::<Vec<_>>(), ["CloudWatchMetrics", "Timestamp"]);
    assert!(aws["Timestamp"].is_i64());
    let mut numbers = Numbers::new();
    for directive in aws["CloudWatchMetrics"].as_array().ok_or("directives")? {
        assert_eq!(directive["Namespace"], NAMESPACE);
        let members: BTreeSet<&str> = directive.as_object().ok_or("a directive")?.keys().map(String::as_str).collect();
        assert_eq!(members, BTreeSet::from(["Namespace", "Dimensions", "Metrics"]));
        for set in directive["Dimensions"].as_array().ok_or("dimensions")? {
            let set = set.as_array().ok_or("a set")?;
            assert!(set.len() <= 30, "{} dimensions", set.len());
            for name in set {
                let value = root[name.as_str().ok_or("a name")?].as_str().ok_or("a dimension's value")?;
                assert!((1..=1_024).contains(&value.len()), "{value}");
            }
        }
        let metrics = directive["Metrics"].as_array().ok_or("metrics")?;
        assert!((1..=100).contains(&metrics.len()), "{} metrics", metrics.len());
        for metric in metrics {
            let name = metric["Name"].as_str().ok_or("a name")?;
            assert!(
                (1..=255).contains(&name.len()) && name.chars().all(|c| c.is_ascii_graphic() || c == ' '),
                "{name}"
            );
            assert!(["Seconds", "Count", "None"].contains(&metric["Unit"].as_str().ok_or("a unit")?), "{metric}");
            let target = match &root[name] {
                Value::Array(values) => values.clone(),
                value => vec![value.clone()],
            };
            assert!((1..=100).contains(&target.len()), "{name} has {} numbers", target.len());
            let target = target.iter().map(|value| value.as_f64().filter(|number| number.is_finite()));
            let target: Option<Vec<f64>> = target.collect();
            assert!(numbers.insert(name.into(), target.ok_or("no number")?).is_none(), "{name} twice");
        }
    }
    // Everything else is what dimensions are, and what people search for.
    let others: Vec<&String> = root.keys().filter(|name| *name != "_aws" && !numbers.contains_key(*name)).collect();
    assert_eq!(others, [DIMENSION, "spotter.model"]);
    Ok(numbers)
}

/// All the names that the function may tell; of labels what begins them.
pub fn names() -> BTreeSet<String> {
    let told = ALL.into_iter().filter(|metric| metric.of.contains(&Teller::Function));
    let names = told.flat_map(|metric| match metric.by.map(|by| by.values) {
        None => vec![metric.cloudwatch_name("")],
        Some(Values::These(values)) => values().into_iter().map(|value| metric.cloudwatch_name(value)).collect(),
        Some(Values::Labels) => vec![metric.cloudwatch_name("*")],
    });
    names.collect()
}

fn emf() -> Result<Emf, Failed> {
    let model = Model::embedded()?;
    Ok(Emf::new(model.id(), &model.manifest().labels))
}

fn line(emf: &Emf, answer: &Answer) -> Result<Option<Numbers>, Failed> {
    emf.line("spotter", answer, NOW).map(|line| parse(&line)).transpose()
}

fn message(id: &str, body: &str, received: u32) -> Value {
    let attributes = json!({ "ApproximateReceiveCount": received.to_string() });
    json!({ "messageId": id, "eventSource": "aws:sqs", "body": body, "attributes": attributes })
}

/// One batch with everything that may become of an object.
pub async fn everything() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    for (key, bytes) in [
        ("1.png", sample("1.png")?),
        ("8.bmp", sample("8.bmp")?),
        ("scribble.png", sample("scribble.png")?),
        ("notes.png", b"no picture".to_vec()),
    ] {
        cloud.put(key, &bytes).await?;
    }
    cloud.put("gone.png", &sample("1.png")?).await?;
    cloud.s3.delete_object().bucket(crate::cloud::BUCKET).key("gone.png").send().await?;
    let bodies: Vec<String> = cloud.notifications()?.into_iter().map(|notification| notification.body).collect();
    let mut messages: Vec<Value> =
        bodies.iter().enumerate().map(|(at, body)| message(&at.to_string(), body, 1 + at as u32 % 2)).collect();
    messages.push(message("bad", "no event", 1));
    messages.push(message("away", &bodies[0].replace("demo", "nowhere"), 1));
    messages.push(message("test", r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"demo"}"#, 1));
    let batch = json!({ "Records": messages });
    let answer = cloud.function.answer(&batch, harness::deadline()).await;
    let emf = emf()?;
    let told = line(&emf, &answer)?.ok_or("nothing told")?;
    let one = |name: &str| told.get(name).cloned().unwrap_or_default();
    for (name, count) in [
        ("spotter.objects.recorded", 5.0),
        ("spotter.objects.superseded", 1.0),
        ("spotter.objects.retry", 1.0),
        ("spotter.objects.ignored", 1.0),
        ("spotter.records.classified", 2.0),
        ("spotter.records.unsure", 1.0),
        ("spotter.records.rejected", 1.0),
        ("spotter.records.deleted", 1.0),
        ("spotter.record.reasons.not_an_image", 1.0),
        ("spotter.record.labels.1", 1.0),
        ("spotter.record.labels.8", 1.0),
        ("spotter.retries.bucket", 1.0),
        ("spotter.redeliveries", 3.0),
        ("spotter.events.unreadable", 1.0),
        ("faas.coldstarts", 1.0),
    ] {
        assert_eq!(one(name), [count], "{name} in {told:?}");
    }
    let recorded: Vec<&Handled> = answer.objects.iter().map(|(_, handled)| handled).collect();
    let took =
        |of: fn(&Handled) -> f64| recorded.iter().map(|handled| of(handled)).filter(|took| *took > 0.0).sum::<f64>();
    for (step, sum) in [
        ("fetch", took(|handled| handled.steps.fetch.as_secs_f64())),
        ("decode", took(|handled| handled.steps.decode.as_secs_f64())),
        ("classify", took(|handled| handled.steps.classify.as_secs_f64())),
        ("write", took(|handled| handled.steps.write.as_secs_f64())),
    ] {
        let told: f64 = one(&format!("spotter.step.duration.{step}")).iter().sum();
        assert!(sum > 0.0 && (told - sum).abs() < 1e-4, "{step}: {told} of {sum}");
    }
    assert_eq!((one("spotter.record.confidence").len(), one("spotter.event.age").len()), (3, 5));
    assert!(one("spotter.event.age").iter().all(|age| (0.0..600.0).contains(age)), "{told:?}");
    let known = names();
    for name in told.keys() {
        assert!(known.contains(name) || name.starts_with("spotter.record.labels."), "{name} is nowhere defined");
    }

    // A sandbox is cold once, and says nothing where nothing was.
    assert!(!line(&emf, &answer)?.ok_or("nothing told")?.contains_key("faas.coldstarts"));
    let nothing = cloud.function.answer(&json!({ "Records": [] }), harness::deadline()).await;
    assert!(line(&emf, &nothing)?.is_none());
    let unreadable = cloud.function.answer(&json!({ "detail": 1 }), harness::deadline()).await;
    assert_eq!(
        line(&emf, &unreadable)?.ok_or("nothing told")?.into_keys().collect::<Vec<_>>(),
        ["spotter.events.unreadable"]
    );
    Ok(())
}

/// Three thousand pictures in one event, of a model with a thousand labels, in names that nobody should have.
pub async fn limits() -> Result<(), Failed> {
    let answer = thousand().await?;
    let labels: Vec<String> = (0..1_000).map(label).collect();
    let numbers = parse(&Emf::new("big/1".into(), &labels).line("七\n", &answer, NOW).ok_or("nothing told")?)?;
    let counted = numbers.iter().filter(|(name, _)| name.starts_with("spotter.record.labels."));
    assert_eq!(counted.clone().count(), MOST_LABELS + 1, "{:?}", numbers.keys());
    assert_eq!(counted.map(|(_, count)| count[0]).sum::<f64>(), 3_000.0, "each is counted, by its name or as another");
    assert_eq!(numbers["spotter.record.labels._other"], [3.0 * (1_000 - MOST_LABELS) as f64]);
    assert_eq!(numbers["spotter.record.confidence"].len(), 100);
    Ok(())
}

pub fn label(at: usize) -> String {
    format!("{at} \u{202e}\"é\n{}", "x".repeat(if at.is_multiple_of(2) { 3 } else { 2_000 }))
}

/// An answer that names a thousand labels, each three times.
pub async fn thousand() -> Result<Answer, Failed> {
    let cloud = Cloud::start().await?;
    cloud.put("1.png", &sample("1.png")?).await?;
    let mut answer = cloud.answer(&cloud.notifications()?[0].body).await?;
    let (event, handled) = answer.objects.remove(0);
    for at in 0..3_000 {
        let mut handled = handled.clone();
        let Outcome::Recorded(record) = &mut handled.outcome else { return Err("not recorded".into()) };
        assert_eq!(record.status, Status::Classified);
        record.label = Some(label(at % 1_000));
        answer.objects.push((event.clone(), handled));
    }
    Ok(answer)
}
