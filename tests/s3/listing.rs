//! Listings: pages, delimiters, encodings, order.

use aws_sdk_s3::types::EncodingType;
use libtest_mimic::{Failed, Trial};
use s3s::checksum::ChecksumHasher;
use spotter::event::make::EventName;
use spotter::local::{Attributes, Condition};

use super::{BUCKET, Bench, refusal, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("2,500 keys in pages", pages),
        trial("delimiters and prefixes", delimiters),
        trial("start-after and markers", markers),
        trial("encoding-type=url", encodings),
        trial("folders in pages", folders),
        trial("odd questions", odd),
    ]
}

/// Straight into the store: uploading them is not what is tested.
async fn fill(s3: &Bench, keys: &[String]) -> Result<(), Failed> {
    for key in keys {
        let staged = s3.store.stage(ChecksumHasher::default()).await?.finish().await?;
        s3.store.put(BUCKET, key, &staged, &Attributes::default(), &Condition::Always, EventName::Put)?;
    }
    Ok(())
}

async fn pages(s3: Bench) -> Result<(), Failed> {
    let keys: Vec<String> = (0..2500).map(|i| format!("{:04}", i * 7 % 2500)).collect();
    fill(&s3, &keys).await?;
    let mut pages = s3.client.list_objects_v2().bucket(BUCKET).into_paginator().send();
    let (mut sizes, mut names) = (Vec::new(), Vec::new());
    while let Some(page) = pages.next().await {
        let page = page?;
        sizes.push(page.key_count().unwrap_or_default());
        for object in page.contents() {
            assert_eq!(object.e_tag(), Some("\"d41d8cd98f00b204e9800998ecf8427e\""));
            assert_eq!(object.size(), Some(0));
            assert!(object.last_modified().is_some());
            names.push(object.key().unwrap_or_default().to_owned());
        }
    }
    assert_eq!(sizes, [1000, 1000, 500]);
    assert_eq!(names, (0..2500).map(|i| format!("{i:04}")).collect::<Vec<_>>());
    // Version 1, by the last key of each page.
    let (mut marker, mut names) = (String::new(), Vec::new());
    loop {
        let page = s3.client.list_objects().bucket(BUCKET).marker(&marker).max_keys(999).send().await?;
        names.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        if page.is_truncated() != Some(true) {
            break;
        }
        marker = names.last().cloned().unwrap_or_default();
    }
    assert_eq!(names.len(), 2500);
    assert!(names.is_sorted());
    Ok(())
}

const TREE: [&str; 9] = ["a", "a-b", "a/1", "a/2", "a/b/3", "a0", "b/4", "c", "ü/5"];

/// Keys and common prefixes of a page of version 2.
async fn listed(
    s3: &Bench,
    prefix: &str,
    delimiter: Option<&str>,
    after: &str,
) -> Result<(Vec<String>, Vec<String>), Failed> {
    let page = s3.client.list_objects_v2().bucket(BUCKET).prefix(prefix).set_delimiter(delimiter.map(str::to_owned));
    let page = page.start_after(after).send().await?;
    let keys = page.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect();
    let prefixes = page.common_prefixes().iter().filter_map(|common| common.prefix().map(str::to_owned)).collect();
    Ok((keys, prefixes))
}

async fn delimiters(s3: Bench) -> Result<(), Failed> {
    fill(&s3, &TREE.map(str::to_owned)).await?;
    let expect = |keys: &[&str], prefixes: &[&str]| {
        (keys.iter().map(|key| (*key).to_owned()).collect(), prefixes.iter().map(|key| (*key).to_owned()).collect())
    };
    assert_eq!(listed(&s3, "", None, "").await?, expect(&TREE, &[]));
    assert_eq!(listed(&s3, "", Some("/"), "").await?, expect(&["a", "a-b", "a0", "c"], &["a/", "b/", "ü/"]));
    assert_eq!(listed(&s3, "a", Some("/"), "").await?, expect(&["a", "a-b", "a0"], &["a/"]));
    assert_eq!(listed(&s3, "a/", Some("/"), "").await?, expect(&["a/1", "a/2"], &["a/b/"]));
    assert_eq!(listed(&s3, "ü", None, "").await?, expect(&["ü/5"], &[]));
    assert_eq!(listed(&s3, "", Some("-"), "").await?.1, ["a-"]);
    assert_eq!(listed(&s3, "zzz", Some("/"), "").await?, expect(&[], &[]));
    Ok(())
}

