//! Tags of an object, beside those that others gave it.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{self, Tagging};

use super::Pinned;
use super::s3::unanswered;

/// An object has no more. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html>
pub const MOST_TAGS: usize = 10;
const LONGEST_VALUE: usize = 256;

/// A tag as it is to be; without a value it is to be gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    pub name: &'static str,
    pub value: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    Written,
    /// They were so already.
    Same,
    /// Left as they were: with these there would be more than [`MOST_TAGS`].
    Full,
    /// The version is gone or replaced.
    Gone,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Will not pass by itself: no permission, or a store without tags.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Retry(String),
}

/// `text` as S3 takes it for a tag's value: letters, digits, spaces and `+-=._:/@`, at most 256 characters. What is
/// not allowed becomes `_`.
pub fn tag_value(text: &str) -> String {
    let allowed = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
    text.chars().take(LONGEST_VALUE).map(|c| if allowed(c) { c } else { '_' }).collect()
}

/// Reads, merges, writes; writes nothing where nothing would change.
pub(super) async fn merge(client: &Client, pinned: &Pinned, wanted: &[Tag]) -> Result<Tagged, TagError> {
    let Pinned { bucket, key, version_id, .. } = pinned;
    let read = client.get_object_tagging().bucket(bucket).key(key).set_version_id(version_id.clone());
    let own = match read.send().await {
        Ok(answer) => answer.tag_set.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        // AWS gives an empty set.
        Err(error) if error.code() == Some("NoSuchTagSet") => Vec::new(),
        Err(error) => return failure(pinned, &error),
    };
    let tags = merged(&own, wanted);
    if tags == own {
        return Ok(Tagged::Same);
    }
    if tags.len() > MOST_TAGS {
        return Ok(Tagged::Full);
    }
    let tags: Result<Vec<_>, _> =
        tags.into_iter().map(|(name, value)| types::Tag::builder().key(name).value(value).build()).collect();
    let tagging = tags.and_then(|tags| Tagging::builder().set_tag_set(Some(tags)).build());
    let tagging = tagging.map_err(|error| TagError::Refused(error.to_string()))?;
    let write = client.put_object_tagging().bucket(bucket).key(key).set_version_id(version_id.clone()).tagging(tagging);
    match write.send().await {
        Ok(_) => Ok(Tagged::Written),
        Err(error) => failure(pinned, &error),
    }
}

/// `own` with each of `wanted` in its place, or behind, or taken away.
fn merged(own: &[(String, String)], wanted: &[Tag]) -> Vec<(String, String)> {
    let mut tags = own.to_vec();
    for Tag { name, value } in wanted {
        match (value, tags.iter_mut().find(|(own, _)| own == name)) {
            (Some(value), Some(tag)) => tag.1.clone_from(value),
            (Some(value), None) => tags.push(((*name).into(), value.clone())),
            (None, _) => tags.retain(|(own, _)| own != name),
        }
    }
    tags
}

fn failure<E>(pinned: &Pinned, error: &SdkError<E>) -> Result<Tagged, TagError>
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let why = || format!("{pinned} cannot be tagged: {}", unanswered(error));
    match (status, error.code().unwrap_or_default()) {
        (_, "NoSuchKey" | "NoSuchVersion") => Ok(Tagged::Gone),
        (Some(403), _) => Err(TagError::Refused(format!(
            "{}. Tagging needs s3:GetObjectTagging and s3:PutObjectTagging, and both for versions",
            why()
        ))),
        // A store without tags, or with rules of its own for them.
        (Some(405 | 501), _) | (_, "NotImplemented" | "InvalidTag" | "InvalidRequest" | "InvalidArgument") => {
            Err(TagError::Refused(why()))
        }
        _ => Err(TagError::Retry(why())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(tags: &[(&str, &str)]) -> Vec<(String, String)> {
        tags.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn tag(name: &'static str, value: Option<&str>) -> Tag {
        Tag { name, value: value.map(str::to_owned) }
    }

    #[test]
    fn what_others_wrote_stays() {
        let before = own(&[("a", "1"), ("label", "7"), ("b", "2")]);
        assert_eq!(merged(&before, &[tag("label", Some("7"))]), before);
        assert_eq!(merged(&before, &[tag("label", Some("8"))]), own(&[("a", "1"), ("label", "8"), ("b", "2")]));
        assert_eq!(merged(&before, &[tag("label", None)]), own(&[("a", "1"), ("b", "2")]));
        assert_eq!(merged(&before[..1], &[tag("label", None)]), before[..1]);
        assert_eq!(merged(&[], &[tag("label", Some("7"))]), own(&[("label", "7")]));
    }

    #[test]
    fn values_are_such_as_s3_takes() {
        assert_eq!(tag_value("七 7 a+b-c=d.e_f:g/h@i"), "七 7 a+b-c=d.e_f:g/h@i");
        assert_eq!(tag_value("a&b,\u{0}#\"?"), "a_b_____");
        assert_eq!(tag_value(&"七".repeat(300)).chars().count(), 256);
    }
}
