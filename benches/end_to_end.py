#!/usr/bin/env python3
"""What an object costs a function on its way from the queue to Cassandra: Spotter's, the same job and rows in Python (sixty-lines/same_rows.py), and a loop that
only gets the objects and makes the same INSERTs (lambda/examples/invocation.rs), in turns; then a warm invocation beside its GET and its INSERTs.

    /tmp/ledger/bin/python benches/end_to_end.py target/debug/spotter target/lambda/bootstrap/bootstrap.zip PROGRAM [OBJECTS [ROUNDS]]

PROGRAM is target/lambda/invocation/bootstrap: benches/README.md has the command that builds it. It needs what ledger.py needs. `spotter serve` is the bucket; two sandboxes have batches of ten, and Cassandra shares
the processors with them. What a function takes of the processors is counted between its first batch and its last; what the loop takes is less what it takes for one object.
"""

import pathlib
import resource
import statistics
import subprocess
import sys
import time

from bucket import Bucket
from functions import SIXTY_LINES, SixtyLines, Spotter, beside_each_other
from pictures import digits
from sandbox import Pollers, Queue
from serve import Serve

SEED, SANDBOXES, WARM_OBJECTS, WARM_ROUNDS = 9, 2, 50, 20


class SameRows(SixtyLines):
    name, short = "the same job and rows in Python", "rows"
    command = [sys.executable, "-m", "awslambdaric", "same_rows.handler"]

    def __init__(self, serve: Serve, home: pathlib.Path, spotter: Spotter):
        super().__init__(serve, home)
        (self.task / "same_rows.py").write_text((SIXTY_LINES / "same_rows.py").read_text())
        self.spotter = spotter
        self.environment |= {"_HANDLER": "same_rows.handler", "KEYSPACE": spotter.keyspace}

    def answers(self, bucket: str) -> dict[str, str]:
        rows = self.cql(f"SELECT key, label FROM {self.spotter.keyspace}.by_object WHERE bucket = '{bucket}' AND model = 'peer/1' ALLOW FILTERING")
        return {row.key: row.label for row in rows}


def run(function, serve: Serve, pool: list[tuple[str, bytes]], name: str) -> tuple[float, float]:
    """Objects a second, and milliseconds of the processors an object."""
    queue = Queue(120, 1, SEED)
    bucket, sandboxes = Bucket(serve, name, queue), [function.sandbox(serve.endpoint) for _ in range(SANDBOXES)]
    for sandbox in sandboxes:
        sandbox.start()
        sandbox.invoke({"Records": []})
    for at, (means, body) in enumerate(pool):
        bucket.put(f"{at}.png", means, body, [0])
    began, before = time.monotonic(), sum(sandbox.processor_seconds() for sandbox in sandboxes)
    pollers = Pollers(queue, sandboxes)
    while len(queue):
        time.sleep(0.005)
    seconds, busy = time.monotonic() - began, sum(sandbox.processor_seconds() for sandbox in sandboxes) - before
    pollers.stop()
    answers = function.answers(name)
    if pollers.failures or len(answers) != len(pool):
        sys.exit(f"{function.name}: {len(answers)} of {len(pool)} recorded, {pollers.failures[:3]}")
    return len(pool) / seconds, busy / len(pool) * 1e3


class Loop:
    name = "GETs and INSERTs alone"

    def __init__(self, program: str, serve: Serve, spotter: Spotter, bucket: str):
        self.program, self.environment, self.bucket = program, {**spotter.environment, "AWS_ENDPOINT_URL": serve.endpoint}, bucket

    def took(self, objects: int) -> tuple[float, float]:
        began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([self.program, "loop", self.bucket, str(objects)], env=self.environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.monotonic() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def run(self, objects: int) -> tuple[float, float]:
        (start, ready), (wall, busy) = self.took(1), self.took(objects)
        return (objects - 1) / (wall - start), (busy - ready) / (objects - 1) * 1e3

    def warm(self) -> str:
        command = [self.program, "warm", self.bucket, str(WARM_OBJECTS), str(WARM_ROUNDS)]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout


def main() -> None:
    binary, bootstrap, program = sys.argv[1:4]
    objects = int(sys.argv[4]) if len(sys.argv) > 4 else 1000
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 5

    def make(serve: Serve, home: pathlib.Path):
        spotter = Spotter(serve, home, bootstrap)
        yield spotter
        yield SameRows(serve, home, spotter)

    with beside_each_other(binary, bootstrap, make) as (serve, functions):
        measure(serve, functions, str(pathlib.Path(program).resolve()), objects, rounds)


def measure(serve: Serve, functions: list, program: str, objects: int, rounds: int) -> None:
    pool = digits(objects, SEED)
    run(functions[0], serve, pool, "first")  # the loop writes these rows again
    loop = Loop(program, serve, functions[0], "first")
    took = {client.name: [] for client in [*functions, loop]}
    for number in range(rounds):
        for function in functions:
            took[function.name].append(run(function, serve, pool, f"round-{number}-{function.short}"))
        took[loop.name].append(loop.run(objects))
        print(f"round {number + 1}: " + ", ".join(f"{name} {figures[-1][1]:.2f} ms" for name, figures in took.items()), flush=True)
    print("\n| | ms of the processors an object, median (least, most) | objects/s |\n|---|---|---|")
    for name, figures in took.items():
        rates, busy = zip(*figures)
        print(f"| {name} | {statistics.median(busy):.2f} ({min(busy):.2f}, {max(busy):.2f}) | {statistics.median(rates):.0f} |")
    own = [busy for _, busy in took[functions[0].name]]
    for name in (functions[1].name, loop.name):
        ratios = [mine / other for mine, (_, other) in zip(own, took[name])]
        print(f"| Spotter / {name}, of the same round | {statistics.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f}) | |")
    print(f"\n{loop.warm()}")


if __name__ == "__main__":
    main()
