//! Versioned buckets.

use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use libtest_mimic::{Failed, Trial};

use super::{BUCKET, Bench, refusal, text, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("versions, delete markers and undelete", versions),
        trial("versioning suspended", suspended),
        trial("versions in pages", pages),
    ]
}

async fn versioning(s3: &Bench, status: BucketVersioningStatus) -> Result<(), Failed> {
    let configuration = VersioningConfiguration::builder().status(status).build();
    s3.client.put_bucket_versioning().bucket(BUCKET).versioning_configuration(configuration).send().await?;
    Ok(())
}

async fn put(s3: &Bench, key: &str, body: &str) -> Result<String, Failed> {
    let put = s3.client.put_object().bucket(BUCKET).key(key).body(body.as_bytes().to_vec().into()).send().await?;
    Ok(put.version_id().unwrap_or_default().to_owned())
}

async fn versions(s3: Bench) -> Result<(), Failed> {
    assert_eq!(s3.client.get_bucket_versioning().bucket(BUCKET).send().await?.status(), None);
    s3.put("a", b"before").await?;
    versioning(&s3, BucketVersioningStatus::Enabled).await?;
    let status = s3.client.get_bucket_versioning().bucket(BUCKET).send().await?;
    assert_eq!(status.status(), Some(&BucketVersioningStatus::Enabled));
    let one = put(&s3, "a", "one").await?;
    let two = put(&s3, "a", "two").await?;
    assert_ne!(one, two);
    let get = |id: &str| s3.client.get_object().bucket(BUCKET).key("a").version_id(id);
    assert_eq!(get(&one).send().await?.body.collect().await?.to_vec(), b"one");
    assert_eq!(get("null").send().await?.body.collect().await?.to_vec(), b"before");
    assert_eq!(s3.get("a").await?, b"two");
    assert_eq!(refusal(get("nope").send().await), (404, "NoSuchVersion".into()));
    let marker = s3.client.delete_object().bucket(BUCKET).key("a").send().await?;
    assert_eq!(marker.delete_marker(), Some(true));
    let marker = marker.version_id().unwrap().to_owned();
    let gone = s3.client.get_object().bucket(BUCKET).key("a").send().await;
    assert_eq!(refusal(gone), (404, "NoSuchKey".into()));
    assert_eq!(refusal(get(&marker).send().await), (405, "MethodNotAllowed".into()));
    assert_eq!(s3.client.list_objects_v2().bucket(BUCKET).send().await?.key_count(), Some(0));
    let listed = s3.client.list_object_versions().bucket(BUCKET).send().await?;
    let ids: Vec<_> = listed.versions().iter().filter_map(|version| version.version_id()).collect();
    assert_eq!(ids, [two.as_str(), &one, "null"]);
    assert_eq!(listed.delete_markers()[0].is_latest(), Some(true));
    // Removing the marker is an undelete; removing an old version leaves the rest.
    let delete = |id: &str| s3.client.delete_object().bucket(BUCKET).key("a").version_id(id);
    let undeleted = delete(&marker).send().await?;
    assert_eq!((undeleted.delete_marker(), undeleted.version_id()), (Some(true), Some(marker.as_str())));
    assert_eq!(s3.get("a").await?, b"two");
    delete(&one).send().await?;
    delete(&one).send().await?;
    assert_eq!(refusal(get(&one).send().await), (404, "NoSuchVersion".into()));
    assert_eq!(refusal(s3.client.delete_bucket().bucket(BUCKET).send().await).1, "BucketNotEmpty");
    let seen: Vec<_> = s3
        .records()?
        .iter()
        .map(|record| (text(&record["eventName"]), text(&record["s3"]["object"]["versionId"])))
        .collect();
    let event = |name: &str, id: &str| (name.to_owned(), id.to_owned());
    assert_eq!(
        seen,
        [
            event("ObjectCreated:Put", ""),
            event("ObjectCreated:Put", &one),
            event("ObjectCreated:Put", &two),
            event("ObjectRemoved:DeleteMarkerCreated", &marker),
            event("ObjectRemoved:Delete", &marker),
            event("ObjectRemoved:Delete", &one),
        ]
    );
    Ok(())
}

async fn suspended(s3: Bench) -> Result<(), Failed> {
    versioning(&s3, BucketVersioningStatus::Enabled).await?;
    let kept = put(&s3, "a", "kept").await?;
    versioning(&s3, BucketVersioningStatus::Suspended).await?;
    assert_eq!(put(&s3, "a", "first").await?, "null");
    assert_eq!(put(&s3, "a", "second").await?, "null");
    let ids = async || -> Result<Vec<String>, Failed> {
        let listed = s3.client.list_object_versions().bucket(BUCKET).send().await?;
        Ok(listed.versions().iter().filter_map(|version| version.version_id().map(str::to_owned)).collect())
    };
    assert_eq!(ids().await?, ["null".to_owned(), kept.clone()], "the null version replaces its like only");
    assert_eq!(s3.get("a").await?, b"second");
    let marker = s3.client.delete_object().bucket(BUCKET).key("a").send().await?;
    assert_eq!((marker.delete_marker(), marker.version_id()), (Some(true), Some("null")));
    assert_eq!(ids().await?, [kept]);
    Ok(())
}

async fn pages(s3: Bench) -> Result<(), Failed> {
    versioning(&s3, BucketVersioningStatus::Enabled).await?;
    let mut expected = Vec::new();
    for key in ["a", "b", "b/c", "d"] {
        let mut ids = Vec::new();
        for body in ["1", "2", "3"] {
            ids.push((key.to_owned(), put(&s3, key, body).await?));
        }
        expected.extend(ids.into_iter().rev());
    }
    let (mut seen, mut marker) = (Vec::new(), (None, None));
    loop {
        let page = s3.client.list_object_versions().bucket(BUCKET).max_keys(2);
        let page = page.set_key_marker(marker.0).set_version_id_marker(marker.1).send().await?;
        for version in page.versions() {
            seen.push((version.key().unwrap().to_owned(), version.version_id().unwrap().to_owned()));
        }
        if page.is_truncated() != Some(true) {
            break;
        }
        marker = (page.next_key_marker().map(str::to_owned), page.next_version_id_marker().map(str::to_owned));
    }
    assert_eq!(seen, expected);
    let grouped = s3.client.list_object_versions().bucket(BUCKET).delimiter("/").send().await?;
    assert_eq!((grouped.versions().len(), grouped.common_prefixes().len()), (9, 1));
    Ok(())
}
