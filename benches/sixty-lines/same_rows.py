"""The same job as handler.py's, with the rows that Spotter writes, in the same two round trips: for end_to_end.py."""

import hashlib
import io
import json
import os
import time
from datetime import datetime, timezone
from urllib.parse import unquote_plus

import boto3
import numpy as np
import onnxruntime
from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
from PIL import Image, ImageOps

COLUMNS = ("bucket", "key", "seq", "event_time", "version", "model", "status", "reason", "why", "label", "confidence", "top",
           "width", "height", "size", "content_type", "etag", "seen")

MODEL, DAY = "peer/1", 86_400_000
LABELS = [*"0123456789", "no-digit"]
THRESHOLD = 0.8

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
network = onnxruntime.InferenceSession(os.path.join(os.path.dirname(__file__), "model.onnx"), options)
s3 = boto3.client("s3")
profile = ExecutionProfile(TokenAwarePolicy(DCAwareRoundRobinPolicy()), consistency_level=ConsistencyLevel.LOCAL_QUORUM)
cluster = Cluster(os.environ["CASSANDRA"].split(","), execution_profiles={EXEC_PROFILE_DEFAULT: profile}, protocol_version=5)
session = cluster.connect(os.environ["KEYSPACE"])


def insert(table: str, *more: str):
    names = (*COLUMNS, *more)
    return session.prepare(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})")


by_object = insert("by_object")
by_time = insert("by_time", "slot", "shard", "object_hash")
by_label = insert("by_label", "slot", "shard", "object_hash", "listed_as")
session.execute(session.prepare("INSERT INTO slots (one, slot) VALUES ('slots', ?)"), (int(time.time() * 1000) // DAY * DAY,))


def classify(body: bytes) -> tuple:
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(body)))
    width, height = picture.size
    small = picture.convert("L").resize((28, 28))
    pixels = np.asarray(small, np.float32) / 255
    if pixels.mean() > 0.5:  # dark ink on light paper
        pixels = 1 - pixels
    logits = network.run(None, {"image": pixels[None, None]})[0][0]
    odds = np.exp(logits - logits.max())
    odds /= odds.sum()
    best = odds.argsort()[::-1][:3]
    top = [(LABELS[at], round(float(odds[at]), 4)) for at in best]
    label, confidence = top[0]
    sure = confidence >= THRESHOLD and label != "no-digit"
    seen = io.BytesIO()
    Image.fromarray((pixels * 255).astype(np.uint8)).save(seen, "PNG")
    verdict = ("classified", "", "") if sure else ("unsure", "below_threshold", f"below threshold {THRESHOLD:.2f}")
    return verdict, label, confidence, top, width, height, seen.getvalue()


def handle(record: dict) -> None:
    bucket, entity = record["s3"]["bucket"]["name"], record["s3"]["object"]
    key, seq = unquote_plus(entity["key"]), entity["sequencer"].upper().ljust(32, "0")
    answer = s3.get_object(Bucket=bucket, Key=key)
    body, etag = answer["Body"].read(), answer["ETag"].strip('"')
    (status, reason, why), label, confidence, top, width, height, seen = classify(body)
    at = datetime.fromisoformat(record["eventTime"].replace("Z", "+00:00"))
    row = (bucket, key, seq, at, etag, MODEL, status, reason, why, label, confidence, top, width, height, len(body),
           answer.get("ContentType", ""), etag, seen)
    slot = at.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    place = (slot, 0, hashlib.sha256(f"{bucket}\0{key}".encode()).digest()[:16])
    logs = [session.execute_async(by_time, (*row, *place)),
            session.execute_async(by_label, (*row, *place, label if status == "classified" else status))]
    for log in logs:
        log.result()
    session.execute(by_object, row)


def handler(event: dict, _context) -> dict:
    for message in event["Records"]:
        for record in json.loads(message["body"]).get("Records", []):
            handle(record)
    return {"batchItemFailures": []}
