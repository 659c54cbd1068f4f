//! Credentials, the bucket, this machine's clock beside its, whom it tells of uploads, and the queue behind it.

use super::aws::{Command, quoted};
use super::{Examined, queue, within};
use crate::classifier::{Finding, Level};
use crate::config::{PROGRAM, QUEUE, Settings};
use crate::event::Timestamp;
use crate::objects::probe::{Announced, Probe, Refusal, Refused, Told};

/// Milliseconds. S3 refuses requests whose time is further off (RequestTimeTooSkewed):
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
const REFUSED_SKEW: u64 = 15 * 60 * 1_000;
/// The header has whole seconds, and an answer takes its time.
const NO_SKEW: u64 = 5_000;

/// What a bucket must tell of, and what is missing otherwise.
const EVENTS: [(&str, &str); 3] = [
    ("s3:ObjectCreated", "uploads are not classified"),
    ("s3:ObjectRemoved", "deleted objects keep their records until `backfill --delete`"),
    ("s3:LifecycleExpiration", "objects that a lifecycle rule deletes keep their records until `backfill --delete`"),
];

const REPLACED: &str = "the command replaces all that it tells now";

pub(super) async fn around(examined: &Examined, settings: &Settings, command: &Command) -> Vec<Finding> {
    if examined.bucket.is_none() && examined.queue.is_none() {
        return vec![
            Finding::skip("credentials", "not looked at: no bucket and no queue is named"),
            no_bucket(),
            Finding::skip("queue", format!("not looked at: name one with --queue or {QUEUE}")),
        ];
    }
    let probe = Probe::connect(&settings.s3).await;
    let mut findings = within("credentials", credentials(&probe)).await;
    if findings.iter().any(|finding| finding.level == Level::Fail) {
        findings.push(Finding::skip("bucket", "not looked at without credentials"));
        findings.push(Finding::skip("queue", "not looked at without credentials"));
        return findings;
    }
    let (found, named) = futures_util::join!(of_bucket(&probe, examined, command), async {
        match &examined.queue {
            Some(name) => Some(queue::look(name, examined, settings, command).await),
            None => None,
        }
    });
    let (bucket, announced) = found;
    findings.extend(bucket);
    // Whoever names no queue means the one that the bucket tells.
    let told = announced.iter().flatten().find_map(|announced| match &announced.to {
        Told::Queue(arn) => Some(arn.rsplit(':').next().unwrap_or_default().to_owned()),
        _ => None,
    });
    let (queue, arn) = match (named, told) {
        (Some(looked), _) => looked,
        (None, Some(name)) => queue::look(&name, examined, settings, command).await,
        (None, None) => {
            (vec![Finding::skip("queue", format!("not looked at: name one with --queue or {QUEUE}"))], None)
        }
    };
    if let (Some(bucket), Some(announced)) = (&examined.bucket, &announced) {
        findings.push(judged(bucket, announced, arn.as_deref(), command));
    }
    findings.extend(queue);
    findings
}

fn no_bucket() -> Finding {
    let says = "not looked at, nor the clock beside its: name one";
    Finding::skip("bucket", says).way_out(format!("{PROGRAM} doctor s3://bucket"))
}

async fn credentials(probe: &Probe) -> Vec<Finding> {
    vec![match probe.credentials().await {
        Ok(signer) => match signer.until {
            Some(until) if until < Timestamp::now() => {
                Finding::fail("credentials", format!("{} expired at {until}", signer.key)).way_out(WAYS)
            }
            Some(until) => Finding::ok("credentials", format!("{}, until {until}", signer.key)),
            None => Finding::ok("credentials", format!("access key {}", signer.key)),
        },
        Err(why) => Finding::fail("credentials", format!("none: {}", short(&why))).way_out(WAYS),
    }]
}

/// The SDK goes on with a line for each place that it looked in.
fn short(why: &str) -> &str {
    let first = why.lines().next().unwrap_or_default();
    first.trim_end_matches("Attempted:").trim_end().trim_end_matches('.')
}

pub(super) const WAYS: &str = "aws configure, or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for `spotter serve`: \
                    eval \"$(spotter env)\"";

/// What was found, and whom the bucket tells, if that is known.
async fn of_bucket(probe: &Probe, examined: &Examined, command: &Command) -> (Vec<Finding>, Option<Vec<Announced>>) {
    let Some(bucket) = &examined.bucket else { return (vec![no_bucket()], None) };
    let mut announced = None;
    let tells = within("events", async {
        match probe.notifications(bucket).await {
            Ok(all) => {
                announced = Some(all);
                Vec::new()
            }
            Err(refusal) => silent(bucket, &refusal).into_iter().collect(),
        }
    });
    let (mut findings, tells) = futures_util::join!(within("bucket", itself(probe, bucket, command)), tells);
    findings.extend(probe.ahead().map(clock));
    findings.extend(tells);
    (findings, announced)
}

