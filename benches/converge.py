#!/usr/bin/env python3
"""10,000 notifications, 30 % of them duplicates, shuffled, 5 % deletes, over four workers: the tables are those of one
worker that had them in order.

    python3 benches/converge.py target/debug/spotter [NOTIFICATIONS]

The bucket is at rest while both run. Compared is every column of every row of all tables, as CQL's JSON.
"""

import hashlib
import json
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote_plus

from cassandra.cluster import Cluster

from stack import ENVIRONMENT, SAMPLES, Stack

TABLES = ("by_object", "by_time", "by_label", "slots", "layout")
DUPLICATES, DELETES, WORKERS = 0.30, 0.05, 4


def notification(stack: Stack, number: int, name: str, key: str, etag: str | None) -> str:
    entity = {"key": key, "sequencer": f"{number:016X}", **({"eTag": etag} if etag else {})}
    seconds, milliseconds = divmod(number, 1000)
    time_stamp = f"2026-11-21T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}Z"
    s3 = {"s3SchemaVersion": "1.0", "bucket": {"name": stack.bucket}, "object": entity}
    record = {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": time_stamp,
              "eventName": name, "s3": s3}
    return json.dumps({"Records": [record]})


def changes(stack: Stack, wanted: int) -> list[str]:
    """Creations and overwrites of objects, and deletes, in their order; the bucket is left as they leave it."""
    rng, bodies = random.Random(5), [path.read_bytes() for path in sorted(SAMPLES.glob("*.png"))]
    deletes = int(wanted * DELETES)
    keys = [f"{n % 100:02}/{n} +ü.png" for n in range((wanted - deletes) * 3 // 4)]
    order = keys + rng.choices(keys, k=wanted - deletes - len(keys))  # the rest are overwritten
    notifications, current = [], {}
    for number, key in enumerate(order):
        body = bodies[rng.randrange(len(bodies))]
        current[key] = body
        etag = hashlib.md5(body).hexdigest()
        name = "ObjectCreated:Put"
        notifications.append(notification(stack, number, name, encoded(key), etag))
    for number, key in enumerate(rng.sample(keys, deletes), len(order)):
        del current[key]
        notifications.append(notification(stack, number, "ObjectRemoved:Delete", encoded(key), None))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda item: stack.s3.put_object(Bucket=stack.bucket, Key=item[0], Body=item[1]), current.items()))
    return notifications


def encoded(key: str) -> str:
    return quote_plus(key, safe="/")


def run(stack: Stack, messages: list[str], workers: int) -> float:
    batches = [messages[at:at + 10] for at in range(0, len(messages), 10)]

    def send(batch: list[str]) -> None:
        entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(batch)]
        assert not stack.sqs.send_message_batch(QueueUrl=stack.queue, Entries=entries).get("Failed")

    for batch in batches:
        send(batch)
    began = time.time()
    for _ in range(workers):
        stack.worker()
    stack.until_empty(1800)
    return time.time() - began


def tables(stack: Stack) -> dict[str, list[str]]:
    host, port = ENVIRONMENT["SPOTTER_CASSANDRA"].split(":")
    with Cluster([host], port=int(port)) as cluster:
        session, keyspace = cluster.connect(), stack.environment["SPOTTER_KEYSPACE"]
        rows = {table: sorted(row[0] for row in session.execute(f"SELECT JSON * FROM {keyspace}.{table}")) for table in TABLES}
        session.execute(f"DROP KEYSPACE {keyspace}", timeout=60)
        return rows


def main() -> None:
    binary, wanted = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    ordered = Stack(binary, watched=False)
    notifications = changes(ordered, int(wanted * (1 - DUPLICATES)))
    seconds = run(ordered, notifications, 1)
    print(f"1 worker, {len(notifications)} notifications in order: {seconds:.0f} s", flush=True)

    shuffled = Stack(binary, watched=False)
    rng = random.Random(7)
    messages = notifications + rng.choices(notifications, k=wanted - len(notifications))
    rng.shuffle(messages)
    seconds = run(shuffled, messages, WORKERS)
    print(f"{WORKERS} workers, {len(messages)} notifications shuffled: {seconds:.0f} s", flush=True)

    dead = ordered.waiting(ordered.dead_letters) + shuffled.waiting(shuffled.dead_letters)
    left = ordered.waiting() + shuffled.waiting()
    ordered.close(), shuffled.close()
    one, four = tables(ordered), tables(shuffled)
    for table in TABLES:
        same = "the same" if one[table] == four[table] else "DIFFERENT"
        print(f"{table:10} {len(one[table]):6} rows and {len(four[table]):6}: {same}")
    print(f"{dead} dead letters · {left} messages left")
    if one != four or dead or left:
        sys.exit(1)


if __name__ == "__main__":
    main()
