//! The queue: what it is set to, its dead letters, and how much waits.

use std::time::Duration;

use super::aws::{Command, quoted};
use super::bucket::WAYS;
use super::{Examined, LIMIT};
use crate::classifier::Finding;
use crate::config::Settings;
use crate::worker::probe::{self, Looked, Redrive};
use crate::worker::{QueueError, QueueSettings};

/// Time-outs of the function that a message stays hidden, as AWS advises:
/// <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html>
const TIMEOUTS: u32 = 6;
/// Receives before a message is put aside, as AWS advises there.
const RECEIVES: u32 = 5;
/// What `template.yaml` and `compose.yaml` have: the longest that SQS keeps a message.
const RETENTION: &str = "1209600";

/// What was found, and the queue's ARN.
pub(super) async fn look(
    name: &str,
    examined: &Examined,
    settings: &Settings,
    command: &Command,
) -> (Vec<Finding>, Option<String>) {
    let home = settings.s3.clone();
    let at = QueueSettings { queue: name.to_owned(), home, endpoint_in_env: settings.queue_endpoint_in_env.is_some() };
    match tokio::time::timeout(LIMIT, probe::look(&at)).await {
        Ok(Ok(looked)) => (judged(&looked, examined.function_timeout, command), Some(looked.arn)),
        Ok(Err(error)) => (vec![refused("queue", &error, command)], None),
        Err(_) => (vec![Finding::fail("queue", format!("queue {name}: no answer within {} s", LIMIT.as_secs()))], None),
    }
}

fn refused(check: &'static str, error: &QueueError, command: &Command) -> Finding {
    let way_out = match error {
        QueueError::Refused(says) if says.starts_with("no credentials") => WAYS.to_owned(),
        QueueError::Refused(_) => command.aws("sqs list-queues"),
        QueueError::Away(_) => "is AWS_ENDPOINT_URL or --endpoint-url right, and does what it names run?".to_owned(),
    };
    Finding::fail(check, error.to_string()).way_out(way_out)
}

fn judged(looked: &Looked, timeout: Duration, command: &Command) -> Vec<Finding> {
    let Looked { url, waiting, under_way, redrive, .. } = looked;
    let mut findings = vec![
        Finding::ok("queue", format!("{}: {waiting} waiting, {under_way} under way", name(url))),
        visibility(looked, timeout, command),
    ];
    match redrive {
        None => findings.push(no_dead_letters(looked, command)),
        Some(redrive) => findings.extend(dead_letters(looked, redrive, command)),
    }
    findings
}

fn visibility(looked: &Looked, timeout: Duration, command: &Command) -> Finding {
    let (visible, wanted) = (looked.visibility, timeout * TIMEOUTS);
    let [seconds, limit] = [visible, timeout].map(|time| time.as_secs());
    let set = command.aws(&format!(
        "sqs set-queue-attributes --queue-url {} --attributes VisibilityTimeout={}",
        quoted(&looked.url),
        wanted.as_secs()
    ));
    if visible < timeout {
        let says = format!(
            "{seconds} s: a function of {limit} s (--function-timeout) would be given messages that it still has"
        );
        return Finding::fail("visibility", says).way_out(set);
    }
    if visible < wanted {
        let says = format!(
            "{seconds} s: for a function of {limit} s (--function-timeout) {TIMEOUTS} times that are advised; `spotter worker` hides what it has for longer by itself"
        );
        return Finding::warn("visibility", says).way_out(set);
    }
    Finding::ok("visibility", format!("{seconds} s, at least {TIMEOUTS} times a function's {limit} s"))
}

fn no_dead_letters(looked: &Looked, command: &Command) -> Finding {
    let Looked { url, arn, .. } = looked;
    let (dead, dead_arn) = (format!("{}-dead", name(url)), format!("{arn}-dead"));
    let create = command.aws(&format!(
        "sqs create-queue --queue-name {} --attributes MessageRetentionPeriod={RETENTION}",
        quoted(&dead)
    ));
    let says = "none: what always fails comes again until its retention is over, and is then gone unseen";
    Finding::fail("dead letters", says).way_out(format!("{create} && {}", redrive_to(url, &dead_arn, command)))
}

