//! The sample pictures of `spotter demo`, drawn by `samples/draw.py`.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::objects::unanswered;
use crate::record::Status;

const CONCURRENT: usize = 4;

/// Name, bytes.
pub(super) type Sample = (&'static str, &'static [u8]);

macro_rules! samples {
    ($($name:literal),+ $(,)?) => {
        /// As they lie in `samples/`.
        pub(super) const SAMPLES: &[Sample] = &[$(($name, include_bytes!(concat!("../../samples/", $name)))),+];
    };
}

samples!(
    "0 blue marker.png",
    "1.png",
    "2 red brush.png",
    "2 sixteen bit.png",
    "3+chalk.webp",
    "4 cmyk.jpg",
    "4.gif",
    "8 small.png",
    "8.bmp",
    "9 scan%2Bcopy.tiff",
    "fünf.jpg",
    "notes.png",
    "photos/6 on squared paper.jpg",
    "photos/7 phone.jpg",
    "scribble.png",
    "truncated.jpg",
    "五.png",
);

pub(super) async fn upload_all(s3: &Client, bucket: &str) -> Result<(), String> {
    let uploads = stream::iter(SAMPLES).map(Ok);
    uploads.try_for_each_concurrent(CONCURRENT, |sample| upload(s3, bucket, sample)).await
}

pub(super) async fn upload(s3: &Client, bucket: &str, (name, bytes): &Sample) -> Result<(), String> {
    let request = s3.put_object().bucket(bucket).key(*name).body(ByteStream::from_static(bytes));
    request.send().await.map(drop).map_err(|error| unanswered(&error))
}

const EXPECTED: &str = include_str!("../../samples/expected.tsv");

/// What a sample shows: its status, and its digit if it has one.
pub(super) fn expected(name: &str) -> Option<(Status, Option<&'static str>)> {
    EXPECTED.lines().skip(1).find_map(|line| {
        let mut fields = line.split('\t');
        let (file, status, label) = (fields.next()?, fields.next()?, fields.next()?);
        let status = Status::parse(status)?;
        (file == name).then_some((status, (label != "-").then_some(label)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_says_what_it_shows() {
        assert!(SAMPLES.iter().all(|(name, _)| expected(name).is_some()));
        assert_eq!(EXPECTED.lines().count() - 1, SAMPLES.len());
    }
}
