//! How keys are written in notifications, and how to read them back exactly once.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// As AWS S3 writes keys: Java's `URLEncoder`, and `/` stays.
const AWS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'*').remove(b'_').remove(b'/');

/// As MinIO writes keys: Go's `url.QueryEscape`.
const MINIO: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// The key as AWS S3 writes it in notifications to Lambda, SQS and SNS: a space is `+`.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>
pub fn encode_as_aws(key: &str) -> String {
    form_encode(key, AWS)
}

/// The key as MinIO writes it in the records of its webhooks.
pub fn encode_as_minio(key: &str) -> String {
    form_encode(key, MINIO)
}

/// `%20` can only stand for a space here, because a literal `%` is `%25`.
fn form_encode(key: &str, escaped: &'static AsciiSet) -> String {
    utf8_percent_encode(key, escaped).to_string().replace("%20", "+")
}

/// `application/x-www-form-urlencoded`: `+` is a space, then percent. Strict, because a key that is guessed at is
/// another object's key; the error says what is wrong with it.
pub fn form_decode(encoded: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = (rest.next().and_then(hex_digit), rest.next().and_then(hex_digit));
                let (Some(high), Some(low)) = digits else { return Err("a `%` without two hex digits") };
                high << 4 | low
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| "not UTF-8 once decoded")
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encodes_as_the_senders_do() {
        for (key, aws, minio) in [
            ("0 blue marker.png", "0+blue+marker.png", "0+blue+marker.png"),
            ("3+chalk.webp", "3%2Bchalk.webp", "3%2Bchalk.webp"),
            ("9 scan%2Bcopy.tiff", "9+scan%252Bcopy.tiff", "9+scan%252Bcopy.tiff"),
            ("photos/7 phone.jpg", "photos/7+phone.jpg", "photos%2F7+phone.jpg"),
            ("fünf.jpg", "f%C3%BCnf.jpg", "f%C3%BCnf.jpg"),
            ("a*b~c-d_e.f", "a*b%7Ec-d_e.f", "a%2Ab~c-d_e.f"),
            ("dt=2018-05-04/a:b", "dt%3D2018-05-04/a%3Ab", "dt%3D2018-05-04%2Fa%3Ab"),
        ] {
            assert_eq!(encode_as_aws(key), aws);
            assert_eq!(encode_as_minio(key), minio);
        }
    }

    #[test]
    fn decodes_once_and_strictly() {
        assert_eq!(form_decode("a+b%2Bc%252B%2f").as_deref(), Ok("a b+c%2B/"));
        assert_eq!(form_decode("fünf.jpg").as_deref(), Ok("fünf.jpg"), "unescaped UTF-8 stays");
        for bad in ["50%", "50%2", "50% off", "%zz", "%+1", "a%é"] {
            assert_eq!(form_decode(bad), Err("a `%` without two hex digits"), "{bad}");
        }
        assert_eq!(form_decode("%FF"), Err("not UTF-8 once decoded"));
        assert_eq!(form_decode("%C3"), Err("not UTF-8 once decoded"));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(key in any::<String>()) {
            let (aws, minio) = (encode_as_aws(&key), encode_as_minio(&key));
            prop_assert!(aws.is_ascii() && minio.is_ascii());
            prop_assert_eq!(form_decode(&aws), Ok(key.clone()));
            prop_assert_eq!(form_decode(&minio), Ok(key));
        }
    }
}
