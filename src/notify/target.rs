//! Whom to tell and of what, as people write it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

use crate::record::{Record, Status};

/// Who is told.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// An SNS topic.
    Topic(Arn),
    /// An SQS queue.
    Queue(Arn),
    /// An EventBridge bus.
    Bus(Arn),
    /// `https`, or `http` on this machine.
    Url(Uri),
}

/// `arn:partition:service:region:account:resource`.
#[derive(Clone, PartialEq, Eq)]
pub struct Arn {
    text: String,
    pub region: String,
    pub account: String,
    /// Without the kind that stands before a `/`.
    pub name: String,
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Arn {
    /// A name that ends so is of a queue or a topic that keeps an order.
    pub fn is_fifo(&self) -> bool {
        self.name.ends_with(".fifo")
    }

    /// Whether this may be the queue that somebody names: by its ARN, by its name, or as
    /// `https://host/account/name`, whatever the host, because lookalikes have their own.
    pub(super) fn is_queue(&self, named: &str) -> bool {
        if named.starts_with("arn:") {
            return self.text == named;
        }
        let mut path = named.trim_end_matches('/').rsplit('/');
        let (name, account) = (path.next().unwrap_or_default(), path.next().unwrap_or_default());
        // ElasticMQ has `http://host/queue/name`.
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        name == self.name && (!is_account || account == self.account)
    }
}

/// What is wrong with a word, without the word.
impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        if text.starts_with("arn:") {
            return arn(text);
        }
        let url: Uri = text.parse().map_err(|_| WHAT.to_owned())?;
        let host = url.host().unwrap_or_default();
        if url.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("a URL here has no login: let the receiver check the signature instead".into());
        }
        match url.scheme_str() {
            _ if host.is_empty() => Err(WHAT.into()),
            Some("https") => Ok(Target::Url(url)),
            Some("http") if is_loopback(host) => Ok(Target::Url(url)),
            Some("http") => Err("plain http goes to this machine only: use https".into()),
            _ => Err(WHAT.into()),
        }
    }
}

const WHAT: &str = "must be the ARN of an SNS topic, an SQS queue or an EventBridge bus, or an https URL, \
                    or several with commas between";

fn arn(text: &str) -> Result<Target, String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let &[_, partition, service, region, account, resource] = &parts[..] else {
        return Err("an ARN is arn:partition:service:region:account:name".into());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let named = |name: &str| {
        let whole = [partition, region, account, name].iter().all(|part| !part.is_empty());
        if !whole || !name.chars().all(|c| plain(c) || c == '/') {
            return Err(format!("this is no ARN of {service}'s: arn:partition:{service}:region:account:name"));
        }
        Ok(Arn { text: text.into(), region: region.into(), account: account.into(), name: name.into() })
    };
    match service {
        "sns" => named(resource).map(Target::Topic),
        "sqs" => named(resource).map(Target::Queue),
        "events" => match resource.strip_prefix("event-bus/") {
            Some(name) => named(name).map(Target::Bus),
            None => Err("an EventBridge bus is arn:partition:events:region:account:event-bus/name".into()),
        },
        _ => Err(WHAT.into()),
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// A URL's path may be a secret, as with chats: neither a log nor an error has it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Topic(arn) | Target::Queue(arn) | Target::Bus(arn) => arn.fmt(f),
            Target::Url(url) => f.write_str(&origin(url)),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

pub(super) fn origin(url: &Uri) -> String {
    let authority = url.authority().map_or("", |authority| authority.as_str());
    format!("{}://{authority}", url.scheme_str().unwrap_or_default())
}

/// Which records are told: every one, or those that have one of these statuses or labels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Only(Vec<Word>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    Status(Status),
    /// Of what is classified: as listings find it.
    Label(String),
}

impl Only {
    pub fn includes(&self, record: &Record) -> bool {
        let matches = |word: &Word| match word {
            Word::Status(status) => record.status == *status,
            Word::Label(label) => {
                record.status == Status::Classified && record.listed_under().contains(&label.as_str())
            }
        };
        self.0.is_empty() || self.0.iter().any(matches)
    }

    /// Those of its labels that are none of a model's.
    pub fn unknown<'a>(&'a self, labels: &'a [String]) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(move |word| match word {
            Word::Label(label) if !labels.contains(label) => Some(label.as_str()),
            _ => None,
        })
    }
}

