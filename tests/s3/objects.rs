//! Put, get, head, copy, delete, and what each of them queues.

use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumMode, Delete, MetadataDirective, ObjectIdentifier};
use libtest_mimic::{Failed, Trial};

use super::{BUCKET, Bench, refusal, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("an object comes back with all that was sent", round_trip),
        trial("an empty object", empty),
        trial("a large object streams both ways", large),
        trial("ranges", ranges),
        trial("conditional get", conditional_get),
        trial("conditional put and delete", conditional_put),
        trial("a checksum is checked and comes back", checksums),
        trial("copies", copies),
        trial("deletes", deletes),
        trial("buckets", buckets),
        trial("each change is notified once and no failure is", notifications),
    ]
}

async fn round_trip(s3: Bench) -> Result<(), Failed> {
    let put = s3.client.put_object().bucket(BUCKET).key("a.png").body(ByteStream::from_static(b"hello"));
    let put = put
        .content_type("image/png")
        .cache_control("no-store")
        .content_disposition("inline")
        .content_language("de")
        .content_encoding("gzip")
        .expires(DateTime::from_secs(1_800_000_000))
        .metadata("camera", "X 100")
        .metadata("place", "Köln")
        .send()
        .await?;
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(put.version_id(), None);
    let got = s3.client.get_object().bucket(BUCKET).key("a.png").send().await?;
    assert_eq!(got.content_type(), Some("image/png"));
    assert_eq!(got.cache_control(), Some("no-store"));
    assert_eq!(got.content_disposition(), Some("inline"));
    assert_eq!(got.content_language(), Some("de"));
    assert_eq!(got.content_encoding(), Some("gzip"), "the SDK's aws-chunked is not kept");
    assert_eq!(got.expires_string(), Some("Fri, 15 Jan 2027 08:00:00 GMT"));
    let metadata = got.metadata().unwrap();
    assert_eq!((metadata["camera"].as_str(), metadata.len()), ("X 100", 2));
    assert_eq!(got.content_length(), Some(5));
    assert_eq!(got.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(got.accept_ranges(), Some("bytes"));
    assert!(got.last_modified().is_some());
    assert_eq!(got.body.collect().await?.to_vec(), b"hello");
    let head = s3.client.head_object().bucket(BUCKET).key("a.png").send().await?;
    assert_eq!((head.content_length(), head.content_type()), (Some(5), Some("image/png")));
    assert_eq!(refusal(s3.client.get_object().bucket(BUCKET).key("b").send().await), (404, "NoSuchKey".into()));
    assert_eq!(refusal(s3.client.head_object().bucket(BUCKET).key("b").send().await).0, 404);
    assert_eq!(refusal(s3.client.get_object().bucket("nope").key("b").send().await), (404, "NoSuchBucket".into()));
    let secret = s3.client.put_object().bucket(BUCKET).key("c").body(ByteStream::from_static(b"x"));
    let secret = secret.sse_customer_algorithm("AES256").sse_customer_key("a2V5").sse_customer_key_md5("bWQ1");
    assert_eq!(refusal(secret.send().await), (501, "NotImplemented".into()), "nothing is encrypted here");
    Ok(())
}

async fn empty(s3: Bench) -> Result<(), Failed> {
    assert_eq!(s3.put("folder/", b"").await?, "d41d8cd98f00b204e9800998ecf8427e");
    assert_eq!(s3.get("folder/").await?, b"");
    let ranged = s3.client.get_object().bucket(BUCKET).key("folder/").range("bytes=0-").send().await;
    assert_eq!(refusal(ranged), (416, "InvalidRange".into()));
    Ok(())
}

async fn large(s3: Bench) -> Result<(), Failed> {
    let bytes: Vec<u8> = (0..20_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    s3.put("large", &bytes).await?;
    assert!(s3.get("large").await? == bytes);
    Ok(())
}

async fn ranges(s3: Bench) -> Result<(), Failed> {
    s3.put("a", b"0123456789").await?;
    for (range, bytes, shown) in [
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=2-4", "234", "bytes 2-4/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=8-99", "89", "bytes 8-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-99", "0123456789", "bytes 0-9/10"),
    ] {
        let got = s3.client.get_object().bucket(BUCKET).key("a").range(range).send().await?;
        assert_eq!(got.content_range(), Some(shown), "{range}");
        assert_eq!(got.content_length(), Some(bytes.len() as i64));
        assert_eq!(got.body.collect().await?.to_vec(), bytes.as_bytes(), "{range}");
        let head = s3.client.head_object().bucket(BUCKET).key("a").range(range).send().await?;
        assert_eq!(head.content_length(), Some(bytes.len() as i64));
    }
    let beyond = s3.client.get_object().bucket(BUCKET).key("a").range("bytes=10-").send().await;
    assert_eq!(refusal(beyond), (416, "InvalidRange".into()));
    Ok(())
}

async fn conditional_get(s3: Bench) -> Result<(), Failed> {
    let etag = s3.put("a", b"one").await?;
    let get = || s3.client.get_object().bucket(BUCKET).key("a");
    let quoted = format!("\"{etag}\"");
    get().if_match(&quoted).send().await?;
    get().if_match(&etag).send().await?;
    get().if_none_match("\"other\"").send().await?;
    assert_eq!(refusal(get().if_match("\"other\"").send().await), (412, "PreconditionFailed".into()));
    assert_eq!(refusal(get().if_none_match(&quoted).send().await).0, 304);
    let head = s3.client.head_object().bucket(BUCKET).key("a").if_none_match(&quoted).send().await;
    assert_eq!(refusal(head).0, 304);
    let (before, later) = (DateTime::from_secs(1), DateTime::from_secs(4_000_000_000));
    get().if_modified_since(before).send().await?;
    get().if_unmodified_since(later).send().await?;
    assert_eq!(refusal(get().if_modified_since(later).send().await).0, 304);
    assert_eq!(refusal(get().if_unmodified_since(before).send().await).0, 412);
    // The ETag speaks last (RFC 9110, 13.2.2).
    get().if_match(&quoted).if_unmodified_since(before).send().await?;
    get().if_none_match("\"other\"").if_modified_since(later).send().await?;
    Ok(())
}

async fn conditional_put(s3: Bench) -> Result<(), Failed> {
    let put = |body: &'static [u8]| s3.client.put_object().bucket(BUCKET).key("a").body(ByteStream::from_static(body));
    assert_eq!(refusal(put(b"0").if_match("\"x\"").send().await), (404, "NoSuchKey".into()));
    let first = put(b"1").if_none_match("*").send().await?;
    assert_eq!(refusal(put(b"2").if_none_match("*").send().await), (412, "PreconditionFailed".into()));
    assert_eq!(s3.get("a").await?, b"1");
    put(b"3").if_match(first.e_tag().unwrap()).send().await?;
    assert_eq!(refusal(put(b"4").if_match(first.e_tag().unwrap()).send().await).0, 412);
    assert_eq!(s3.get("a").await?, b"3");
    let delete = || s3.client.delete_object().bucket(BUCKET).key("a");
    assert_eq!(refusal(delete().if_match(first.e_tag().unwrap()).send().await).0, 412);
    delete().if_match("\"eccbc87e4b5ce2fe28308fd9f2a7baf3\"").send().await?;
    assert_eq!(s3.notified()?.len(), 3);
    Ok(())
}

async fn checksums(s3: Bench) -> Result<(), Failed> {
    let body = || ByteStream::from_static(b"123456789");
    let put = |key: &str| s3.client.put_object().bucket(BUCKET).key(key).body(body());
    put("crc32").checksum_crc32("y/Q5Jg==").send().await?;
    put("crc64").checksum_crc64_nvme("rosUhgp5mIg=").send().await?;
    put("sha").checksum_algorithm(ChecksumAlgorithm::Sha256).send().await?;
    put("md5").content_md5("JfnnlDI7RTiF9RgfG2JNCw==").send().await?;
    let get = |key: &str| s3.client.get_object().bucket(BUCKET).key(key).checksum_mode(ChecksumMode::Enabled);
    assert_eq!(get("crc32").send().await?.checksum_crc32(), Some("y/Q5Jg=="));
    assert_eq!(get("crc64").send().await?.checksum_crc64_nvme(), Some("rosUhgp5mIg="));
    assert_eq!(get("sha").send().await?.checksum_sha256(), Some("FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="));
    let ranged = get("crc32").range("bytes=0-1").send().await?;
    assert_eq!(ranged.checksum_crc32(), None, "it is of the whole object");
    s3.notified()?;
    assert_eq!(refusal(put("bad").checksum_crc32("AAAAAA==").send().await), (400, "BadDigest".into()));
    assert_eq!(refusal(put("bad").checksum_crc64_nvme("AAAAAAAAAAA=").send().await), (400, "BadDigest".into()));
    assert_eq!(refusal(put("bad").content_md5("AAAAAAAAAAAAAAAAAAAAAA==").send().await), (400, "BadDigest".into()));
    assert_eq!(refusal(put("bad").content_md5("no").send().await), (400, "InvalidDigest".into()));
    assert_eq!(refusal(s3.client.get_object().bucket(BUCKET).key("bad").send().await).0, 404);
    assert_eq!(s3.notified()?, []);
    Ok(())
}

async fn copies(s3: Bench) -> Result<(), Failed> {
    let key = "a b+c%2B/ä.png";
    let put = s3.client.put_object().bucket(BUCKET).key(key).body(ByteStream::from_static(b"one"));
    put.content_type("image/png").metadata("a", "1").send().await?;
    // The SDK sends a copy source as it is given: encoded, as S3 asks.
    let source = format!("{BUCKET}/a%20b%2Bc%252B/%C3%A4.png");
    let copy = |target: &str| s3.client.copy_object().bucket(BUCKET).key(target).copy_source(&source);
    let copied = copy("same").send().await?;
    let result = copied.copy_object_result().unwrap();
    assert_eq!(result.e_tag(), Some("\"f97c5d29941bfb1b2fdab0874906ab82\""));
    let head = s3.client.head_object().bucket(BUCKET).key("same").send().await?;
    assert_eq!((head.content_type(), head.metadata().unwrap()["a"].as_str()), (Some("image/png"), "1"));
    let replaced = copy("other").metadata_directive(MetadataDirective::Replace).metadata("b", "2");
    replaced.content_type("image/jpeg").send().await?;
    let head = s3.client.head_object().bucket(BUCKET).key("other").send().await?;
    assert_eq!(head.content_type(), Some("image/jpeg"));
    assert_eq!(head.metadata().unwrap().get("a"), None);
    // The copy outlives its source.
    s3.client.delete_object().bucket(BUCKET).key(key).send().await?;
    assert_eq!(s3.get("same").await?, b"one");
    assert_eq!(refusal(copy("again").send().await), (404, "NoSuchKey".into()));
    let itself = || s3.client.copy_object().bucket(BUCKET).key("same").copy_source(format!("{BUCKET}/same"));
    assert_eq!(refusal(itself().send().await), (400, "InvalidRequest".into()));
    itself().metadata_directive(MetadataDirective::Replace).send().await?;
    assert_eq!(s3.get("same").await?, b"one");
    let guarded = s3.client.copy_object().bucket(BUCKET).key("x").copy_source(format!("{BUCKET}/same"));
    assert_eq!(refusal(guarded.copy_source_if_match("\"x\"").send().await), (412, "PreconditionFailed".into()));
    Ok(())
}

async fn deletes(s3: Bench) -> Result<(), Failed> {
    for key in ["a", "b", "c"] {
        s3.put(key, b"x").await?;
    }
    s3.notified()?;
    s3.client.delete_object().bucket(BUCKET).key("a").send().await?;
    s3.client.delete_object().bucket(BUCKET).key("a").send().await?;
    let gone = |key: &str| ObjectIdentifier::builder().key(key).build();
    let delete = Delete::builder().objects(gone("b")?).objects(gone("c")?).objects(gone("never")?).build()?;
    let deleted = s3.client.delete_objects().bucket(BUCKET).delete(delete).send().await?;
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (3, 0));
    assert_eq!(refusal(s3.client.get_object().bucket(BUCKET).key("b").send().await).0, 404);
    let removed = |key: &str| ("ObjectRemoved:Delete".to_owned(), key.to_owned());
    assert_eq!(s3.notified()?, [removed("a"), removed("b"), removed("c")]);
    let delete = Delete::builder().objects(gone("a")?).build()?;
    assert_eq!(refusal(s3.client.delete_objects().bucket("nope").delete(delete).send().await).1, "NoSuchBucket");
    Ok(())
}

async fn buckets(s3: Bench) -> Result<(), Failed> {
    s3.client.create_bucket().bucket("second").send().await?;
    let again = s3.client.create_bucket().bucket("second").send().await;
    assert_eq!(refusal(again), (409, "BucketAlreadyOwnedByYou".into()));
    assert_eq!(refusal(s3.client.create_bucket().bucket("No_Good").send().await), (400, "InvalidBucketName".into()));
    let listed = s3.client.list_buckets().send().await?;
    let names: Vec<_> = listed.buckets().iter().filter_map(|bucket| bucket.name()).collect();
    assert_eq!(names, [BUCKET, "second"]);
    s3.client.head_bucket().bucket("second").send().await?;
    assert_eq!(refusal(s3.client.head_bucket().bucket("third").send().await).0, 404);
    let location = s3.client.get_bucket_location().bucket("second").send().await?;
    assert_eq!(location.location_constraint().map_or("", |place| place.as_str()), "");
    s3.put("a", b"x").await?;
    assert_eq!(refusal(s3.client.delete_bucket().bucket(BUCKET).send().await), (409, "BucketNotEmpty".into()));
    s3.client.delete_bucket().bucket("second").send().await?;
    assert_eq!(refusal(s3.client.delete_bucket().bucket("second").send().await), (404, "NoSuchBucket".into()));
    Ok(())
}

async fn notifications(s3: Bench) -> Result<(), Failed> {
    s3.put("a b", b"one").await?;
    s3.put("a b", b"two").await?;
    s3.client.copy_object().bucket(BUCKET).key("c").copy_source(format!("{BUCKET}/a%20b")).send().await?;
    s3.client.delete_object().bucket(BUCKET).key("c").send().await?;
    let failed = s3.client.put_object().bucket("nope").key("a").body(ByteStream::from_static(b"x")).send().await;
    assert_eq!(refusal(failed), (404, "NoSuchBucket".into()));
    let records = s3.records()?;
    let names: Vec<_> = records.iter().map(|record| record["eventName"].as_str().unwrap()).collect();
    assert_eq!(names, ["ObjectCreated:Put", "ObjectCreated:Put", "ObjectCreated:Copy", "ObjectRemoved:Delete"]);
    let object = &records[1]["s3"]["object"];
    assert_eq!((object["key"].as_str(), object["size"].as_u64()), (Some("a+b"), Some(3)));
    assert_eq!(object["eTag"], "b8a9f715dbb64fd5c56e7783c6820a61");
    assert_eq!(object.get("versionId"), None);
    assert_eq!(records[0]["s3"]["bucket"]["arn"], format!("arn:aws:s3:::{BUCKET}"));
    let sequencers: Vec<_> = records.iter().map(|record| super::text(&record["s3"]["object"]["sequencer"])).collect();
    assert!(sequencers.is_sorted_by(|a, b| a < b && a.len() == b.len()), "{sequencers:?}");
    Ok(())
}
