//! What Prometheus reads of `serve` and `worker`.

use std::collections::{BTreeMap, BTreeSet};

use libtest_mimic::Failed;
use serde_json::json;
use spotter::metrics::{ALL, Kind, MOST_LABELS, Registry, Teller, Values, underscored};
use tempfile::TempDir;

use super::emf::{label, thousand};
use super::openmetrics::{Family, parse};
use super::watched::{Watched, ask, exposition};
use crate::cli::spotter;
use crate::cloud::{Cloud, sample};
use crate::serve::Served;
use crate::worker::site::{Site, until};

const PAGE_TOKEN: &str = "s3cret-s3cret-s3cret";

fn family<'a>(families: &'a BTreeMap<String, Family>, name: &str) -> &'a Family {
    families.get(name).unwrap_or_else(|| panic!("no {name} among {:?}", families.keys()))
}

/// Every metric that this one tells is there, under its name and kind, with each value that it may have; and no other.
fn as_defined(families: &BTreeMap<String, Family>, teller: Teller, without: &[&str]) {
    let mut expected = BTreeSet::from(["target".to_owned()]);
    for metric in ALL.into_iter().filter(|metric| metric.of.contains(&teller) && !without.contains(&metric.name)) {
        let name = metric.prometheus_name();
        let family = family(families, name.strip_suffix("_total").unwrap_or(&name));
        let (kind, suffix) = match metric.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Histogram(_) => ("histogram", "_count"),
        };
        assert_eq!((family.kind.as_str(), family.help.as_str()), (kind, &*format!("{}.", metric.help)), "{name}");
        let sample = format!("{}{suffix}", name.strip_suffix("_total").unwrap_or(&name));
        let fixed: Vec<(String, &str)> = metric.fixed.iter().map(|(name, value)| (underscored(name), *value)).collect();
        let values = match metric.by.map(|by| by.values) {
            Some(Values::These(values)) => values(),
            _ => vec![],
        };
        for value in &values {
            let by = metric.by.map(|by| (underscored(by.name), *value));
            let labels: Vec<(&str, &str)> =
                fixed.iter().chain(&by).map(|(name, value)| (name.as_str(), *value)).collect();
            family.value(&sample, &labels);
        }
        expected.insert(name.strip_suffix("_total").unwrap_or(&name).to_owned());
    }
    assert_eq!(families.keys().cloned().collect::<BTreeSet<_>>(), expected);
}

pub async fn serve() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let served = Served::start(&home)?;
    let page = served.page_url.trim_start_matches("http://").to_owned();
    let scrape = |host: &str, more: &str| {
        ask(&page, &format!("GET /metrics HTTP/1.1\r\nHost: {host}\r\n{more}Connection: close\r\n\r\n"))
    };
    as_defined(&parse(exposition(&scrape(&page, "")?)?)?, Teller::Serve, &[]);

    let s3 = served.client(&home)?;
    for (key, bytes) in [("a.png", sample("8.bmp")?), ("b.png", sample("1.png")?), ("c.png", b"none".to_vec())] {
        s3.put_object().bucket("pictures").key(key).body(bytes.into()).send().await?;
    }
    s3.delete_object().bucket("pictures").key("a.png").send().await?;
    let recorded = |text: &str| -> Result<f64, Failed> {
        Ok(family(&parse(text)?, "spotter_records").samples.iter().map(|(_, _, count)| count).sum())
    };
    let end = crate::harness::deadline();
    let text = loop {
        let answer = scrape(&page, "")?;
        let text = exposition(&answer)?.to_owned();
        if recorded(&text)? >= 4.0 {
            break text;
        }
        assert!(std::time::Instant::now() < end, "{text}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let families = parse(&text)?;
    as_defined(&families, Teller::Serve, &[]);
    for (name, label, value, count) in [
        ("spotter_records", "spotter_status", "rejected", 1.0),
        ("spotter_records", "spotter_status", "deleted", 1.0),
        ("spotter_record_reasons", "spotter_reason", "not_an_image", 1.0),
        ("spotter_record_labels", "spotter_label", "1", 1.0),
        ("spotter_record_labels", "spotter_label", "7", 0.0),
        ("spotter_retries", "error_type", "database", 0.0),
    ] {
        assert_eq!(
            family(&families, name).value(&format!("{name}_total"), &[(label, value)]),
            count,
            "{value}: {text}"
        );
    }
    let written = family(&families, "spotter_step_duration_seconds");
    assert!(written.value("spotter_step_duration_seconds_count", &[("spotter_step", "write")]) >= 4.0, "{text}");
    assert!(written.value("spotter_step_duration_seconds_sum", &[("spotter_step", "decode")]) > 0.0, "{text}");
    let target = &family(&families, "target").samples[0].1;
    assert_eq!((&*target["service_name"], &*target["spotter_model"]), ("spotter", "digits/2"));

    // Like all of the page: no other site's name, and nothing for another site's page.
    assert!(scrape("evil.example", "")?.starts_with("HTTP/1.1 421"));
    assert!(scrape(&page, "Sec-Fetch-Site: cross-site\r\n")?.starts_with("HTTP/1.1 403"));
    Ok(())
}

/// Who may see the page's records may see its numbers, and nobody else.
pub async fn serve_with_a_token() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let mut command = spotter(&home);
    command.args(["serve", "--port", "0", "--page-port", "0"]).env("SPOTTER_PAGE_TOKEN", PAGE_TOKEN);
    let served = Served::by(&mut command)?;
    let page = served.page_url.trim_start_matches("http://").to_owned();
    let head = format!("GET /metrics HTTP/1.1\r\nHost: {page}\r\nConnection: close\r\n");
    assert!(ask(&page, &format!("{head}\r\n"))?.starts_with("HTTP/1.1 401"));
    exposition(&ask(&page, &format!("{head}Authorization: Bearer {PAGE_TOKEN}\r\n\r\n"))?)?;
    Ok(())
}

