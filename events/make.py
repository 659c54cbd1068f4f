#!/usr/bin/env python3
"""Writes the notifications in this folder, from the pictures in ../samples: python3 events/make.py

Needs Python 3.9 and nothing else. The same bytes every time: no clock, no chance. Every size is a picture's, every
ETag its MD5, which is what S3 answers for an object that came in one PUT. The shapes are those of the services'
documentation, with the fields that Spotter ignores left in.
"""

import base64
import hashlib
import json
from pathlib import Path
from urllib.parse import quote_plus

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "samples"
BUCKET = "demo"
REGION = "eu-central-1"
ACCOUNT = "111122223333"
EMPTY = ""  # the picture of a folder marker: no bytes


def digest(*parts):
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


def uuid(*parts):
    d = digest(*parts)
    return f"{d[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:32]}"


def version(name):
    """32 characters, as S3 makes them."""
    text = base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()
    return text.replace("+", ".").replace("/", "_")[:32]


def time(n):
    """The n-th second after two o'clock."""
    return f"2026-11-21T02:{n // 60:02}:{n % 60:02}.567Z"


def sequencer(n):
    return f"{0x00674F4C1000000000 + n * 0x1000001:018X}"


def picture(name):
    return b"" if name == EMPTY else (SAMPLES / name).read_bytes()


def facts(name):
    content = picture(name)
    return len(content), hashlib.md5(content).hexdigest()


def as_aws(key):
    return quote_plus(key, safe="/*").replace("~", "%7E")


def as_minio(key):
    return quote_plus(key, safe="~")


def record(n, key, of=None, name="ObjectCreated:Put", version_id=None, **extra):
    """One record of AWS S3. `of`: the picture that is the object, when it is not named as the key."""
    encoded = {"key": as_aws(key)}
    if name.startswith("ObjectCreated") or name.startswith("ObjectRestore"):
        encoded["size"], encoded["eTag"] = facts(key if of is None else of)
    if name.endswith("DeleteMarkerCreated"):
        encoded["eTag"] = hashlib.md5(b"").hexdigest()
    if version_id is not None:
        encoded["versionId"] = version_id
    encoded["sequencer"] = sequencer(n)
    by_s3 = name.startswith("Lifecycle")
    return {
        "eventVersion": "2.3" if by_s3 or "Restore" in name else "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": time(n),
        "eventName": name,
        "userIdentity": {"principalId": "s3.amazonaws.com" if by_s3 else "AWS:AIDAEXAMPLEPICTURES"},
        "requestParameters": {"sourceIPAddress": "s3.amazonaws.com" if by_s3 else "203.0.113.7"},
        "responseElements": {
            "x-amz-request-id": digest("request", n)[:16].upper(),
            "x-amz-id-2": base64.b64encode(hashlib.sha512(str(n).encode()).digest()[:57]).decode(),
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "pictures",
            "bucket": {
                "name": BUCKET,
                "ownerIdentity": {"principalId": "A3NL1KOZZKEXAMPLE"},
                "arn": f"arn:aws:s3:::{BUCKET}",
            },
            "object": encoded,
        },
        **extra,
    }


def records(*all_of_them):
    return {"Records": list(all_of_them)}


def s3_test(n):
    return {
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": time(n),
        "Bucket": BUCKET,
        "RequestId": digest("request", n)[:16].upper(),
        "HostId": base64.b64encode(hashlib.sha512(str(n).encode()).digest()[:57]).decode(),
    }


def text(body):
    """JSON as S3 writes it into a message."""
    return body if isinstance(body, str) else json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def sqs_message(n, body, trace=False, attributes=None):
    sent = str(1795226400567 + n * 1000)
    body = text(body)
    message = {
        "messageId": uuid("message", n),
        "receiptHandle": base64.b64encode(hashlib.sha512(f"receipt {n}".encode()).digest()).decode(),
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SenderId": "AIDAEXAMPLES3SENDER",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": attributes or {},
        "md5OfBody": hashlib.md5(body.encode()).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:pictures",
        "awsRegion": REGION,
    }
    if trace:
        message["attributes"]["AWSTraceHeader"] = f"Root=1-{digest(n)[:8]}-{digest(n)[8:32]};Sampled=1"
    return message


def sns_notification(n, body):
    """As a queue gets it."""
    return {
        "Type": "Notification",
        "MessageId": uuid("sns", n),
        "TopicArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:pictures",
        "Subject": "Amazon S3 Notification",
        "Message": text(body),
        "Timestamp": time(n),
        "SignatureVersion": "1",
        "Signature": base64.b64encode(hashlib.sha512(f"signature {n}".encode()).digest()).decode(),
        "SigningCertURL": f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-example.pem",
        "UnsubscribeURL": f"https://sns.{REGION}.amazonaws.com/?Action=Unsubscribe",
    }


def sns_record(n, body):
    """As Lambda gets it."""
    notification = sns_notification(n, body)
    notification["SigningCertUrl"] = notification.pop("SigningCertURL")
    notification["UnsubscribeUrl"] = notification.pop("UnsubscribeURL")
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": f"arn:aws:sns:{REGION}:{ACCOUNT}:pictures:{uuid('subscription')}",
        "Sns": {**notification, "MessageAttributes": {}},
    }


