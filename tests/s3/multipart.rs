//! Multipart uploads.

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use libtest_mimic::{Failed, Trial};
use md5::{Digest, Md5};

use super::{BUCKET, Bench, refusal, trial};

const PART: usize = 5 * 1024 * 1024;

pub fn trials() -> Vec<Trial> {
    vec![
        trial("parts become one object", parts),
        trial("an upload that goes wrong becomes nothing", wrong),
        trial("parts copied from an object", copied),
    ]
}

async fn create(s3: &Bench, key: &str) -> Result<String, Failed> {
    let created = s3.client.create_multipart_upload().bucket(BUCKET).key(key).content_type("image/png").send().await?;
    Ok(created.upload_id().unwrap_or_default().to_owned())
}

async fn upload(s3: &Bench, key: &str, id: &str, n: i32, body: Vec<u8>) -> Result<CompletedPart, Failed> {
    let part = s3.client.upload_part().bucket(BUCKET).key(key).upload_id(id).part_number(n);
    let part = part.body(ByteStream::from(body)).send().await?;
    Ok(CompletedPart::builder().part_number(n).set_e_tag(part.e_tag().map(str::to_owned)).build())
}

fn all(parts: &[CompletedPart]) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn parts(s3: Bench) -> Result<(), Failed> {
    let bodies = [vec![1; PART], vec![2; PART + 1], vec![3; 10]];
    let id = create(&s3, "a").await?;
    let mut uploaded = Vec::new();
    // Out of order, and one of them twice: the last one counts.
    upload(&s3, "a", &id, 2, vec![9; PART]).await?;
    for n in [3, 1, 2] {
        uploaded.push(upload(&s3, "a", &id, n, bodies[n as usize - 1].clone()).await?);
    }
    uploaded.sort_by_key(CompletedPart::part_number);
    assert_eq!(s3.notified()?, [], "nothing is there yet");
    assert_eq!(refusal(s3.client.head_object().bucket(BUCKET).key("a").send().await).0, 404);
    let listed = s3.client.list_parts().bucket(BUCKET).key("a").upload_id(&id).max_parts(2).send().await?;
    assert_eq!((listed.parts().len(), listed.is_truncated()), (2, Some(true)));
    assert_eq!(listed.parts()[1].size(), Some(PART as i64 + 1));
    let pending = s3.client.list_multipart_uploads().bucket(BUCKET).send().await?;
    assert_eq!(pending.uploads()[0].upload_id(), Some(id.as_str()));
    let complete = s3.client.complete_multipart_upload().bucket(BUCKET).key("a").upload_id(&id);
    let done = complete.multipart_upload(all(&uploaded)).send().await?;
    let digests: Vec<u8> = bodies.iter().flat_map(|body| Md5::digest(body).to_vec()).collect();
    let etag = format!("{}-3", hex(&Md5::digest(&digests)));
    assert_eq!(done.e_tag(), Some(format!("\"{etag}\"").as_str()));
    let whole = bodies.concat();
    assert!(s3.get("a").await? == whole);
    let head = s3.client.head_object().bucket(BUCKET).key("a").part_number(2).send().await?;
    assert_eq!((head.parts_count(), head.content_length()), (Some(3), Some(PART as i64 + 1)));
    assert_eq!(head.content_type(), Some("image/png"));
    let across = format!("bytes={}-{}", PART - 2, PART + 2);
    let got = s3.client.get_object().bucket(BUCKET).key("a").range(across).send().await?;
    assert_eq!(got.body.collect().await?.to_vec(), [1, 1, 2, 2, 2]);
    let records = s3.records()?;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["eventName"], "ObjectCreated:CompleteMultipartUpload");
    assert_eq!(records[0]["s3"]["object"]["size"], whole.len());
    assert_eq!(records[0]["s3"]["object"]["eTag"], etag);
    let again = s3.client.complete_multipart_upload().bucket(BUCKET).key("a").upload_id(&id);
    assert_eq!(refusal(again.multipart_upload(all(&uploaded)).send().await), (404, "NoSuchUpload".into()));
    Ok(())
}

async fn wrong(s3: Bench) -> Result<(), Failed> {
    let id = create(&s3, "a").await?;
    let one = upload(&s3, "a", &id, 1, vec![1; 10]).await?;
    let two = upload(&s3, "a", &id, 2, vec![2; 10]).await?;
    let complete = |parts: &[CompletedPart]| {
        let complete = s3.client.complete_multipart_upload().bucket(BUCKET).key("a").upload_id(&id);
        complete.multipart_upload(all(parts)).send()
    };
    assert_eq!(refusal(complete(&[one.clone(), two.clone()]).await), (400, "EntityTooSmall".into()));
    assert_eq!(refusal(complete(&[two.clone(), one.clone()]).await), (400, "InvalidPartOrder".into()));
    let never = CompletedPart::builder().part_number(3).e_tag("\"x\"").build();
    assert_eq!(refusal(complete(&[never]).await), (400, "InvalidPart".into()));
    let other = CompletedPart::builder().part_number(1).set_e_tag(two.e_tag().map(str::to_owned)).build();
    assert_eq!(refusal(complete(&[other]).await), (400, "InvalidPart".into()));
    let part = |n: i32, id: &str| {
        let part = s3.client.upload_part().bucket(BUCKET).key("a").upload_id(id).part_number(n);
        part.body(ByteStream::from_static(b"123456789"))
    };
    assert_eq!(refusal(part(0, &id).send().await), (400, "InvalidArgument".into()));
    assert_eq!(refusal(part(10_001, &id).send().await), (400, "InvalidArgument".into()));
    assert_eq!(refusal(part(1, "nope").send().await), (404, "NoSuchUpload".into()));
    assert_eq!(refusal(part(1, &id).checksum_crc32("AAAAAA==").send().await), (400, "BadDigest".into()));
    let elsewhere = s3.client.upload_part().bucket(BUCKET).key("b").upload_id(&id).part_number(1);
    assert_eq!(refusal(elsewhere.body(ByteStream::from_static(b"x")).send().await), (404, "NoSuchUpload".into()));
    let whole = s3.client.complete_multipart_upload().bucket(BUCKET).key("a").upload_id(&id).checksum_crc32("AAAAAA==");
    assert_eq!(refusal(whole.multipart_upload(all(&[one])).send().await), (400, "BadDigest".into()));
    s3.client.abort_multipart_upload().bucket(BUCKET).key("a").upload_id(&id).send().await?;
    assert_eq!(refusal(complete(&[two]).await), (404, "NoSuchUpload".into()));
    assert_eq!(s3.notified()?, []);
    assert_eq!(s3.client.list_multipart_uploads().bucket(BUCKET).send().await?.uploads().len(), 0);
    Ok(())
}

async fn copied(s3: Bench) -> Result<(), Failed> {
    s3.put("source", b"0123456789").await?;
    let id = create(&s3, "a").await?;
    let copy = s3.client.upload_part_copy().bucket(BUCKET).key("a").upload_id(&id).part_number(1);
    let copy = copy.copy_source(format!("{BUCKET}/source")).copy_source_range("bytes=2-5").send().await?;
    let etag = copy.copy_part_result().and_then(|result| result.e_tag()).map(str::to_owned);
    let part = CompletedPart::builder().part_number(1).set_e_tag(etag).build();
    let complete = s3.client.complete_multipart_upload().bucket(BUCKET).key("a").upload_id(&id);
    complete.multipart_upload(all(&[part])).send().await?;
    assert_eq!(s3.get("a").await?, b"2345");
    Ok(())
}
