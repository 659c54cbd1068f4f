//! `spotter doctor`: whether all that it hangs on is as it should be.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::findings::{self, counted};
use super::object_url::PrefixUrl;
use super::output::{Format, FormatArgs, csv, line};
use super::{home, times};
use crate::classifier::{Finding, Level};
use crate::config::Settings;
use crate::doctor::{self, Examined};

/// Of the longest check's name.
const WIDTH: usize = "dead letters".len();
const CSV_COLUMNS: [&str; 4] = ["check", "level", "says", "way_out"];

/// Credentials, bucket, clock, notifications, queue, database, schema, model, disk. Writes nothing, receives no message. Exit code 1 if
/// something failed, 0 if there are warnings only.
#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// s3://bucket, whose notifications and clock are looked at too
    #[arg(value_name = "BUCKET")]
    bucket: Option<PrefixUrl>,
    /// URL or name of the queue [env: SPOTTER_QUEUE] [default: the one that the bucket tells]
    #[arg(long, value_name = "URL|NAME")]
    queue: Option<String>,
    /// How long the function may take that consumes the queue
    #[arg(long, value_name = "TIME", value_parser = times::duration, default_value = "60s")]
    function_timeout: Duration,
    #[command(flatten)]
    format: FormatArgs,
}

#[derive(Serialize)]
struct Flat<'a> {
    check: &'static str,
    level: Level,
    says: &'a str,
    way_out: Option<&'a str>,
}

impl Doctor {
    pub(super) async fn run(self, settings: &Settings) -> Result<(), Failure> {
        let queue = home::queue(self.queue, settings)?;
        if let Some(PrefixUrl { bucket, prefix }) = self.bucket.as_ref().filter(|url| !url.prefix.is_empty()) {
            return Err(Failure::Usage(format!("a bucket is looked at as a whole: s3://{bucket}, without {prefix}")));
        }
        let examined = Examined {
            bucket: self.bucket.map(|url| url.bucket),
            queue,
            function_timeout: self.function_timeout,
            folder: home::data_folder_name(settings),
            records_file: home::RECORDS_FILE,
        };
        let findings = doctor::examine(&examined, settings).await;
        print(&findings, self.format.chosen())?;
        if findings::count(&findings, Level::Fail) == 0 { Ok(()) } else { Err(Failure::Said) }
    }
}

fn print(findings: &[Finding], format: Format) -> Result<(), Failure> {
    match format {
        Format::Json => findings.iter().try_for_each(|finding| line(&serde_json::to_string(finding)?)),
        Format::Csv => {
            line(&CSV_COLUMNS.join(","))?;
            findings.iter().try_for_each(|Finding { check, level, says, way_out, .. }| {
                line(&csv(&Flat { check, level: *level, says, way_out: way_out.as_deref() }, &CSV_COLUMNS)?)
            })
        }
        Format::Table => {
            findings.iter().try_for_each(|finding| findings::told(finding, WIDTH))?;
            line(&format!("\n{}", summary(findings)))
        }
    }
}

fn summary(findings: &[Finding]) -> String {
    let [fails, warnings, skipped] =
        [Level::Fail, Level::Warn, Level::Skip].map(|level| findings::count(findings, level));
    let mut last = match (fails, warnings) {
        (0, 0) => "All is well".to_owned(),
        (0, warnings) => counted(warnings, "warning"),
        (fails, warnings) => format!("{}, {}", counted(fails, "failure"), counted(warnings, "warning")),
    };
    if skipped > 0 {
        last.push_str(&format!("; {skipped} not looked at"));
    }
    format!("{last}.")
}
