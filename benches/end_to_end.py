#!/usr/bin/env python3
"""What an object costs a client on its way from SQS to Cassandra: `spotter worker`, the same job and rows in Python (peer_worker.py), and a
loop that only gets the objects and makes the same INSERTs (invocation.rs), in turns.

    cargo build --release && cargo bench --bench invocation --no-run
    python3 benches/end_to_end.py target/release/spotter target/release/deps/invocation-… [OBJECTS [ROUNDS]]

Bucket and database are those of stack.py; it needs what ledger.py needs. Each client ends with as many rows as there are objects. What a client takes of the processors is counted from its start
to its end, less what it takes for one object alone, so that neither its start nor waiting for messages is in it.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

from notifications import CREATED, notification
from pictures import digits, etag
from stack import Stack

SEED, AT_ONCE = 9, 10
ROOT = pathlib.Path(__file__).parent.parent


class Client:
    def __init__(self, stack: Stack, pool: list[tuple[str, bytes]]):
        self.stack, self.pool = stack, pool

    def run(self, count: int) -> tuple[float, float]:
        """Seconds on the wall, and of the processors, for so many objects."""
        self.send(count)
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        self.work(count)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.monotonic() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def send(self, count: int) -> None:
        for first in range(0, count, 10):
            entries = [{"Id": str(at), "MessageBody": notification(self.stack.bucket, f"{at}.png", CREATED, etag(body), len(body))}
                       for at, (_, body) in list(enumerate(self.pool))[first:min(first + 10, count)]]
            self.stack.sqs.send_message_batch(QueueUrl=self.stack.queue, Entries=entries)

    def work(self, count: int) -> None:
        raise NotImplementedError


class Worker(Client):
    name = "spotter worker"

    def work(self, _count: int) -> None:
        worker = self.stack.worker()
        self.stack.until_empty(600)
        worker.terminate()
        worker.wait(60)
        self.stack.workers.clear()


class Peer(Client):
    name = "Python"

    def work(self, _count: int) -> None:
        command = [sys.executable, str(ROOT / "benches" / "peer_worker.py"), self.stack.queue, self.stack.environment["SPOTTER_KEYSPACE"]]
        subprocess.run(command, env={**os.environ, **self.stack.environment}, check=True)


class Bare(Client):
    name = "GETs and INSERTs"

    def __init__(self, stack: Stack, pool: list[tuple[str, bytes]], program: str):
        super().__init__(stack, pool)
        self.program = program

    def send(self, _count: int) -> None:
        """It is told of no object: it knows them by their rows."""

    def run(self, count: int) -> tuple[float, float]:
        command = [self.program, "loop", self.stack.bucket, str(AT_ONCE), str(count)]
        words = subprocess.run(command, env=self.stack.environment, check=True, capture_output=True, text=True).stdout.split()
        return float(words[3]), float(words[5])


def main() -> None:
    binary, program = sys.argv[1:3]
    objects = int(sys.argv[3]) if len(sys.argv) > 3 else 1000
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    stack, pool = Stack(binary, watched=False), digits(objects, SEED)
    try:
        for at, (_, body) in enumerate(pool):
            stack.s3.put_object(Bucket=stack.bucket, Key=f"{at}.png", Body=body, ContentType="image/png")
        clients = [Worker(stack, pool), Peer(stack, pool), Bare(stack, pool, program)]
        clients[0].run(objects)  # what the bare loop writes again
        took = {client.name: [] for client in clients}
        for number in range(rounds):
            for client in clients:
                _, start = (0, 0) if isinstance(client, Bare) else client.run(1)
                wall, busy = client.run(objects)
                took[client.name].append((objects / wall, (busy - start) / (objects - 1) * 1e3))
                print(f"round {number + 1}: {client.name}: {objects / wall:.0f}/s, {took[client.name][-1][1]:.2f} ms of the processors an object", flush=True)
        check(stack, objects)
    finally:
        stack.close()
    own, peer, bare = ([busy for _, busy in took[client.name]] for client in clients)
    print("| | ms of the processors an object, median (least, most) | objects/s |\n|---|---|---|")
    for name, figures in took.items():
        rates, busy = zip(*figures)
        print(f"| {name} | {statistics.median(busy):.2f} ({min(busy):.2f}, {max(busy):.2f}) | {statistics.median(rates):.0f} |")
    for name, other in (("Python", peer), ("GETs and INSERTs", bare)):
        print(f"| worker / {name}, of the same round | {statistics.median(a / b for a, b in zip(own, other)):.2f} | |")


def check(stack: Stack, objects: int) -> None:
    """Both have answered each object."""
    for model in ("digits/2", "peer/1"):
        rows = {row["key"] for row in stack.ask("list", "--model", model, "-n", "1000000")}
        if len(rows) != objects:
            sys.exit(f"{model}: {len(rows)} of {objects} objects have a row")


if __name__ == "__main__":
    main()