def eventbridge(n, key, detail_type="Object Created", version_id=None, encode=False, **detail):
    entity = {"key": as_aws(key) if encode else key}
    if detail_type != "Object Deleted":
        entity["size"], entity["etag"] = facts(key)
    elif detail.get("deletion-type") == "Delete Marker Created":
        entity["etag"] = hashlib.md5(b"").hexdigest()
    if version_id is not None:
        entity["version-id"] = version_id
    # LocalStack's sequencer is a constant.
    entity["sequencer"] = "0055AED6DCD90281E5" if encode else sequencer(n)
    return {
        "version": "0",
        "id": uuid("eventbridge", n),
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": time(n)[:19] + "Z",
        "region": REGION,
        "resources": [f"arn:aws:s3:::{BUCKET}"],
        "detail": {
            "version": "0",
            "bucket": {"name": BUCKET},
            "object": entity,
            "request-id": digest("request", n)[:16].upper(),
            "requester": ACCOUNT,
            "source-ip-address": "203.0.113.7",
            **detail,
        },
    }


def batch(schema, *tasks):
    job = {"id": uuid("job")}
    where = {"s3BucketArn": f"arn:aws:s3:::{BUCKET}"}
    if schema == "2.0":
        job["userArguments"] = {"purpose": "classify what was there before"}
        where = {"s3Bucket": BUCKET}
    return {
        "invocationSchemaVersion": schema,
        "invocationId": base64.b64encode(hashlib.sha256(schema.encode()).digest()).decode(),
        "job": job,
        "tasks": [
            {"taskId": base64.b64encode(key.encode()).decode(), "s3Key": as_aws(key), "s3VersionId": version_id, **where}
            for key, version_id in tasks
        ],
    }


def minio(n, key):
    size, etag = facts(key)
    name = "s3:ObjectCreated:Put"
    return {
        "EventName": name,
        "Key": f"{BUCKET}/{key}",
        "Records": [
            {
                "eventVersion": "2.0",
                "eventSource": "minio:s3",
                "awsRegion": "",
                "eventTime": time(n),
                "eventName": name,
                "userIdentity": {"principalId": "minio"},
                "requestParameters": {"principalId": "minio", "region": "", "sourceIPAddress": "172.18.0.1"},
                "responseElements": {
                    "content-length": "0",
                    "x-amz-id-2": digest("host", n),
                    "x-amz-request-id": digest("request", n)[:16].upper(),
                    "x-minio-deployment-id": uuid("deployment"),
                    "x-minio-origin-endpoint": "http://172.18.0.6:9000",
                },
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "Config",
                    "bucket": {
                        "name": BUCKET,
                        "ownerIdentity": {"principalId": "minio"},
                        "arn": f"arn:aws:s3:::{BUCKET}",
                    },
                    "object": {
                        "key": as_minio(key),
                        "size": size,
                        "eTag": etag,
                        "contentType": "image/jpeg",
                        "userMetadata": {"content-type": "image/jpeg"},
                        "sequencer": f"{1795226400567000000 + n * 1000000000:X}",
                    },
                },
                "source": {"host": "172.18.0.1", "port": "", "userAgent": "MinIO (linux; amd64) minio-go/v7.0.90"},
            }
        ],
    }


def ceph(n, key):
    size, etag = facts(key)
    return records(
        {
            "eventVersion": "2.2",
            "eventSource": "ceph:s3",
            "awsRegion": "zonegroup1",
            "eventTime": time(n)[:-1] + "890Z",
            "eventName": "ObjectCreated:Put",
            "userIdentity": {"principalId": "tester"},
            "requestParameters": {"sourceIPAddress": ""},
            "responseElements": {
                "x-amz-request-id": f"{uuid('gateway')}.5330.903595",
                "x-amz-id-2": "14d2-zone1-zonegroup1",
            },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "pictures",
                "bucket": {
                    "name": BUCKET,
                    "ownerIdentity": {"principalId": "tester"},
                    "arn": f"arn:aws:s3:zonegroup1::{BUCKET}",
                    "id": f"{uuid('gateway')}.5332.38",
                },
                "object": {
                    "key": key,
                    "size": size,
                    "eTag": etag,
                    "versionId": "",
                    "sequencer": f"F7E6D75D{n:08X}",
                    "metadata": [{"key": "x-amz-meta-pen", "val": "felt"}],
                    "tags": [],
                },
            },
            "eventId": f"1795226400.567890.{etag}",
            "opaqueData": "",
        }
    )


def missing_optional(n):
    """What a lookalike may leave out; the size is a string, the ETag in quotation marks."""
    size, etag = facts("8.bmp")
    entity = {"key": "8.bmp", "size": str(size), "eTag": f'"{etag}"', "versionId": None}
    return records(
        {"eventName": "s3:ObjectCreated:Put", "s3": {"bucket": {"name": BUCKET}, "object": entity}}
    )


