//! Who is let in: signatures, presigned URLs, clocks, CORS.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use libtest_mimic::{Failed, Trial};
use time::OffsetDateTime;

use super::raw::{Signer, header, send, sha256};
use super::{BUCKET, Bench, PAGE, client, refusal, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("strangers are refused", strangers),
        trial("presigned URLs", presigned),
        trial("old and altered requests are refused", altered),
        trial("CORS", cors),
        trial("a bucket in the host name", virtual_host),
        trial("a shutdown lets requests end", shutdown),
    ]
}

async fn strangers(s3: Bench) -> Result<(), Failed> {
    s3.put("a", b"x").await?;
    let unknown = client(&s3.endpoint, "AKIANOBODY", &s3.credentials.secret_access_key);
    let refused = unknown.get_object().bucket(BUCKET).key("a").send().await;
    assert_eq!(refusal(refused), (403, "InvalidAccessKeyId".into()));
    let wrong = client(&s3.endpoint, &s3.credentials.access_key_id, "not the secret");
    let refused = wrong.get_object().bucket(BUCKET).key("a").send().await;
    assert_eq!(refusal(refused), (403, "SignatureDoesNotMatch".into()));
    let refused = wrong.put_object().bucket(BUCKET).key("b").body(ByteStream::from_static(b"x")).send().await;
    assert_eq!(refusal(refused), (403, "SignatureDoesNotMatch".into()));
    for (method, target) in [("GET", "/"), ("GET", "/pictures/a"), ("DELETE", "/pictures/a"), ("PUT", "/pictures/b")] {
        let anonymous = send(&s3, method, target, &[], b"").await?;
        assert_eq!((anonymous.status, anonymous.code()), (403, "AccessDenied"), "{method} {target}");
    }
    let old = [header("authorization", format!("AWS {}:c2ln", s3.credentials.access_key_id)), header("date", "now")];
    let version_2 = send(&s3, "GET", "/pictures/a", &old, b"").await?;
    assert_eq!((version_2.status, version_2.code()), (400, "InvalidRequest"));
    let target =
        format!("/pictures/a?AWSAccessKeyId={}&Expires=4000000000&Signature=c2ln", s3.credentials.access_key_id);
    assert_eq!(send(&s3, "GET", &target, &[], b"").await?.code(), "SignatureDoesNotMatch");
    let expired = target.replace("4000000000", "1000000000");
    assert_eq!(send(&s3, "GET", &expired, &[], b"").await?.code(), "AccessDenied");
    assert_eq!(s3.notified()?.len(), 1);
    Ok(())
}

/// The path and the query of a URL.
fn target(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest[rest.find('/').unwrap_or(rest.len())..].to_owned()
}

async fn presigned(s3: Bench) -> Result<(), Failed> {
    let hour = PresigningConfig::expires_in(Duration::from_secs(3600))?;
    let put =
        s3.client.put_object().bucket(BUCKET).key("a b+ä").content_type("image/png").presigned(hour.clone()).await?;
    let headers: Vec<_> = put.headers().map(|(name, value)| header(name, value)).collect();
    let done = send(&s3, "PUT", &target(put.uri()), &headers, b"hello").await?;
    assert_eq!(done.status, 200, "{done:?}");
    let get = s3.client.get_object().bucket(BUCKET).key("a b+ä").presigned(hour).await?;
    let got = send(&s3, "GET", &target(get.uri()), &[], b"").await?;
    assert_eq!((got.status, got.body.as_str(), got.header("content-type")), (200, "hello", Some("image/png")));
    let other = target(get.uri()).replace("a%20b", "a%20c");
    assert_eq!(send(&s3, "GET", &other, &[], b"").await?.code(), "SignatureDoesNotMatch");
    let put_instead = send(&s3, "PUT", &target(get.uri()), &[], b"x").await?;
    assert_eq!(put_instead.code(), "SignatureDoesNotMatch");
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    let past = PresigningConfig::builder().start_time(yesterday).expires_in(Duration::from_secs(60)).build()?;
    let expired = s3.client.get_object().bucket(BUCKET).key("a b+ä").presigned(past).await?;
    let refused = send(&s3, "GET", &target(expired.uri()), &[], b"").await?;
    assert_eq!((refused.status, refused.code()), (403, "AccessDenied"));
    assert!(refused.body.contains("expired"));
    assert_eq!(s3.notified()?, [("ObjectCreated:Put".to_owned(), "a+b%2B%C3%A4".to_owned())]);
    Ok(())
}

