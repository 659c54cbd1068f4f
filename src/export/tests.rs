#![allow(clippy::unwrap_used)] // a panic is a failed test

use std::io;

use super::*;
use crate::record::{Guess, Order, Reason, Status};

fn unsure(key: &str) -> Record {
    Record {
        bucket: "pictures".into(),
        key: key.into(),
        order: Order { seq: String::new(), event_time: Timestamp(1_767_225_600_123), version: "v1".into() },
        model: "digits/2".into(),
        status: Status::Unsure,
        reason: Some(Reason::BelowThreshold),
        why: "below threshold 0.80".into(),
        label: Some("8".into()),
        confidence: Some(1.0),
        top: vec![Guess { label: "8".into(), confidence: 1.0 }],
        dimensions: Some((640, 480)),
        size: Some(5_000_000_000),
        content_type: Some("image/png".into()),
        etag: None,
        version_id: Some("v1".into()),
        seen: b"foo".to_vec(),
    }
}

fn exported(format: Format, shape: Shape, rows: Vec<Row>) -> String {
    let mut export = Export::new(format, shape, Vec::new()).unwrap();
    for row in rows {
        export.push(row).unwrap();
    }
    String::from_utf8_lossy(&export.finish().unwrap()).into_owned()
}

const EVERYTHING: Shape = Shape { seen: true, corrected: true };

#[test]
fn csv_is_quoted_where_it_must_be() {
    let key = "=1+1,\"a\"\nb\r.png";
    assert_eq!(
        exported(Format::Csv, Shape::default(), vec![unsure(key).into()]),
        concat!(
            "bucket,key,status,reason,why,label,confidence,top,model,event_time,seq,version,version_id,etag,size,",
            "content_type,width,height\n",
            "pictures,\"=1+1,\"\"a\"\"\nb\r.png\",unsure,below_threshold,below threshold 0.80,8,1.0,",
            "\"[{\"\"label\"\":\"\"8\"\",\"\"confidence\"\":1.0}]\",digits/2,2026-01-01T00:00:00.123Z,,v1,v1,,5000000000,",
            "image/png,640,480\n"
        )
    );
}

#[test]
fn json_lines_are_the_records_json() {
    let record = unsure("ä \"b\"\n.png");
    let line = format!("{}\n", serde_json::to_string(&record).unwrap());
    assert_eq!(exported(Format::JsonLines, Shape::default(), vec![record.into()]), line);
}

#[test]
fn a_correction_gives_the_label_and_keeps_the_models() {
    let row = || vec![Row::corrected(unsure("k"), Record::correction(&unsure("k"), Some("3"), Timestamp(0)))];
    let json: serde_json::Value = serde_json::from_str(&exported(Format::JsonLines, EVERYTHING, row())).unwrap();
    assert_eq!((&json["label"], &json["model_label"]), (&"3".into(), &"8".into()));
    assert_eq!((&json["corrected_at"], &json["seen"]), (&"1970-01-01T00:00:00.000Z".into(), &"Zm9v".into()));
    let csv = exported(Format::Csv, EVERYTHING, row());
    assert!(csv.lines().next().unwrap().ends_with(",height,model_label,corrected_at,seen"), "{csv}");
    assert!(csv.ends_with(",8,1970-01-01T00:00:00.000Z,Zm9v\n"), "{csv}");
}

/// Takes so many bytes, then is full.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_as_one_by_every_format() {
    for format in [Format::Parquet, Format::Csv, Format::JsonLines] {
        let export = Export::new(format, EVERYTHING, Full(100)).and_then(|mut export| {
            for _ in 0..1_000 {
                export.push(unsure("k").into())?;
            }
            export.finish().map(|_| ())
        });
        assert_eq!(export.unwrap_err().kind(), io::ErrorKind::StorageFull, "{format:?}");
    }
}

/// A name that is taken while another is written stays what it was; a link stays one.
#[test]
fn a_file_is_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let names = || {
        let mut names: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "before").unwrap();
    let link = folder.path().join("link.csv");
    std::os::unix::fs::symlink("a.csv", &link).unwrap();

    let mut target = Target::create(&link).unwrap();
    target.write_all(b"half").unwrap();
    assert_eq!(names().len(), 3, "{:?}", names());
    drop(target);
    assert_eq!((names().len(), std::fs::read(&path).unwrap()), (2, b"before".to_vec()));

    let mut target = Target::create(&link).unwrap();
    target.write_all(b"after!!").unwrap();
    assert_eq!(target.finish().unwrap(), 7);
    assert_eq!((names().len(), std::fs::read(&path).unwrap()), (2, b"after!!".to_vec()));
    assert!(link.is_symlink());

    assert_eq!(Target::create(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    assert_eq!(Target::create(&folder.path().join("no/a.csv")).unwrap_err().kind(), io::ErrorKind::NotFound);
}
