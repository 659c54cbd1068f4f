#!/usr/bin/env python3
"""`spotter worker` at saturation: a queue that is never empty, for ten minutes. The queue may grow, the worker may not.

    python3 benches/load_worker.py target/release/spotter [SECONDS [PICTURE…]]

Feeders send notifications of 200 objects, each with a sequencer of its own, and rest while BACKLOG of them wait. A line a
twentieth of the time; in the end each notification has its row, once. The objects are the samples or, if named, the
pictures: of large ones the worker, and not the queue, is the limit.
"""

import hashlib
import multiprocessing
import pathlib
import random
import sys
import time

from notifications import CREATED, notification
from stack import SAMPLES, Stack, client

OBJECTS, FEEDERS, BACKLOG, LINES = 200, 2, 5_000, 20


def feed(stack: Stack, bodies: list[bytes], until: float, first: int, sent: multiprocessing.Queue) -> None:
    """Ten a request. Each feeder tells of objects of its own, so that a sequencer is one object's once."""
    stack.sqs = client("sqs")  # a fork shares the other one's connections
    chance, count = random.Random(first), 0
    tags = [hashlib.md5(body).hexdigest() for body in bodies]
    while time.time() < until:
        if stack.waiting() > BACKLOG:
            time.sleep(0.2)
            continue
        for _ in range(20):
            entries = []
            for name in range(10):
                at = chance.randrange(first, OBJECTS, FEEDERS)
                etag, size = tags[at % len(bodies)], len(bodies[at % len(bodies)])
                entries.append({"Id": str(name), "MessageBody": notification(stack.bucket, f"{at}.png", CREATED, etag, size)})
            count += len(stack.sqs.send_message_batch(QueueUrl=stack.queue, Entries=entries)["Successful"])
    sent.put(count)


def memory(process) -> float:
    """Resident, in MB."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1e3


def main() -> None:
    binary, seconds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 600
    pictures = [pathlib.Path(picture) for picture in sys.argv[3:]] or sorted(SAMPLES.glob("*.png"))
    bodies = [picture.read_bytes() for picture in pictures]
    stack = Stack(binary, watched=False)
    for at in range(OBJECTS):
        stack.s3.put_object(Bucket=stack.bucket, Key=f"{at}.png", Body=bodies[at % len(bodies)])
    sent, began = multiprocessing.Queue(), time.time()
    feeders = [multiprocessing.Process(target=feed, args=(stack, bodies, began + seconds, first, sent)) for first in range(FEEDERS)]
    for feeder in feeders:
        feeder.start()
    while stack.waiting() < BACKLOG and time.time() < began + 60:
        time.sleep(0.5)
    worker, began = stack.worker(), time.time()
    print("| second | waiting | resident |\n|---|---|---|")
    peaks, line = [], seconds / LINES
    for at in range(1, LINES + 1):
        time.sleep(max(0, began + at * line - time.time()))
        peaks.append(memory(worker))
        print(f"| {at * line:.0f} | {stack.waiting()} | {peaks[-1]:.0f} MB |", flush=True)
    total = sum(sent.get() for _ in feeders)
    stack.until_empty(3 * seconds)
    took = time.time() - began
    rows = {(row["key"], row["seq"]) for row in stack.ask("list", "-n", str(10 * total))}
    dead, left = stack.waiting(stack.dead_letters), stack.waiting()
    stack.close()
    print(f"{total} notifications, {len(rows)} rows, {dead} dead letters, {left} left, in {took:.0f} s ({total / took:.0f}/s) · "
          f"memory {peaks[1]:.0f} MB after a tenth of the time, {max(peaks):.0f} MB at most")
    if len(rows) != total or dead or left:
        sys.exit(1)


if __name__ == "__main__":
    main()