/// A worker whose events come by HTTP has no queue to tell of.
pub async fn worker() -> Result<(), Failed> {
    let cloud = Cloud::start().await?;
    cloud.put("1.png", &sample("1.png")?).await?;
    let event = cloud.notifications()?.remove(0).body;
    let watched = Watched::start(&cloud, &[])?;
    let message = json!({ "messageId": "a", "eventSource": "aws:sqs", "body": event });
    assert!(watched.send(&[message])?.starts_with("HTTP/1.1 200"));
    let answer = watched.scrape(&watched.metrics)?;
    let families = parse(exposition(&answer)?)?;
    let of_the_queue = ["spotter.records.available"];
    let without: BTreeMap<_, _> =
        families.into_iter().filter(|(name, _)| name != "spotter_records_available_ratio").collect();
    as_defined(&without, Teller::Worker, &of_the_queue);
    let classified =
        family(&without, "spotter_records").value("spotter_records_total", &[("spotter_status", "classified")]);
    assert_eq!(classified, 1.0, "{answer}");

    // By an address or a service's name, as Prometheus asks; never by a name that somebody else's page may have.
    for host in ["localhost:1", "worker", "10.0.0.1:9464", "[::1]"] {
        exposition(&watched.scrape(host)?)?;
    }
    for host in ["evil.example", "127.0.0.1.nip.io", "a b", ""] {
        assert!(!watched.scrape(host)?.starts_with("HTTP/1.1 200"), "{host}");
    }
    let twice =
        format!("GET /metrics HTTP/1.1\r\nHost: {0}\r\nHost: {0}\r\nConnection: close\r\n\r\n", watched.metrics);
    assert!(!ask(&watched.metrics, &twice)?.starts_with("HTTP/1.1 200"));
    let named = "GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(!ask(&watched.metrics, named)?.starts_with("HTTP/1.1 200"));
    // Lines for CloudWatch are for a function only.
    assert!(!format!("{}{}", watched.printed("stdout")?, watched.printed("stderr")?).contains("_aws"));
    Ok(())
}

/// Of each message that came from a queue, as the worker itself says it in the end.
pub async fn messages(endpoint: &'static str) -> Result<(), Failed> {
    let site = Site::new(endpoint, 1, 2).await?;
    site.send("no event").await?;
    let keys = site.upload(3).await?;
    let mut worker = site.start(&["--metrics", "127.0.0.1:0"])?;
    let line = worker.prints()?;
    let url = line.strip_prefix("metrics").ok_or(format!("{line:?} is not where its metrics are"))?;
    let host = url.trim().trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned();
    site.all_recorded(&site.embedded()?, &keys).await?;
    until("the bad message is not in the dead-letter queue alone", async || {
        Ok(site.messages(&site.url).await? == 0 && site.messages(&site.dead_letters).await? == 1)
    })
    .await?;
    let (answer, [received, done, failed, undeleted, given_back]) = loop {
        let answer = ask(&host, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let families = parse(exposition(&answer)?)?;
        as_defined(&families, Teller::Worker, &[]);
        let of = |name: &str, labels: &[(&str, &str)]| family(&families, name).value(&format!("{name}_total"), labels);
        let [done, failed, undeleted, given_back] = ["done", "failed", "undeleted", "given_back"]
            .map(|what| of("spotter_messages_settled", &[("spotter_settled", what)]));
        let received = of("messaging_client_consumed_messages", &[]);
        // What was deleted a moment ago is counted in a moment.
        if received == done + failed + undeleted + given_back {
            break (answer, [received, done, failed, undeleted, given_back]);
        }
    };
    // The bucket announced itself; and the bad one came as often as the queue allows.
    assert!(done >= 4.0, "{answer}");
    assert_eq!((failed, undeleted, given_back), (2.0, 0.0, 0.0), "{answer}");
    worker.signal("-TERM")?;
    let (code, stdout, stderr) = worker.end()?;
    assert_eq!(code, Some(0), "{stderr}");
    let counted = format!("{received} messages received: {done} done, {failed} left to come again");
    assert!(stdout.lines().last().is_some_and(|last| last.starts_with(&counted)), "{counted}: {stdout}");
    Ok(())
}

/// A thousand labels, in names that nobody should have.
pub async fn limits() -> Result<(), Failed> {
    let labels: Vec<String> = (0..1_000).map(label).collect();
    let registry = Registry::new(Teller::Serve, "big/1".into(), &labels);
    registry.answered(&thousand().await?);
    let families = parse(&registry.text())?;
    let counted = &family(&families, "spotter_record_labels").samples;
    assert_eq!(counted.len(), MOST_LABELS + 1);
    assert_eq!(counted.iter().map(|(_, _, count)| count).sum::<f64>(), 3_000.0);
    assert!(counted.iter().any(|(_, labels, count)| labels["spotter_label"] == label(1) && *count == 3.0));
    Ok(())
}
