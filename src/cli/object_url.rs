//! `s3://bucket/key`, as people type it.

use std::str::FromStr;

/// An object as an argument. The key is taken as it is: a `+` is a plus, a `%` a percent sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectUrl {
    pub(super) bucket: String,
    pub(super) key: String,
}

impl FromStr for ObjectUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<ObjectUrl, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return Err(match text.split_once('/') {
                Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() && !text.contains("://") => {
                    format!("did you mean s3://{text}?")
                }
                _ => "an object is written s3://bucket/key".into(),
            });
        };
        match rest.split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                Ok(ObjectUrl { bucket: bucket.into(), key: key.into() })
            }
            _ => Err(format!("{text} names no object: an object is written s3://bucket/key")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_as_they_are() {
        let url: ObjectUrl = "s3://b/a/../c d+e%2B".parse().unwrap();
        assert_eq!((url.bucket.as_str(), url.key.as_str()), ("b", "a/../c d+e%2B"));
    }

    #[test]
    fn a_forgotten_scheme_is_guessed() {
        assert_eq!("b/k.png".parse::<ObjectUrl>().unwrap_err(), "did you mean s3://b/k.png?");
        for bad in ["", "k.png", "s3://b", "s3://b/", "s3:///k", "http://b/k"] {
            assert!(bad.parse::<ObjectUrl>().unwrap_err().contains("s3://bucket/key"), "{bad}");
        }
    }
}
