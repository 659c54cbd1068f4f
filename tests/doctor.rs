//! `spotter doctor`: each thing that it looks at, well and not well; and what it tells people to type mends it.

mod bucket;
mod cassandra;
mod queue;

use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use spotter::records::embedded::Embedded;
use tempfile::TempDir;

use crate::cli::spotter;
use crate::harness::needs;

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        Trial::test("doctor::a_bare_laptop_is_well_and_stays_bare", bare),
        Trial::test("doctor::people_and_programs_read_it", formats),
        Trial::test("doctor::records_that_cannot_be_used_are_told", records),
        Trial::test("doctor::a_model_that_cannot_be_used_is_told", model),
        Trial::test("doctor::a_data_folder_that_is_none_is_told", no_folder),
        needs("doctor::a_read_only_and_a_full_disk_are_told", mounts(), |()| disks()),
        Trial::test("doctor::what_makes_no_sense_is_usage", usage),
    ];
    trials.extend(bucket::trials());
    trials.extend(queue::trials());
    trials.extend(cassandra::trials());
    trials
}

/// What was found, in order, and the exit code.
pub struct Found {
    pub findings: Vec<Value>,
    pub code: Option<i32>,
}

impl Found {
    /// The level of a check's first finding, and what it says.
    pub fn of(&self, check: &str) -> Result<(&str, &str), Failed> {
        let finding = self.finding(check)?;
        Ok((finding["level"].as_str().ok_or("no level")?, finding["says"].as_str().ok_or("says nothing")?))
    }

    pub fn way_out(&self, check: &str) -> Result<&str, Failed> {
        Ok(self.finding(check)?["way_out"].as_str().ok_or(format!("no way out of {check}"))?)
    }

    fn finding(&self, check: &str) -> Result<&Value, Failed> {
        let found = self.findings.iter().find(|finding| finding["check"] == check);
        Ok(found.ok_or(format!("no {check} in {:?}", self.findings))?)
    }

    pub fn levels(&self, level: &str) -> Vec<&Value> {
        self.findings.iter().filter(|finding| finding["level"] == level).collect()
    }

    /// One check fails with this in its sentence, and that is the exit code.
    pub fn fails(&self, check: &str, sentence: &str) -> Result<(), Failed> {
        let (level, says) = self.of(check)?;
        assert_eq!((level, self.code), ("fail", Some(1)), "{check}: {says}");
        assert!(says.contains(sentence), "{check}: {says}");
        Ok(())
    }

    pub fn is(&self, check: &str, level: &str, sentence: &str) -> Result<(), Failed> {
        let (found, says) = self.of(check)?;
        assert_eq!(found, level, "{check}: {says}");
        assert!(says.contains(sentence), "{check}: {says}");
        Ok(())
    }
}

/// Runs `spotter … doctor …` and reads its JSON.
pub fn examine(command: &mut Command) -> Result<Found, Failed> {
    let output = command.arg("--json").stdin(Stdio::null()).output()?;
    let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(stderr.is_empty(), "{stderr}");
    let findings = stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok(Found { findings, code: output.status.code() })
}

pub fn doctor(home: &TempDir, arguments: &[&str]) -> Command {
    let mut command = spotter(home);
    // Nobody's instance metadata answers here, and asking it takes seconds.
    command.arg("doctor").args(arguments).env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

fn bare() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let found = examine(&mut doctor(&home, &[]))?;
    assert_eq!(found.code, Some(0), "{:?}", found.findings);
    for check in ["credentials", "bucket", "queue"] {
        found.is(check, "skip", "not looked at")?;
    }
    found.is("database", "ok", "records.sqlite is made with the first record (SPOTTER_CASSANDRA")?;
    found.is("model", "ok", "digits/2, 11 labels, from the binary")?;
    assert!(["ok", "warn"].contains(&found.of("disk")?.0));
    assert_eq!(std::fs::read_dir(home.path())?.count(), 0, "it left something");
    Ok(())
}

fn formats() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let text = |arguments: &[&str]| -> Result<String, Failed> {
        Ok(String::from_utf8(doctor(&home, arguments).stdin(Stdio::null()).output()?.stdout)?)
    };
    let table = text(&["--format", "table"])?;
    assert!(table.contains("skip  bucket        not looked at"), "{table}");
    assert!(table.contains("\n                    → spotter doctor s3://bucket\n"), "{table}");
    assert!(table.ends_with("3 not looked at.\n"), "{table}");
    let csv = text(&["--format", "csv"])?;
    assert!(csv.starts_with("check,level,says,way_out\ncredentials,skip,"), "{csv}");
    assert!(text(&[])?.starts_with("{\"check\":\"credentials\",\"level\":\"skip\""), "no terminal, so JSON");
    Ok(())
}

