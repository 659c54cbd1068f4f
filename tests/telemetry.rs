//! The log of a real process: one line an object, whatever became of it.

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};

use crate::cloud::{Cloud, sample};
use crate::harness::on_runtime;
use crate::metrics::watched::Watched;

const JSON: (&str, &str) = ("SPOTTER_LOG_FORMAT", "json");

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("telemetry::each_object_has_a_line", || on_runtime(lines())),
        Trial::test("telemetry::only_what_went_well_is_sampled_away", || on_runtime(sampled())),
        Trial::test("telemetry::a_bad_setting_is_said", bad_settings),
    ]
}

/// A bucket with a seven, a scribble, a text and a picture that was replaced; and a message an event, and one more of a
/// bucket that is not there.
async fn messages(cloud: &Cloud) -> Result<Vec<Value>, Failed> {
    cloud.put("old.png", &sample("1.png")?).await?;
    let mut bodies = vec![cloud.notifications()?.remove(0).body];
    cloud.put("old.png", &sample("8.bmp")?).await?;
    cloud.notifications()?;
    for (key, bytes) in [
        ("\u{1b}[2J七\n.png", sample("photos/7 phone.jpg")?),
        ("scribble.png", sample("scribble.png")?),
        ("notes.png", b"no picture".to_vec()),
    ] {
        cloud.put(key, &bytes).await?;
        bodies.push(cloud.notifications()?.remove(0).body);
    }
    bodies.push(bodies[0].replace("demo", "nowhere"));
    let attributes = json!({
        "ApproximateReceiveCount": "3",
        "AWSTraceHeader": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
    });
    let message = |(at, body): (usize, &String)| json!({ "messageId": at.to_string(), "eventSource": "aws:sqs", "attributes": attributes, "body": body });
    Ok(bodies.iter().enumerate().map(message).collect())
}

async fn lines() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    let messages = messages(&cloud).await?;
    let mut watched = Watched::start(&cloud, &[JSON])?;
    watched.send(&messages)?;
    watched.stop()?;
    let log = watched.log()?;
    let of = |key: &str, outcome: &str| -> Result<&Value, Failed> {
        let found: Vec<&Value> = log.iter().filter(|line| line["key"] == key && line["outcome"] == outcome).collect();
        if let [one] = found[..] { Ok(one) } else { Err(format!("{} lines of {key}: {log:?}", found.len()).into()) }
    };
    let seven = of("\u{1b}[2J七\n.png", "recorded")?;
    for (field, value) in [
        ("level", json!("INFO")),
        ("bucket", json!("demo")),
        ("status", json!("classified")),
        ("label", json!("7")),
        ("model", json!("digits/2")),
        ("attempt", json!(3)),
        ("event_trace_id", json!("1-5759e988-bd862e3fe1be46a994272793")),
    ] {
        assert_eq!(seven[field], value, "{seven}");
    }
    assert!(seven["seq"].as_str().is_some_and(|seq| seq.len() == 32), "{seven}");
    assert!(seven["confidence"].as_f64().is_some_and(|confidence| (0.8..=1.0).contains(&confidence)), "{seven}");
    for step in ["fetch_ms", "decode_ms", "classify_ms", "write_ms"] {
        assert!(seven[step].as_f64().is_some_and(|took| took > 0.0), "{step}: {seven}");
    }
    assert!(seven.get("tell_ms").is_none() && seven.get("reason").is_none(), "{seven}");
    let (unsure, rejected) = (of("scribble.png", "recorded")?, of("notes.png", "recorded")?);
    assert_eq!((&unsure["status"], &rejected["reason"]), (&json!("unsure"), &json!("not_an_image")));
    assert!(rejected["why"].as_str().is_some_and(|why| !why.is_empty()) && rejected["decode_ms"].is_number());
    let (superseded, retry) = (of("old.png", "superseded")?, of("old.png", "retry")?);
    assert_eq!((&superseded["level"], &retry["level"]), (&json!("WARN"), &json!("ERROR")));
    assert_eq!((&retry["bucket"], &retry["attempt"]), (&json!("nowhere"), &json!(3)));
    assert!(retry["fetch_ms"].is_number(), "what a failure took is said: {retry}");
    assert_eq!(log.iter().filter(|line| line.get("outcome").is_some()).count(), messages.len());
    // The lines for people are not among those for programs.
    assert_eq!(watched.printed("stdout")?, "");
    Ok(())
}

/// All but what went well is there, and all of it is counted.
async fn sampled() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    let messages = messages(&cloud).await?;
    let mut watched = Watched::start(&cloud, &[JSON, ("SPOTTER_LOG_SAMPLE", "0")])?;
    watched.send(&messages)?;
    let scraped = watched.scrape(&watched.metrics)?;
    watched.stop()?;
    let outcomes: Vec<String> =
        watched.log()?.iter().filter_map(|line| Some(line["outcome"].as_str()?.to_owned())).collect();
    let said = |of: &str| outcomes.iter().filter(|outcome| *outcome == of).count();
    assert_eq!((said("recorded"), said("superseded"), said("retry")), (2, 1, 1), "{outcomes:?}");
    assert!(scraped.contains("spotter_objects_total{spotter_outcome=\"recorded\"} 3\n"), "{scraped}");

    let mut watched = Watched::start(&cloud, &[JSON, ("SPOTTER_LOG_SAMPLE", "0.999999")])?;
    watched.send(&messages)?;
    watched.stop()?;
    let samples: Vec<Value> =
        watched.log()?.iter().map(|line| line["sample"].clone()).filter(Value::is_number).collect();
    assert_eq!(samples, [json!(0.999999)], "only what may be left out says how much of it is");
    Ok(())
}

fn bad_settings() -> Result<(), Failed> {
    let home = tempfile::TempDir::new()?;
    for (variable, value, problem) in [
        ("SPOTTER_LOG_SAMPLE", "2", "must be a share from 0 to 1"),
        ("SPOTTER_LOG_FORMAT", "xml", "must be text or json"),
    ] {
        let output =
            crate::cli::spotter(&home).args(["worker", "--webhook", "127.0.0.1:0"]).env(variable, value).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("{variable}=\"{value}\": {problem}")), "{said}");
    }
    Ok(())
}