async fn itself(probe: &Probe, bucket: &str, command: &Command) -> Vec<Finding> {
    let (first, mut findings) = match probe.first(bucket).await {
        Ok(first) => (first, vec![Finding::ok("bucket", format!("s3://{bucket} can be listed"))]),
        Err(refusal) => return vec![refused(bucket, &refusal, command)],
    };
    let Some(key) = first else {
        findings
            .push(Finding::skip("objects", format!("s3://{bucket} is empty: whether one may be read is not known")));
        return findings;
    };
    findings.push(match probe.head(bucket, &key).await {
        Ok(()) => Finding::ok("objects", format!("s3://{bucket}/{key} may be read")),
        Err(Refusal { is: Refused::Denied, says }) => {
            Finding::fail("objects", format!("s3://{bucket}/{key}: access denied, {says}")).way_out(format!(
                "allow s3:GetObject and s3:GetObjectVersion on arn:aws:s3:::{bucket}/* (and kms:Decrypt, if a KMS key encrypts it)"
            ))
        }
        // It went between the two requests, or is archived.
        Err(refusal) => Finding::warn("objects", format!("s3://{bucket}/{key} could not be looked at: {}", refusal.says)),
    });
    findings
}

fn refused(bucket: &str, refusal: &Refusal, command: &Command) -> Finding {
    let Refusal { is, says } = refusal;
    let fail = |check, what: String| Finding::fail(check, what);
    match is {
        Refused::Credentials => fail("credentials", format!("the store refuses them: {says}")).way_out(WAYS),
        Refused::Denied => fail("bucket", format!("s3://{bucket} may not be listed: {says}")).way_out(format!(
            "allow s3:ListBucket on arn:aws:s3:::{bucket}; without it a missing object looks like a forbidden one"
        )),
        Refused::NoBucket => fail("bucket", format!("there is no s3://{bucket}"))
            .way_out(command.aws(&format!("s3 mb s3://{}", quoted(bucket)))),
        Refused::Elsewhere(region) => fail("bucket", format!("s3://{bucket} is in {region}"))
            .way_out(format!("AWS_REGION={region}, or --region {region}")),
        Refused::Unsupported | Refused::Other => fail("bucket", format!("s3://{bucket} cannot be listed: {says}"))
            .way_out("is AWS_ENDPOINT_URL or --endpoint-url right, and does what it names run?"),
    }
}

/// Of a bucket whose notifications could not be read; nothing where the bucket itself says it already.
fn silent(bucket: &str, refusal: &Refusal) -> Option<Finding> {
    let Refusal { is, says } = refusal;
    match is {
        Refused::Denied => Some(
            Finding::warn("events", format!("whom s3://{bucket} tells of uploads may not be seen: {says}"))
                .way_out(format!("allow s3:GetBucketNotification on arn:aws:s3:::{bucket}")),
        ),
        Refused::Unsupported => Some(Finding::skip(
            "events",
            format!(
                "the store does not say whom it tells of uploads: {says} (`spotter serve` watches every bucket; docs/your-bucket.md has other stores)"
            ),
        )),
        Refused::Other => {
            Some(Finding::warn("events", format!("whom s3://{bucket} tells of uploads is not known: {says}")))
        }
        Refused::Credentials | Refused::NoBucket | Refused::Elsewhere(_) => None,
    }
}

fn clock(ahead: i64) -> Finding {
    let off = ahead.unsigned_abs();
    let seconds = off / 1_000;
    let which = if ahead > 0 { "behind" } else { "ahead of" };
    let way_out = "timedatectl set-ntp true";
    match off {
        0..=NO_SKEW => Finding::ok("clock", "as the bucket's, to a few seconds"),
        off if off <= REFUSED_SKEW => Finding::warn(
            "clock",
            format!("{seconds} s {which} the bucket's: corrections, --since and signed uploads go by this machine's"),
        )
        .way_out(way_out),
        _ => Finding::fail(
            "clock",
            format!("{seconds} s {which} the bucket's: S3 refuses requests whose time is off by more than 15 minutes"),
        )
        .way_out(way_out),
    }
}

