//! Browsers' forms (POST policies).
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>

use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use spotter::encoding::base64;
use time::OffsetDateTime;

use super::raw::{Reply, Signer, header, send};
use super::{BUCKET, Bench, PAGE, trial};

pub fn trials() -> Vec<Trial> {
    vec![trial("a form uploads what its policy allows", allowed), trial("a form's policy is kept", refused)]
}

/// A form's fields, and the conditions that they meet.
struct Form {
    fields: Vec<(String, String)>,
    signer: Signer,
}

impl Form {
    fn new(s3: &Bench, key: &str, expiration: &str, more: &[Value]) -> Self {
        let signer = Signer::new(&s3.credentials, OffsetDateTime::now_utc());
        let mut conditions = vec![
            json!({"bucket": BUCKET}),
            json!(["starts-with", "$key", "in/"]),
            json!(["content-length-range", 1, 10]),
            json!({"x-amz-algorithm": "AWS4-HMAC-SHA256"}),
            json!({"x-amz-credential": signer.credential()}),
            json!({"x-amz-date": signer.time}),
        ];
        conditions.extend_from_slice(more);
        let policy = json!({"expiration": expiration, "conditions": conditions}).to_string();
        let policy = base64(policy.as_bytes());
        let fields = vec![
            header("key", key),
            header("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            header("x-amz-credential", signer.credential()),
            header("x-amz-date", &signer.time),
            header("x-amz-signature", signer.sign(&policy)),
            header("policy", policy),
        ];
        Self { fields, signer }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push(header(name, value));
    }

    async fn post(&self, s3: &Bench, file: &[u8]) -> Result<Reply, Failed> {
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            let part = format!("--frontier\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend(part.bytes());
        }
        body.extend(b"--frontier\r\nContent-Disposition: form-data; name=\"file\"; filename=\"7.png\"\r\n");
        body.extend(b"Content-Type: image/png\r\n\r\n");
        body.extend(file);
        body.extend(b"\r\n--frontier--\r\n");
        let headers = [header("content-type", "multipart/form-data; boundary=frontier"), header("origin", PAGE)];
        send(s3, "POST", &format!("/{BUCKET}"), &headers, &body).await
    }
}

const LATER: &str = "2099-01-01T00:00:00.000Z";

async fn allowed(s3: Bench) -> Result<(), Failed> {
    let done = Form::new(&s3, "in/a b.png", LATER, &[]).post(&s3, b"picture").await?;
    assert_eq!(done.status, 204, "{done:?}");
    assert_eq!(done.header("access-control-allow-origin"), Some(PAGE));
    let got = s3.client.get_object().bucket(BUCKET).key("in/a b.png").send().await?;
    assert_eq!(got.content_type(), Some("binary/octet-stream"), "as S3 says where nobody said it");
    assert_eq!(got.body.collect().await?.to_vec(), b"picture");
    let mut form = Form::new(
        &s3,
        "in/b",
        LATER,
        &[json!({"success_action_status": "201"}), json!(["starts-with", "$Content-Type", "image/"])],
    );
    form.set("success_action_status", "201");
    form.set("Content-Type", "image/jpeg");
    let done = form.post(&s3, b"x").await?;
    assert_eq!(done.status, 201, "{done:?}");
    assert!(done.body.contains("<Key>in/b</Key>"), "{done:?}");
    let head = s3.client.head_object().bucket(BUCKET).key("in/b").send().await?;
    assert_eq!(head.content_type(), Some("image/jpeg"));
    let post = |key: &str| ("ObjectCreated:Post".to_owned(), key.to_owned());
    assert_eq!(s3.notified()?, [post("in/a+b.png"), post("in/b")]);
    Ok(())
}

async fn refused(s3: Bench) -> Result<(), Failed> {
    let refuse = async |form: Form, file: &[u8], code: &str| -> Result<(), Failed> {
        let answer = form.post(&s3, file).await?;
        assert!((400..500).contains(&answer.status), "{code}: {answer:?}");
        assert_eq!(answer.code(), code);
        Ok(())
    };
    let form = || Form::new(&s3, "in/a", LATER, &[]);
    refuse(form(), b"eleven bytes", "EntityTooLarge").await?;
    refuse(form(), b"", "EntityTooSmall").await?;
    refuse(Form::new(&s3, "out/a", LATER, &[]), b"x", "InvalidPolicyDocument").await?;
    refuse(Form::new(&s3, "in/a", "2020-01-01T00:00:00.000Z", &[]), b"x", "AccessDenied").await?;
    let mut unlisted = form();
    unlisted.set("acl", "public-read");
    refuse(unlisted, b"x", "AccessDenied").await?;
    let mut forged = form();
    let signature = forged.signer.sign("another policy");
    forged.set("x-amz-signature", &signature);
    refuse(forged, b"x", "SignatureDoesNotMatch").await?;
    let mut unsigned = form();
    unsigned.fields.retain(|(name, _)| name == "key");
    refuse(unsigned, b"x", "AccessDenied").await?;
    assert_eq!(s3.notified()?, []);
    assert_eq!(s3.client.list_objects_v2().bucket(BUCKET).send().await?.key_count(), Some(0));
    Ok(())
}