async fn markers(s3: Bench) -> Result<(), Failed> {
    fill(&s3, &TREE.map(str::to_owned)).await?;
    assert_eq!(listed(&s3, "", None, "a/2").await?.0, ["a/b/3", "a0", "b/4", "c", "ü/5"]);
    assert_eq!(listed(&s3, "", None, "a/3").await?.0[0], "a/b/3", "the key need not be there");
    let (keys, prefixes) = listed(&s3, "", Some("/"), "a/").await?;
    assert_eq!(
        (keys.as_slice(), prefixes.as_slice()),
        (["a0".to_owned(), "c".into()].as_slice(), ["b/".to_owned(), "ü/".into()].as_slice())
    );
    let page = s3.client.list_objects().bucket(BUCKET).delimiter("/").max_keys(3).send().await?;
    assert_eq!(page.next_marker(), Some("a/"));
    let page = s3.client.list_objects().bucket(BUCKET).delimiter("/").marker("a/").send().await?;
    assert_eq!(page.common_prefixes().len(), 2);
    Ok(())
}

async fn folders(s3: Bench) -> Result<(), Failed> {
    let keys: Vec<String> = (0..60).flat_map(|i| [format!("{i:02}/x"), format!("{i:02}/y")]).collect();
    fill(&s3, &keys).await?;
    let mut pages = s3.client.list_objects_v2().bucket(BUCKET).delimiter("/").max_keys(7).into_paginator().send();
    let mut prefixes = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page?;
        assert!(page.common_prefixes().len() <= 7);
        prefixes.extend(page.common_prefixes().iter().filter_map(|common| common.prefix().map(str::to_owned)));
    }
    assert_eq!(prefixes, (0..60).map(|i| format!("{i:02}/")).collect::<Vec<_>>());
    Ok(())
}

async fn encodings(s3: Bench) -> Result<(), Failed> {
    fill(&s3, &["a b+c/ä&\u{1}.png".to_owned()]).await?;
    let list = s3.client.list_objects_v2().bucket(BUCKET).encoding_type(EncodingType::Url);
    let page = list.prefix("a b").delimiter("&").send().await?;
    assert_eq!(page.common_prefixes()[0].prefix(), Some("a%20b%2Bc/%C3%A4%26"));
    assert_eq!((page.prefix(), page.delimiter()), (Some("a%20b"), Some("%26")));
    let page = s3.client.list_objects().bucket(BUCKET).encoding_type(EncodingType::Url).send().await?;
    assert_eq!(page.contents()[0].key(), Some("a%20b%2Bc/%C3%A4%26%01.png"));
    Ok(())
}

async fn odd(s3: Bench) -> Result<(), Failed> {
    fill(&s3, &["a".to_owned()]).await?;
    let list = || s3.client.list_objects_v2().bucket(BUCKET);
    let none = list().max_keys(0).send().await?;
    assert_eq!((none.key_count(), none.is_truncated()), (Some(0), Some(false)));
    assert_eq!(refusal(list().max_keys(-1).send().await), (400, "InvalidArgument".into()));
    assert_eq!(refusal(list().continuation_token("?").send().await), (400, "InvalidArgument".into()));
    assert_eq!(list().max_keys(5000).send().await?.max_keys(), Some(1000));
    assert_eq!(refusal(s3.client.list_objects_v2().bucket("nope").send().await), (404, "NoSuchBucket".into()));
    Ok(())
}
