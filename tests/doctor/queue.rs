//! On a real SQS and S3 API: each thing that is wrong is seen, and the command beside it mends it.

use std::process::{Command, Stdio};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_sqs::types::QueueAttributeName;
use libtest_mimic::{Failed, Trial};

use super::{Found, examine};
use crate::harness::{localstack, needs, on_runtime};
use crate::worker::site::{Site, until};

pub fn trials() -> Vec<Trial> {
    let aws = Command::new("aws").arg("--version").output().is_ok_and(|output| output.status.success());
    let with_aws =
        localstack::endpoint().and_then(|part| if aws { Ok(part) } else { Err("no aws on the PATH".into()) });
    vec![
        needs("doctor::each_fault_of_bucket_and_queue_is_seen", localstack::endpoint(), |part| {
            on_runtime(async move { faults(part.get()?).await })
        }),
        needs("doctor::what_it_tells_people_to_type_mends_it", with_aws, |part| {
            on_runtime(async move { mended(part.get()?).await })
        }),
    ]
}

/// As `spotter worker` of this site would go there.
fn look(site: &Site, arguments: &[&str]) -> Result<Found, Failed> {
    let command = site.worker("");
    let mut doctor = Command::new(command.get_program());
    doctor.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    doctor.current_dir(command.get_current_dir().ok_or("no folder")?);
    examine(doctor.arg("doctor").args(arguments))
}

async fn faults(endpoint: &'static str) -> Result<(), Failed> {
    let site = Site::new(endpoint, 30, 4).await?;
    let bucket = format!("s3://{}", site.name);
    let found = look(&site, &[&bucket, "--queue", &site.name])?;
    found.is("bucket", "ok", "can be listed")?;
    found.is("objects", "skip", "is empty")?;
    found.is("clock", "ok", "")?;
    found.is("events", "warn", "does not tell of s3:ObjectRemoved:*")?;
    // A store announces itself in a queue that it is told of.
    found.is("queue", "ok", " waiting, 0 under way")?;
    found.fails("visibility", "30 s: a function of 60 s")?;
    found.is("receives", "warn", "4: AWS advises 5")?;
    found.is("dead letters", "ok", "-dead: empty")?;
    // Of a shorter function it is enough, or nearly.
    for (timeout, level) in [("5s", "ok"), ("6s", "warn")] {
        let found = look(&site, &[&bucket, "--queue", &site.name, "--function-timeout", timeout])?;
        found.is("visibility", level, "30 s")?;
        assert_eq!(found.code, Some(0), "{:?}", found.findings);
    }
    // The queue that the bucket tells, by its name.
    look(&site, &[&bucket])?.is("visibility", "fail", "30 s")?;

    // Somebody else's queue, none, and one that puts nothing aside.
    let other = format!("{}-other", site.name);
    let url = site.create_queue(&other, &[]).await?;
    let found = look(&site, &[&bucket, "--queue", &url])?;
    found.fails("events", &format!("and not arn:aws:sqs:us-east-1:000000000000:{other}"))?;
    found.is("dead letters", "fail", "none: ")?;
    let found = look(&site, &["--queue", &format!("{}-typo", site.name)])?;
    found.fails("queue", "there is no queue")?;
    found.is("bucket", "skip", "name one")?;

    // Its dead letters are gone, or some are in there.
    site.sqs.send_message().queue_url(&site.dead_letters).message_body("{}").send().await?;
    let found = look(&site, &["--queue", &site.name])?;
    found.is("dead letters", "warn", "1 put aside")?;
    site.sqs.delete_queue().queue_url(&site.dead_letters).send().await?;
    look(&site, &["--queue", &site.name])?.fails("dead letters", "there is no queue")?;

    // It forgets before it puts aside.
    let attributes =
        [(QueueAttributeName::MessageRetentionPeriod, "90"), (QueueAttributeName::VisibilityTimeout, "30")];
    for (name, value) in attributes {
        site.sqs.set_queue_attributes().queue_url(&site.url).attributes(name, value).send().await?;
    }
    site.create_queue(&format!("{}-dead", site.name), &[]).await?;
    look(&site, &["--queue", &site.name])?.fails("receives", "gone before it is put aside")?;

    let notifies = aws_sdk_s3::types::NotificationConfiguration::builder().build();
    let request = site.s3.put_bucket_notification_configuration().bucket(&site.name);
    request.notification_configuration(notifies).send().await?;
    look(&site, &[&bucket, "--queue", &site.name])?.fails("events", "tells nobody of uploads")?;
    look(&site, &[&format!("{bucket}-typo")])?.fails("bucket", "there is no s3://")
}

/// From nothing to all well, by typing what it says and nothing else.
async fn mended(endpoint: &'static str) -> Result<(), Failed> {
    let site = Site::new(endpoint, 30, 5).await?;
    let (bucket, queue) = (format!("s3://{}-new", site.name), format!("{}-new", site.name));
    // What kind of queue is for people to say.
    let url = site.create_queue(&queue, &[]).await?;
    let arguments = [&*bucket, "--queue", &*queue];
    let mut typed = 0;
    loop {
        let found = look(&site, &arguments)?;
        let wrong = ["fail", "warn"]
            .into_iter()
            .flat_map(|level| found.levels(level))
            .find(|finding| finding["check"] != "disk");
        let Some(wrong) = wrong else { break };
        let way_out = wrong["way_out"].as_str().ok_or(format!("no way out: {wrong}"))?;
        typed += 1;
        assert!(typed <= 6, "it goes on: {wrong}");
        type_in(&site, way_out)?;
    }
    assert_eq!(typed, 4, "bucket, events, visibility, dead letters");

    site.sqs.purge_queue().queue_url(&url).send().await?;
    let picture = crate::cloud::sample("8 small.png")?;
    site.s3.put_object().bucket(&queue).key("8.png").body(ByteStream::from(picture)).send().await?;
    until("the upload is told", async || Ok(site.messages(&url).await? == 1)).await?;
    let found = look(&site, &arguments)?;
    found.is("objects", "ok", "8.png may be read")?;
    found.is("queue", "ok", "1 waiting")?;

    // One that was put aside comes back.
    let dead = site.sqs.get_queue_url().queue_name(format!("{queue}-dead")).send().await?.queue_url.ok_or("no URL")?;
    site.sqs.purge_queue().queue_url(&url).send().await?;
    put_aside(&site, &url, &dead).await?;
    let found = look(&site, &arguments)?;
    found.is("dead letters", "warn", "1 put aside")?;
    type_in(&site, found.way_out("dead letters")?)?;
    until("it did not come back", async || Ok(site.messages(&dead).await? == 0 && site.messages(&url).await? == 1))
        .await
}

fn type_in(site: &Site, command: &str) -> Result<(), Failed> {
    let worker = site.worker("");
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env_clear().env("AWS_PAGER", "");
    // What `spotter env` exports besides: version 1 of the AWS CLI does not know AWS_REGION.
    shell.env("AWS_DEFAULT_REGION", "us-east-1");
    shell.envs(worker.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = shell.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(format!("{command}: {said}").into()) }
}

/// Received too often: SQS moves back only what it moved itself.
async fn put_aside(site: &Site, url: &str, dead: &str) -> Result<(), Failed> {
    site.sqs.send_message().queue_url(url).message_body(r#"{"no": "event"}"#).send().await?;
    until("it is not put aside", async || {
        let got = site.sqs.receive_message().queue_url(url).visibility_timeout(0).send().await?;
        drop(got);
        Ok(site.messages(dead).await? == 1)
    })
    .await
}
