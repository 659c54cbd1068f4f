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

/// The objects of a bucket whose keys begin with something, as an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PrefixUrl {
    pub(super) bucket: String,
    /// Empty for all.
    pub(super) prefix: String,
}

impl FromStr for PrefixUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<PrefixUrl, String> {
        let Some(rest) = text.strip_prefix("s3://") else {
            let bucket = text.split('/').next().unwrap_or_default();
            let guess = !bucket.is_empty() && !text.contains("://");
            return Err(if guess { format!("did you mean s3://{text}?") } else { "write s3://bucket/prefix".into() });
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(format!("{text} names no bucket: write s3://bucket or s3://bucket/prefix"));
        }
        Ok(PrefixUrl { bucket: bucket.into(), prefix: prefix.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_may_be_empty() {
        for (text, bucket, prefix) in [("s3://b", "b", ""), ("s3://b/", "b", ""), ("s3://b/a/b c", "b", "a/b c")] {
            let url: PrefixUrl = text.parse().unwrap();
            assert_eq!((&*url.bucket, &*url.prefix), (bucket, prefix), "{text}");
        }
        assert_eq!("b".parse::<PrefixUrl>().unwrap_err(), "did you mean s3://b?");
        for bad in ["", "s3://", "s3:///k", "http://b/k"] {
            assert!(bad.parse::<PrefixUrl>().unwrap_err().contains("write s3://bucket"), "{bad}");
        }
    }

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
