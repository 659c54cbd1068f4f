"""S3's notifications as S3 writes them, for the scripts beside this one.
<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>"""

import itertools
import json
import time
from datetime import datetime, timezone
from urllib.parse import quote_plus

CREATED, REMOVED = "ObjectCreated:Put", "ObjectRemoved:Delete"
started = time.time_ns() // 1000
changes = itertools.count(started)


def notification(bucket: str, key: str, name: str, etag: str | None = None, size: int | None = None) -> str:
    """Of the change that was made last: its sequencer is greater than those before."""
    entity = {"key": quote_plus(key, safe="/"), "sequencer": f"{next(changes):018X}"}
    if etag is not None:
        entity |= {"eTag": etag, "size": size}
    now = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": now,
        "eventName": name,
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "pictures",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": entity,
        },
    }
    return json.dumps({"Records": [record]})


def test_event(bucket: str) -> str:
    """What S3 sends once a notification is set up."""
    return json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-21T00:00:00.000Z", "Bucket": bucket})
