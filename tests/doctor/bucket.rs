//! A bucket that is not as it should be: an endpoint that says what a real one would, with any time of day.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::SystemTime;

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use super::{Found, doctor, examine};

const SECRET: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("doctor::without_credentials_nothing_of_aws_is_asked", no_credentials),
        Trial::test("doctor::credentials_that_expire_are_told", expiring_credentials),
        Trial::test("doctor::a_clock_that_is_off_is_told", clock),
        Trial::test("doctor::a_permission_that_is_missing_is_named", permissions),
        Trial::test("doctor::wrong_credentials_and_regions_are_told", strangers),
        Trial::test("doctor::what_does_not_answer_is_told_and_not_waited_for", away),
    ]
}

/// Status, further headers and body of an answer.
type Answer = (u16, String, String);

/// Answers each request by its method and path, and is `late` by that.
struct Store {
    url: String,
}

impl Store {
    fn start(late: i64, answer: fn(&str) -> Answer) -> Result<Store, Failed> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                std::thread::spawn(move || {
                    let Ok(reads) = stream.try_clone() else { return };
                    let mut lines = BufReader::new(reads).lines().map_while(Result::ok);
                    while let Some(request) = lines.next() {
                        let _ = lines.by_ref().find(String::is_empty);
                        let (status, headers, body) = answer(&request);
                        let seconds = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed() - late;
                        let date = DateTime::from_secs(seconds).fmt(DateTimeFormat::HttpDate).unwrap();
                        let length = body.len();
                        let head =
                            format!("HTTP/1.1 {status} X\r\nDate: {date}\r\nContent-Length: {length}\r\n{headers}\r\n");
                        let body = if request.starts_with("HEAD") { "" } else { &body };
                        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Ok(Store { url })
    }

    fn look(&self, home: &TempDir) -> Result<Found, Failed> {
        let mut command = doctor(home, &["s3://pictures"]);
        command.envs([("AWS_ENDPOINT_URL", &*self.url), ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")]);
        let found = examine(command.env("AWS_SECRET_ACCESS_KEY", SECRET))?;
        assert!(!format!("{:?}", found.findings).contains(SECRET), "{:?}", found.findings);
        Ok(found)
    }
}

fn error(status: u16, code: &str) -> Answer {
    (status, String::new(), format!("<Error><Code>{code}</Code><Message>says the store</Message></Error>"))
}

/// One picture, which tells a function.
fn well(request: &str) -> Answer {
    let body = match request {
        _ if request.contains("notification") => {
            "<NotificationConfiguration><CloudFunctionConfiguration><Id>1</Id>\
             <CloudFunction>arn:aws:lambda:eu-central-1:1:function:spotter</CloudFunction><Event>s3:ObjectCreated:*</Event>\
             <Event>s3:ObjectRemoved:*</Event><Event>s3:LifecycleExpiration:*</Event>\
             <Filter><S3Key><FilterRule><Name>Prefix</Name><Value>photos/</Value></FilterRule></S3Key></Filter>\
             </CloudFunctionConfiguration></NotificationConfiguration>"
        }
        _ => {
            "<ListBucketResult><Name>pictures</Name><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated>\
             <Contents><Key>7.png</Key><Size>1</Size></Contents></ListBucketResult>"
        }
    };
    (200, String::new(), body.to_owned())
}

fn denied(is: bool, request: &str) -> Answer {
    if is { error(403, "AccessDenied") } else { well(request) }
}

fn odd(is: bool, request: &str) -> Answer {
    if is { error(400, "InvalidRequest") } else { well(request) }
}

fn no_credentials() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let found = examine(&mut doctor(&home, &["s3://pictures"]))?;
    found.fails("credentials", "none: ")?;
    assert!(found.way_out("credentials")?.contains("aws configure"));
    found.is("bucket", "skip", "without credentials")?;
    found.is("queue", "skip", "without credentials")?;
    // What needs none is looked at all the same.
    found.is("model", "ok", "digits/2")
}

/// As a container's task has them: from an address that says until when.
fn expiring_credentials() -> Result<(), Failed> {
    let keys = |request: &str| {
        let year = if request.contains("old") { 2020 } else { 2120 };
        let keys = r#""AccessKeyId":"AKIAIOSFODNN7EXAMPLE","SecretAccessKey":"secret","Token":"token""#;
        (200, String::new(), format!(r#"{{{keys},"Expiration":"{year}-01-01T00:00:00Z"}}"#))
    };
    let (home, store, keys) = (TempDir::new()?, Store::start(0, well)?, Store::start(0, keys)?);
    for (path, level, sentence, bucket) in
        [("old", "fail", "AKIA…MPLE expired at 2020-", "skip"), ("new", "ok", "AKIA…MPLE, until 2120-", "ok")]
    {
        let mut command = doctor(&home, &["s3://pictures"]);
        command.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/{path}", keys.url));
        let found = examine(command.envs([("AWS_ENDPOINT_URL", &*store.url), ("AWS_REGION", "us-east-1")]))?;
        found.is("credentials", level, sentence)?;
        found.is("bucket", bucket, "")?;
    }
    Ok(())
}

fn clock() -> Result<(), Failed> {
    let home = TempDir::new()?;
    for (late, level, sentence) in
        [(0, "ok", "to a few seconds"), (-60, "warn", " s behind the bucket's"), (3_600, "fail", " s ahead of")]
    {
        let found = Store::start(late, well)?.look(&home)?;
        found.is("clock", level, sentence)?;
        assert_eq!(found.code, Some(i32::from(level == "fail")));
        found.is("credentials", "ok", "access key AKIA…MPLE")?;
        found.is("objects", "ok", "s3://pictures/7.png may be read")?;
        found.is("events", "ok", "function:spotter, of keys with prefix photos/ only")?;
        found.is("queue", "skip", "--queue")?;
    }
    Ok(())
}

fn permissions() -> Result<(), Failed> {
    let home = TempDir::new()?;
    for (store, check, level, action) in [
        (Store::start(0, |request| denied(request.contains("list-type"), request))?, "bucket", "fail", "s3:ListBucket"),
        (Store::start(0, |request| denied(request.starts_with("HEAD"), request))?, "objects", "fail", "s3:GetObject"),
        (
            Store::start(0, |request| denied(request.contains("notification"), request))?,
            "events",
            "warn",
            "s3:GetBucketNotification",
        ),
    ] {
        let found = store.look(&home)?;
        found.is(check, level, "")?;
        assert!(found.way_out(check)?.contains(&format!("allow {action} ")) || found.way_out(check)?.contains(action));
        assert_eq!(found.code, Some(i32::from(level == "fail")));
    }
    Ok(())
}

fn strangers() -> Result<(), Failed> {
    let home = TempDir::new()?;
    for code in ["InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"] {
        let answer: fn(&str) -> Answer = match code {
            "InvalidAccessKeyId" => |_| error(403, "InvalidAccessKeyId"),
            "SignatureDoesNotMatch" => |_| error(403, "SignatureDoesNotMatch"),
            _ => |_| error(400, "ExpiredToken"),
        };
        let found = Store::start(0, answer)?.look(&home)?;
        let refused = found.levels("fail");
        assert_eq!(refused.len(), 1, "once: {refused:?}");
        assert!(refused[0]["check"] == "credentials" && refused[0].to_string().contains(code), "{refused:?}");
    }
    let elsewhere = |_: &str| {
        let (status, _, body) = error(301, "PermanentRedirect");
        (status, "x-amz-bucket-region: eu-west-3\r\n".to_owned(), body)
    };
    let found = Store::start(0, elsewhere)?.look(&home)?;
    found.fails("bucket", "s3://pictures is in eu-west-3")?;
    assert!(found.way_out("bucket")?.contains("--region eu-west-3"));
    let found = Store::start(0, |_| error(404, "NoSuchBucket"))?.look(&home)?;
    found.fails("bucket", "there is no s3://pictures")?;
    let found =
        Store::start(
            0,
            |request| if request.contains("notification") { error(501, "NotImplemented") } else { well(request) },
        )?;
    found.look(&home)?.is("events", "skip", "does not say whom it tells")?;
    // What is none of these is told in the store's words.
    for (store, check, sentence) in [
        (Store::start(0, |request| odd(request.contains("notification"), request))?, "events", "is not known: "),
        (Store::start(0, |request| odd(request.starts_with("HEAD"), request))?, "objects", "could not be looked at: "),
    ] {
        store.look(&home)?.is(check, "warn", sentence)?;
    }
    Ok(())
}

/// Nobody listens, and somebody listens and says nothing: to S3, to SQS and to CQL at once.
fn away() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let port = silent.local_addr()?.port();
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    for (port, why) in [(port, "no answer within 15 s"), (nobody, "")] {
        let mut command =
            doctor(&home, &["s3://pictures", "--queue", "pictures", "--cassandra", &format!("127.0.0.1:{port}")]);
        command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")).env("AWS_REGION", "us-east-1");
        let found = examine(command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]))?;
        let failed: Vec<_> = found
            .levels("fail")
            .iter()
            .map(|finding| finding["check"].as_str().unwrap_or_default().to_owned())
            .collect();
        for check in ["bucket", "queue", "database"] {
            assert!(failed.iter().any(|failed| failed == check), "{check} in {:?}", found.findings);
        }
        // By the doctor's own clock, not when some client has had enough.
        for check in ["bucket", "queue"] {
            found.is(check, "fail", why)?;
        }
        found.is("model", "ok", "digits/2")?;
    }
    drop(silent);
    Ok(())
}