/// 241 receives of 361 s are the day's outage of `template.yaml`.
fn redrive_to(url: &str, arn: &str, command: &Command) -> String {
    let policy = format!(r#"{{"RedrivePolicy":"{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":\"241\"}}"}}"#);
    command.aws(&format!("sqs set-queue-attributes --queue-url {} --attributes {}", quoted(url), quoted(&policy)))
}

fn dead_letters(looked: &Looked, redrive: &Redrive, command: &Command) -> Vec<Finding> {
    let Redrive { arn, max_receives, queue } = redrive;
    let Looked { url, visibility, retention, .. } = looked;
    let dead = match queue {
        Ok(dead) => dead,
        Err(error @ QueueError::Refused(says)) if says.starts_with("there is no queue") => {
            let create =
                format!("sqs create-queue --queue-name {}", quoted(arn.rsplit(':').next().unwrap_or_default()));
            let way_out = command.aws(&format!("{create} --attributes MessageRetentionPeriod={RETENTION}"));
            return vec![Finding::fail("dead letters", error.to_string()).way_out(way_out)];
        }
        Err(error) => return vec![refused("dead letters", error, command)],
    };
    let mut findings = vec![depth(dead, command)];
    let lasts = visibility.saturating_mul(max_receives.saturating_sub(1));
    if lasts >= *retention {
        let says = format!(
            "{max_receives} receives, {} s apart, take longer than the {} for which a message is kept: it is gone before it is put aside",
            visibility.as_secs(),
            span(*retention)
        );
        let longer = format!("--attributes MessageRetentionPeriod={RETENTION}");
        let set = command.aws(&format!("sqs set-queue-attributes --queue-url {} {longer}", quoted(url)));
        findings.push(Finding::fail("receives", says).way_out(set));
    } else if *max_receives < RECEIVES {
        let says = format!(
            "{max_receives}: AWS advises {RECEIVES} at least; an outage of {} puts good messages aside",
            span(lasts)
        );
        findings.push(Finding::warn("receives", says).way_out(redrive_to(url, arn, command)));
    } else {
        let says =
            format!("{max_receives}, then it is put aside: with a function that is an outage of {}", span(lasts));
        findings.push(Finding::ok("receives", says));
    }
    // A message that is put aside keeps the time at which it was sent.
    if dead.retention < *retention {
        let set = format!(
            "sqs set-queue-attributes --queue-url {} --attributes MessageRetentionPeriod={RETENTION}",
            quoted(&dead.url)
        );
        let says = format!(
            "kept for {}, less than in the queue itself ({}): some are gone at once",
            span(dead.retention),
            span(*retention)
        );
        findings.push(Finding::warn("dead letters", says).way_out(command.aws(&set)));
    }
    findings
}

fn depth(dead: &Looked, command: &Command) -> Finding {
    let Looked { url, arn, waiting, under_way, .. } = dead;
    match waiting + under_way {
        0 => Finding::ok("dead letters", format!("{}: empty", name(url))),
        aside => Finding::warn(
            "dead letters",
            format!("{}: {aside} put aside; docs/runbook.md says what to look at", name(url)),
        )
        .way_out(command.aws(&format!("sqs start-message-move-task --source-arn {}", quoted(arn)))),
    }
}

fn name(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or_default()
}

/// `24 h`, `4 d`
fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;
    use crate::classifier::Level::{self, Fail, Ok, Warn};
    use crate::objects::S3Settings;

    const DAY: u64 = 86_400;

    fn queue(seconds: u64, days: u64) -> Looked {
        let [visibility, retention] = [seconds, days * DAY].map(Duration::from_secs);
        Looked { url: "http://sqs/0/q".into(), arn: "arn:q".into(), visibility, retention, ..Looked::default() }
    }

    fn with(looked: Looked, max_receives: u32, dead: Looked) -> Looked {
        let redrive = Redrive { arn: "arn:dead".into(), max_receives, queue: Result::Ok(Box::new(dead)) };
        Looked { redrive: Some(redrive), ..looked }
    }

    fn levels(looked: &Looked) -> Vec<Level> {
        let findings = judged(looked, Duration::from_secs(60), &Command::of(&S3Settings::default(), None));
        findings.iter().map(|finding| finding.level).collect()
    }

    #[test]
    fn the_template_is_well_and_each_step_away_from_it_is_seen() {
        let dead = || queue(30, 14);
        for (looked, expected) in [
            (with(queue(361, 14), 241, dead()), vec![Ok, Ok, Ok, Ok]),
            (queue(360, 14), vec![Ok, Ok, Fail]),
            (with(queue(359, 14), 5, dead()), vec![Ok, Warn, Ok, Ok]),
            (with(queue(59, 14), 5, dead()), vec![Ok, Fail, Ok, Ok]),
            (with(queue(360, 14), 4, dead()), vec![Ok, Ok, Ok, Warn]),
            (with(queue(361, 1), 241, dead()), vec![Ok, Ok, Ok, Fail]),
            (with(queue(361, 14), 241, queue(30, 4)), vec![Ok, Ok, Ok, Ok, Warn]),
            (with(queue(361, 14), 241, Looked { waiting: 1, ..dead() }), vec![Ok, Ok, Warn, Ok]),
        ] {
            assert_eq!(levels(&looked), expected, "{looked:?}");
        }
    }

    #[test]
    fn dead_letters_that_cannot_be_looked_at_are_told() {
        for (error, way_out) in [
            (
                QueueError::Refused("there is no queue dead".into()),
                "aws sqs create-queue --queue-name dead --attributes ",
            ),
            (QueueError::Refused("access denied".into()), "aws sqs list-queues"),
            (QueueError::Away("no answer".into()), "is AWS_ENDPOINT_URL or "),
        ] {
            let redrive = Redrive { arn: "arn:aws:sqs:x:1:dead".into(), max_receives: 5, queue: Err(error.clone()) };
            let looked = Looked { redrive: Some(redrive), ..queue(360, 14) };
            let findings = judged(&looked, Duration::from_secs(60), &Command::of(&S3Settings::default(), None));
            let told = findings.iter().find(|finding| finding.check == "dead letters").unwrap();
            assert_eq!((told.level, &*told.says), (Fail, &*error.to_string()));
            assert!(told.way_out.as_ref().is_some_and(|is| is.starts_with(way_out)), "{:?}", told.way_out);
        }
    }

    #[test]
    fn spans_are_told_in_what_people_count() {
        let told = [59, 361 * 4, 361 * 240, 14 * DAY].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(told, ["59 s", "24 min", "24 h", "14 d"]);
    }
}