impl FromStr for Only {
    type Err = String;

    /// `classified,unsure,label:7`.
    fn from_str(text: &str) -> Result<Only, String> {
        let word = |word: &str| match (word.trim(), word.trim().strip_prefix("label:")) {
            (_, Some(label)) if !label.is_empty() => Ok(Word::Label(label.into())),
            (status, _) => Status::parse(status).map(Word::Status).ok_or_else(|| {
                let statuses = Status::ALL.map(Status::as_str).join(", ");
                format!("use {statuses} or label:NAME, or several with commas between")
            }),
        };
        text.split(',').map(word).collect::<Result<_, _>>().map(Only)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a panic is a failed test

    use super::*;

    fn target(text: &str) -> Result<Target, String> {
        text.parse()
    }

    #[test]
    fn arns_and_urls() {
        let Ok(Target::Queue(queue)) = target("arn:aws:sqs:eu-central-1:111122223333:seen.fifo") else { panic!() };
        assert_eq!((&*queue.region, &*queue.account, &*queue.name), ("eu-central-1", "111122223333", "seen.fifo"));
        assert!(queue.is_fifo());
        assert!(matches!(target("arn:aws-cn:sns:cn-north-1:111122223333:seen"), Ok(Target::Topic(_))));
        let Ok(Target::Bus(bus)) = target("arn:aws:events:us-east-1:111122223333:event-bus/a/b") else { panic!() };
        assert_eq!((&*bus.name, bus.is_fifo()), ("a/b", false));
        for url in ["https://example.com/in?x=1", "http://127.0.0.1:9/", "http://localhost/a", "http://[::1]:80/a"] {
            assert!(matches!(target(url), Ok(Target::Url(_))), "{url}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_refused_and_not_repeated() {
        for (bad, why) in [
            ("arn:aws:s3:::pictures", "SNS topic"),
            ("arn:aws:sqs:eu-central-1:111122223333", "arn:partition"),
            ("arn:aws:sqs::111122223333:seen", "no ARN of sqs"),
            ("arn:aws:sns:eu-central-1:111122223333:seen:5b1e", "no ARN of sns"),
            ("arn:aws:events:us-east-1:111122223333:rule/r", "event-bus/name"),
            ("http://example.com/token", "use https"),
            ("http://127.0.0.1.example.com/token", "use https"),
            ("https://bob:token@example.com/", "no login"),
            ("https:///token", "https URL"),
            ("ftp://example.com/token", "https URL"),
            ("example.com/token", "https URL"),
            ("", "https URL"),
        ] {
            let error = target(bad).unwrap_err();
            assert!(error.contains(why) && !error.contains("token"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_path_and_a_secret_are_never_shown() {
        let url = target("https://chat.example.com:8443/services/T000/token").unwrap();
        assert_eq!(format!("{url} {url:?}"), "https://chat.example.com:8443 https://chat.example.com:8443");
    }

    #[test]
    fn a_queue_is_known_by_any_name() {
        let Ok(Target::Queue(queue)) = target("arn:aws:sqs:eu-central-1:111122223333:seen") else { panic!() };
        for (url, same) in [
            ("https://sqs.eu-central-1.amazonaws.com/111122223333/seen", true),
            ("http://localhost:9324/queue/seen", true),
            ("http://localhost:9324/seen/", true),
            ("seen", true),
            ("arn:aws:sqs:eu-central-1:111122223333:seen", true),
            ("arn:aws:sqs:eu-west-1:111122223333:seen", false),
            ("https://sqs.eu-central-1.amazonaws.com/444455556666/seen", false),
            ("https://sqs.eu-central-1.amazonaws.com/111122223333/unseen", false),
            ("unseen", false),
        ] {
            assert_eq!(queue.is_queue(url), same, "{url}");
        }
    }

    #[test]
    fn words_are_checked() {
        assert!("classified, unsure,label:7".parse::<Only>().is_ok());
        for bad in ["", "seven", "label:", "classified,", "7"] {
            assert!(bad.parse::<Only>().unwrap_err().contains("version_removed or label:NAME"), "{bad}");
        }
    }
}
