"""A million records, in Cassandra or in the embedded home: what `million.py` asks questions of.

Row n is the same in both homes and in every run, and 345.6 ms lie between two: four days in all. The labels are 0 to 8, one row in 10,000 is a 9, 3 % are unsure and 1 % are rejected.
"""

import hashlib
import json
import pathlib
import random
import sqlite3
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

MODEL, BUCKET = "digits/2", "pictures"
START = 1_790_000_000_000 // 86_400_000 * 86_400_000
STEP = 345.6  # milliseconds
LAYOUT = {"per_day": 500_000, "hours": 1, "shards": 2}
HOUR = 3_600_000

COLUMNS = ("bucket", "key", "seq", "event_time", "version", "model", "status", "reason", "why", "label", "confidence", "top",
           "width", "height", "size", "content_type", "etag", "seen")
SCHEMA = pathlib.Path(__file__).parent.parent / "schema/sqlite.sql"


def rows(first: int, last: int):
    """Of each: the columns, object_hash, listed_as."""
    for n in range(first, last):
        chance = random.Random(n)
        key, time = f"camera-{n % 40:02}/{n:07}.png", START + int(n * STEP)
        hash = hashlib.sha256(f"{BUCKET}\0{key}".encode()).digest()[:16]
        label, confidence = str(n % 9), round(0.8 + 0.2 * chance.random(), 4)
        status, reason, why, dice = "classified", "", "", chance.random()
        if n % 10_000 == 5_000:
            label = "9"
        elif dice < 0.03:
            status, reason, why = "unsure", "below_threshold", "below threshold 0.80"
            confidence = round(0.2 + 0.6 * chance.random(), 4)
        elif dice < 0.04:
            status, reason, why, label, confidence = "rejected", "broken", "PNG ends at byte 512", "", 0.0
        top = [(label, confidence), (str((n + 1) % 9), 0.02), (str((n + 2) % 9), 0.01)] if label else []
        seen = chance.randbytes(400) if label else b""
        etag = f"{n:032x}"
        row = (BUCKET, key, f"{n:032X}", time, etag, MODEL, status, reason, why, label, confidence, top,
               640, 480, 14_000 + n % 999, "image/png", etag, seen)
        yield row, hash, label if status == "classified" else status


def slot(time: int) -> int:
    return time // (LAYOUT["hours"] * HOUR) * LAYOUT["hours"] * HOUR


def shard(hash: bytes) -> int:
    return int.from_bytes(hash[14:16], "big") % LAYOUT["shards"]


def fill_sqlite(file: pathlib.Path, count: int) -> None:
    """In one transaction; the binary would sync each row."""
    file.parent.mkdir(parents=True, exist_ok=True)
    home = sqlite3.connect(file)
    home.executescript("PRAGMA journal_mode = WAL; PRAGMA application_id = 1397772116; PRAGMA user_version = 4;")
    home.executescript(SCHEMA.read_text())
    names = ", ".join((*COLUMNS, "object_hash", "listed_as"))
    marks = ", ".join("?" * (len(COLUMNS) + 2))

    def values(row, hash, listed_as):
        row = list(row)
        row[7], row[9], row[11] = row[7] or None, row[9] or None, json.dumps(row[11])
        row[10] = row[10] if row[9] else None
        return (*row, hash, listed_as)

    home.executemany(f"INSERT INTO records ({names}) VALUES ({marks})", (values(*row) for row in rows(0, count)))
    home.commit()
    home.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def fill_cassandra(node: str, keyspace: str, count: int) -> None:
    """By unlogged batches; `spotter schema apply --per-day 500000` has made the tables."""
    parts = 40
    with ProcessPoolExecutor(2) as pool:
        cuts = [count * part // parts for part in range(parts + 1)]
        for part in [pool.submit(fill_part, node, keyspace, *cut) for cut in zip(cuts, cuts[1:])]:
            part.result()


def fill_part(node: str, keyspace: str, first: int, last: int) -> None:
    from cassandra.cluster import Cluster
    from cassandra.concurrent import execute_concurrent
    from cassandra.query import BatchStatement, BatchType

    host, port = node.rsplit(":", 1)
    cluster = Cluster([host], port=int(port))
    session = cluster.connect()

    def insert(table: str, *more: str):
        names = (*COLUMNS, *more)
        return session.prepare(f"INSERT INTO {keyspace}.{table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})")

    by_object = insert("by_object")
    by_time = insert("by_time", "slot", "shard", "object_hash")
    by_label = insert("by_label", "slot", "shard", "object_hash", "listed_as")
    insert_slot = session.prepare(f"INSERT INTO {keyspace}.slots (one, slot) VALUES ('slots', ?)")
    batches, slots = {}, set()

    def full():
        for row, hash, listed_as in rows(first, last):
            place = (slot(row[3]), shard(hash))
            slots.add(place[0])
            for insert, values, partition in ((by_object, row, None), (by_time, (*row, *place, hash), place),
                                              (by_label, (*row, *place, hash, listed_as), (*place, listed_as))):
                batch = batches.setdefault((insert, partition), [])
                batch.append(values)
                if len(batch) == 40:
                    yield insert, batches.pop((insert, partition))
        for (insert, _), batch in batches.items():
            yield insert, batch

    def statements():
        for insert, batch in full():
            statement = BatchStatement(BatchType.UNLOGGED)
            for values in batch:
                statement.add(insert, values)
            yield statement, None

    todo = statements()
    while some := list(islice(todo, 200)):
        execute_concurrent(session, some, concurrency=16)
    for each in slots:
        session.execute(insert_slot, (each,))
    cluster.shutdown()