fn records() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let data = home.path().join("data");
    let path = data.join("records.sqlite");
    drop(Embedded::open(&path)?);
    let look = || examine(doctor(&home, &[]).arg("--data").arg(&data));
    look()?.is("database", "ok", "schema 4, ")?;
    let connection = rusqlite::Connection::open(&path)?;
    connection.execute("INSERT INTO layout (one, served) VALUES ('layout', 'other/1')", [])?;
    look()?.is("served", "ok", "answers of other/1 are shown")?;
    for (version, level, sentence) in
        [(3, "ok", "schema 3, brought up to date"), (99, "fail", "newer spotter (schema 99")]
    {
        connection.pragma_update(None, "user_version", version)?;
        look()?.is("database", level, sentence)?;
        let is: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        assert_eq!(is, version, "it was changed");
    }
    drop(connection);
    std::fs::write(&path, "no database, only letters that go on for more than a header")?;
    let found = look()?;
    found.fails("database", "is not a SQLite database")?;
    assert!(found.way_out("database")?.contains("--data"));
    Ok(())
}

fn model() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let folder = home.path().join("my model");
    std::fs::create_dir(&folder)?;
    for file in ["manifest.toml", "model.onnx"] {
        std::fs::copy(crate::harness::root().join("model/digits").join(file), folder.join(file))?;
    }
    let look = || examine(doctor(&home, &[]).arg("--model").arg(&folder));
    look()?.is("model", "ok", "digits/2")?;
    std::fs::write(folder.join("model.onnx"), "another file")?;
    let found = look()?;
    found.fails("model", "sha256")?;
    assert!(found.way_out("model")?.starts_with("spotter model check "));
    Ok(())
}

fn no_folder() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let file = home.path().join("file");
    std::fs::write(&file, "")?;
    for data in [file.clone(), file.join("below")] {
        let found = examine(doctor(&home, &[]).arg("--data").arg(&data))?;
        found.fails("disk", "file is no folder")?;
    }
    Ok(())
}

/// A name space of mounts of one's own, without being root outside of it.
pub fn mounts() -> Result<(), String> {
    let mount = ["--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"];
    match Command::new("unshare").args(mount).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("unshare may not mount: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(_) => Err("no unshare on the PATH".into()),
    }
}

fn disks() -> Result<(), Failed> {
    let home = TempDir::new()?;
    let data = home.path().join("data");
    std::fs::create_dir(&data)?;
    for (options, sentence, way_out) in
        [("ro", "cannot be written: Read-only file system", "chmod"), ("size=1m", "1.0 MB free", "df -h")]
    {
        let found = examine(&mut mounted(&home, &data, options))?;
        found.fails("disk", sentence)?;
        assert!(found.way_out("disk")?.contains(way_out), "{}", found.way_out("disk")?);
    }
    let little = examine(&mut mounted(&home, &data, "size=500m"))?;
    little.is("disk", "warn", "MB free")?;
    assert_eq!(little.code, Some(0));
    examine(&mut mounted(&home, &data, "size=2g"))?.is("disk", "ok", "GB free")
}

/// The doctor, of a data folder that is a file system of its own.
fn mounted(home: &TempDir, data: &Path, options: &str) -> Command {
    let plain = doctor(home, &[]);
    let script = format!("mount -t tmpfs -o {options} none \"$0\" && exec \"$1\" doctor --data \"$0\" \"$2\"");
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).arg(data).arg(plain.get_program());
    command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

fn usage() -> Result<(), Failed> {
    let home = TempDir::new()?;
    for (arguments, sentence) in [
        (&["bucket"][..], "did you mean s3://bucket?"),
        (&["s3://bucket/photos"], "s3://bucket, without photos"),
        (&["--queue", "arn:aws:sqs:eu-central-1:1:pictures"], "give the queue's name, pictures"),
        (&["--function-timeout", "soon"], "use a number and"),
    ] {
        let output = doctor(&home, arguments).stdin(Stdio::null()).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(sentence), "{arguments:?}: {said}");
    }
    Ok(())
}