async fn altered(s3: Bench) -> Result<(), Failed> {
    let now = OffsetDateTime::now_utc();
    let signer = Signer::new(&s3.credentials, now);
    let (headers, _) = signer.headers(&s3, "PUT", "/pictures/a", &sha256(b"hello"), &[]);
    assert_eq!(send(&s3, "PUT", "/pictures/a", &headers, b"hello").await?.status, 200);
    let other_body = send(&s3, "PUT", "/pictures/a", &headers, b"hellO").await?;
    assert_eq!((other_body.status, other_body.code()), (400, "XAmzContentSHA256Mismatch"));
    assert_eq!(send(&s3, "PUT", "/pictures/b", &headers, b"hello").await?.code(), "SignatureDoesNotMatch");
    assert_eq!(s3.get("a").await?, b"hello");
    let old = Signer::new(&s3.credentials, now - time::Duration::hours(1));
    let (headers, _) = old.headers(&s3, "GET", "/pictures/a", "UNSIGNED-PAYLOAD", &[header("content-length", 0)]);
    let late = send(&s3, "GET", "/pictures/a", &headers, b"").await?;
    assert_eq!((late.status, late.code()), (403, "RequestTimeTooSkewed"));
    // A body that breaks off becomes nothing.
    let (mut headers, _) = signer.headers(&s3, "PUT", "/pictures/half", "UNSIGNED-PAYLOAD", &[]);
    headers.push(header("content-length", 100));
    // Whether the answer still arrives depends on who closes first.
    let _ = send(&s3, "PUT", "/pictures/half", &headers, b"only this").await;
    assert_eq!(refusal(s3.client.get_object().bucket(BUCKET).key("half").send().await).0, 404);
    assert_eq!(s3.notified()?.len(), 1);
    Ok(())
}

async fn cors(s3: Bench) -> Result<(), Failed> {
    let ask = |origin: &str| {
        [
            header("origin", origin),
            header("access-control-request-method", "PUT"),
            header("access-control-request-headers", "content-type,x-amz-date"),
        ]
    };
    let yes = send(&s3, "OPTIONS", "/pictures/a", &ask(PAGE), b"").await?;
    assert_eq!(yes.status, 204);
    assert_eq!(yes.header("access-control-allow-origin"), Some(PAGE));
    assert!(yes.header("access-control-allow-methods").is_some_and(|methods| methods.contains("PUT")));
    assert_eq!(yes.header("access-control-allow-headers"), Some("content-type,x-amz-date"));
    let no = send(&s3, "OPTIONS", "/pictures/a", &ask("http://evil.example"), b"").await?;
    assert_eq!((no.status, no.header("access-control-allow-origin")), (403, None));
    s3.put("a", b"x").await?;
    let signer = Signer::new(&s3.credentials, OffsetDateTime::now_utc());
    for (origin, allowed) in [(PAGE, Some(PAGE)), ("http://evil.example", None)] {
        let (mut headers, _) = signer.headers(&s3, "GET", "/pictures/a", "UNSIGNED-PAYLOAD", &[]);
        headers.extend([header("origin", origin), header("content-length", 0)]);
        let got = send(&s3, "GET", "/pictures/a", &headers, b"").await?;
        assert_eq!((got.status, got.header("access-control-allow-origin")), (200, allowed));
        assert!(got.header("vary").is_some_and(|names| names.contains("Origin")));
    }
    let refused = send(&s3, "GET", "/pictures/a", &[header("origin", PAGE)], b"").await?;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, Some(PAGE)));
    Ok(())
}

async fn virtual_host(s3: Bench) -> Result<(), Failed> {
    s3.put("a", b"x").await?;
    let signer = Signer::new(&s3.credentials, OffsetDateTime::now_utc());
    let host = format!("{BUCKET}.localhost:{}", s3.endpoint.address().port());
    let to_sign = |path: &str| {
        let canonical = format!(
            "GET\n{path}\n\nhost:{host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{}\n\n\
             host;x-amz-content-sha256;x-amz-date\nUNSIGNED-PAYLOAD",
            signer.time
        );
        format!("AWS4-HMAC-SHA256\n{}\n{}\n{}", signer.time, signer.scope, sha256(canonical.as_bytes()))
    };
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let request = format!(
        "GET /a HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: 0\r\nx-amz-date: {}\r\n\
         x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nauthorization: AWS4-HMAC-SHA256 Credential={},\
         SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature={}\r\n\r\n",
        signer.time,
        signer.credential(),
        signer.sign(&to_sign("/a"))
    );
    let mut stream = tokio::net::TcpStream::connect(s3.endpoint.address()).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\nx"), "{answer}");
    Ok(())
}

async fn shutdown(s3: Bench) -> Result<(), Failed> {
    s3.put("a", b"x").await?;
    let address = s3.endpoint.address();
    s3.endpoint.shutdown().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    Ok(())
}