fn notification(queue: &str) -> String {
    let events = EVENTS.map(|(event, _)| format!("\"{event}:*\"")).join(",");
    format!(r#"{{"QueueConfigurations":[{{"QueueArn":"{queue}","Events":[{events}]}}]}}"#)
}

/// Whether the bucket tells the queue, if one is known, or anybody, of what it should.
fn judged(bucket: &str, announced: &[Announced], queue: Option<&str>, command: &Command) -> Finding {
    let tells = match queue {
        Some(queue) => command.aws(&format!(
            "s3api put-bucket-notification-configuration --bucket {} --notification-configuration {}",
            quoted(bucket),
            quoted(&notification(queue))
        )),
        None => format!("{PROGRAM} doctor s3://{bucket} --queue NAME, of a queue that is there, has the command"),
    };
    if announced.is_empty() {
        return Finding::fail("events", format!("s3://{bucket} tells nobody of uploads")).way_out(tells);
    }
    let by_way: Vec<&Announced> = announced.iter().filter(|one| !matches!(one.to, Told::Queue(_))).collect();
    let ours: Vec<&Announced> = announced
        .iter()
        .filter(|one| match (&one.to, queue) {
            (Told::Queue(arn), Some(queue)) => arn == queue,
            (_, None) => true,
            _ => false,
        })
        .collect();
    if ours.is_empty() {
        let told: Vec<String> = announced.iter().map(|one| one.to.to_string()).collect();
        let (told, queue) = (told.join(", "), queue.unwrap_or_default());
        return match by_way.is_empty() {
            true => Finding::fail("events", format!("s3://{bucket} tells {told}, and not {queue}; {REPLACED}"))
                .way_out(tells),
            false => Finding::warn(
                "events",
                format!("s3://{bucket} tells {told}; whether that leads to {queue} is not seen from here"),
            ),
        };
    }
    let missing: Vec<_> = EVENTS.iter().filter(|(event, _)| !ours.iter().any(|one| tells_of(one, event))).collect();
    let Some((first, _)) = missing.first() else {
        let mut told: Vec<String> = ours.iter().map(|one| one.to.to_string()).collect();
        told.dedup();
        return Finding::ok("events", format!("s3://{bucket} tells {}{}", told.join(", "), only(&ours)));
    };
    let what: Vec<String> = missing.iter().map(|(event, what)| format!("{event}:*: {what}")).collect();
    let says = format!("s3://{bucket} does not tell of {}; {REPLACED}", what.join("; nor of "));
    let level = if *first == EVENTS[0].0 { Level::Fail } else { Level::Warn };
    Finding::new("events", level, says).way_out(tells)
}

fn tells_of(one: &Announced, event: &str) -> bool {
    one.to == Told::EventBridge || one.events.iter().any(|of| of.starts_with(event))
}

/// `, of keys with prefix photos/ only`
fn only(ours: &[&Announced]) -> String {
    let mut rules: Vec<String> =
        ours.iter().map(|one| one.only.join(" and ")).filter(|rules| !rules.is_empty()).collect();
    rules.dedup();
    if rules.is_empty() { String::new() } else { format!(", of keys with {} only", rules.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classifier::Level::{Fail, Ok, Warn};
    use crate::objects::S3Settings;

    const ALL: [&str; 3] = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"];

    fn tells(to: Told, events: &[&str]) -> Announced {
        Announced { to, events: events.iter().map(|event| (*event).to_owned()).collect(), only: Vec::new() }
    }

    fn level(announced: &[Announced], queue: Option<&str>) -> Level {
        judged("b", announced, queue, &Command::of(&S3Settings::default(), None)).level
    }

    #[test]
    fn a_bucket_tells_its_queue_of_all_three() {
        let (queue, other) = (|| Told::Queue("arn:q".into()), Told::Queue("arn:other".into()));
        let topic = Told::Topic("arn:t".into());
        for (announced, expected) in [
            (vec![], Fail),
            (vec![tells(queue(), &ALL)], Ok),
            (ALL.map(|event| tells(queue(), &[event])).into(), Ok),
            (vec![tells(queue(), &ALL[..1])], Warn),
            (vec![tells(queue(), &["s3:ObjectCreated:Put", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"])], Ok),
            (vec![tells(queue(), &ALL[1..])], Fail),
            (vec![tells(other, &ALL)], Fail),
            (vec![tells(topic, &ALL)], Warn),
            (vec![tells(Told::EventBridge, &[])], Warn),
        ] {
            assert_eq!(level(&announced, Some("arn:q")), expected, "{announced:?}");
        }
        assert_eq!(level(&[tells(Told::EventBridge, &[])], None), Ok);
        assert_eq!(level(&[tells(queue(), &ALL)], None), Ok);
    }

    #[test]
    fn a_clock_may_be_off_by_a_few_seconds() {
        for (ahead, level) in
            [(0, Ok), (-4_999, Ok), (5_001, Warn), (-900_000, Warn), (900_001, Fail), (i64::MIN, Fail)]
        {
            assert_eq!(clock(ahead).level, level, "{ahead}");
        }
        assert!(clock(60_000).says.starts_with("60 s behind the bucket's"), "a bucket that is ahead");
    }
}
