"""Reads digits out of pictures that are uploaded to a bucket: S3 → SQS → this function → Cassandra."""

import io
import json
import logging
import os
from datetime import datetime, timezone
from urllib.parse import unquote_plus

import boto3
import numpy as np
import onnxruntime
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
from PIL import Image, ImageOps

LABELS = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "no-digit"]
THRESHOLD = 0.8

# Once a sandbox, at its cold start.
s3 = boto3.client("s3")
model = onnxruntime.InferenceSession(os.path.join(os.path.dirname(__file__), "model.onnx"))
profile = ExecutionProfile(TokenAwarePolicy(DCAwareRoundRobinPolicy()), consistency_level=ConsistencyLevel.LOCAL_QUORUM)
cluster = Cluster(os.environ["CASSANDRA"].split(","), execution_profiles={EXEC_PROFILE_DEFAULT: profile}, protocol_version=5)
session = cluster.connect(os.environ["KEYSPACE"])
insert = session.prepare("INSERT INTO labels (bucket, key, status, label, confidence, etag, size, labelled_at) "
                         "VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
delete = session.prepare("DELETE FROM labels WHERE bucket = ? AND key = ?")


def classify(body: bytes) -> tuple[str, str | None, float | None]:
    try:
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(body))).convert("L").resize((28, 28))
    except Exception as error:  # what cannot be read today cannot be read tomorrow: no retry
        logging.warning("not a picture: %s", error)
        return "rejected", None, None
    pixels = np.asarray(picture, np.float32) / 255
    if pixels.mean() > 0.5:  # dark ink on light paper
        pixels = 1 - pixels
    logits = model.run(None, {"image": pixels[None, None]})[0][0]
    odds = np.exp(logits - logits.max())
    odds /= odds.sum()
    best = int(odds.argmax())
    sure = odds[best] >= THRESHOLD and LABELS[best] != "no-digit"
    return ("classified" if sure else "unsure"), LABELS[best], float(odds[best])


def handle(record: dict) -> None:
    bucket = record["s3"]["bucket"]["name"]
    key = unquote_plus(record["s3"]["object"]["key"])
    if record["eventName"].startswith("ObjectRemoved"):
        session.execute(delete, (bucket, key))
        return
    answer = s3.get_object(Bucket=bucket, Key=key)
    body = answer["Body"].read()
    row = (bucket, key, *classify(body), answer["ETag"].strip('"'), len(body), datetime.now(timezone.utc))
    session.execute(insert, row)


def handler(event: dict, _context) -> dict:
    failures = []
    for message in event["Records"]:
        try:
            for record in json.loads(message["body"]).get("Records", []):  # a test event has none
                handle(record)
        except Exception:
            logging.exception("%s comes again", message["messageId"])
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}