def key_1024():
    folder = "五" * 300 + "/"
    key = folder + "x" * (1024 - len((folder + ".png").encode())) + ".png"
    assert len(key.encode()) == 1024
    return key


def fixtures():
    blue, chalk, scan = "0 blue marker.png", "3+chalk.webp", "9 scan%2Bcopy.tiff"
    six, seven = "photos/6 on squared paper.jpg", "photos/7 phone.jpg"
    seventh, marker = version("seven"), version("marker")
    gone, expired = "ObjectRemoved:Delete", "LifecycleExpiration:Delete"
    marked = "ObjectRemoved:DeleteMarkerCreated"
    created = {"reason": "PutObject"}
    raw = {"source": {"stringValue": "sns", "dataType": "String", "stringListValues": [], "binaryListValues": []}}

    # One for each envelope.
    yield "s3", records(record(1, blue))
    yield "sqs", records(sqs_message(2, records(record(2, "1.png")), trace=True))
    yield "sns", records(sns_record(3, records(record(3, six))))
    yield "sqs-sns", records(sqs_message(4, sns_notification(4, records(record(4, "4.gif")))))
    yield "sqs-sns-raw", records(sqs_message(5, records(record(5, "4.gif")), attributes=raw))
    yield "eventbridge", eventbridge(6, chalk, **created)
    yield "eventbridge-encoded", eventbridge(7, chalk, encode=True, **created)
    yield "sqs-eventbridge", records(sqs_message(8, eventbridge(8, seven, **created)))
    yield "batch-1", batch("1.0", (blue, None), (seven, seventh))
    yield "batch-2", batch("2.0", (chalk, None), (scan, None))
    yield "minio", minio(9, seven)
    yield "ceph", ceph(10, scan)

    # Keys.
    yield "plus", records(record(11, chalk))
    yield "percent-2b", records(record(12, scan))
    yield "non-ascii", records(record(13, "fünf.jpg"), record(14, "五.png"))
    yield "key-1024", records(record(15, key_1024(), of="1.png"))
    yield "folder", records(record(16, "photos/", of=EMPTY))
    yield "dot-dot", records(record(17, "../1.png", of="1.png"))

    # Several at once.
    yield "several", records(record(18, "8.bmp"), record(19, "8 small.png"), record(20, "4 cmyk.jpg"))
    yield "duplicates", records(record(21, "1.png"), record(21, "1.png"))
    yield "out-of-order", records(record(23, "1.png", of="8 small.png"), record(22, "1.png"))
    yield "sqs-mixed", records(
        sqs_message(24, records(record(24, six), record(25, seven))),
        sqs_message(26, sns_notification(26, records(record(26, "fünf.jpg")))),
        sqs_message(27, eventbridge(27, "五.png", **created)),
        sqs_message(28, s3_test(28)),
    )
    yield "sqs-one-bad", records(
        sqs_message(29, records(record(29, "1.png"))),
        sqs_message(30, text(records(record(30, "4.gif")))[:200]),
        sqs_message(31, records(record(31, "8.bmp"))),
    )

    # What goes away.
    yield "deleted", records(record(32, "1.png", name=gone))
    yield "delete-marker", records(record(33, seven, name=marked, version_id=marker))
    yield "marker-removed", records(record(34, seven, name=gone, version_id=marker))
    yield "version-removed", records(record(35, seven, name=gone, version_id=seventh))
    expiry = {"lifecycleEventData": {}}
    yield "noncurrent-expired", records(record(36, seven, name=expired, version_id=seventh, **expiry))
    yield "eventbridge-deleted", eventbridge(
        37, seven, "Object Deleted", marker,
        **{"requester": "s3.amazonaws.com", "reason": "Lifecycle Expiration", "deletion-type": "Delete Marker Created"},
    )
    yield "eventbridge-version-removed", eventbridge(
        38, seven, "Object Deleted", seventh, **{"reason": "DeleteObject", "deletion-type": "Permanently Deleted"}
    )

    # Versions.
    yield "versioned", records(record(39, seven, version_id=seventh))
    yield "version-null", records(
        record(40, "1.png", version_id="null"), record(41, "1.png", name=gone, version_id="null")
    )
    yield "version-empty", records(
        record(42, "1.png", version_id=""), record(43, "1.png", name=gone, version_id="")
    )

    # Nothing to do, and little to go by.
    yield "test", s3_test(44)
    yield "sqs-test", records(sqs_message(45, s3_test(45)))
    yield "sns-test", records(sns_record(46, s3_test(46)))
    restored = {"lifecycleRestorationExpiryTime": "2026-12-01T00:00:00.000Z", "lifecycleRestoreStorageClass": "GLACIER"}
    yield "restored", records(
        record(47, six, name="ObjectRestore:Completed", glacierEventData={"restoreEventData": restored})
    )
    yield "eventbridge-restored", eventbridge(
        48, six, "Object Restore Completed", **{"restore-expiry-time": "2026-12-01T00:00:00Z", "source-storage-class": "GLACIER"}
    )
    yield "missing-optional", missing_optional(49)


def main():
    for name, event in fixtures():
        path = HERE / f"{name}.json"
        path.write_text(json.dumps(event, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
