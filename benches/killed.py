#!/usr/bin/env python3
"""The function killed in the middle of 200 invocations: what it had in hand comes again, and afterwards every object has
its answer, and each change is recorded once.

    python3 benches/killed.py target/debug/spotter target/lambda/bootstrap/bootstrap.zip [KILLS]

SPOTTER_CASSANDRA names the database. It needs what ledger.py needs, awslambdaric left out.
"""

import json
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

from bucket import Bucket, differences
from functions import Spotter, readable
from pictures import digits
from sandbox import Pollers, Queue
from serve import Serve

SEED, SANDBOXES = 9, 3
# What a kill leaves unanswered comes again after so many seconds.
VISIBILITY, MAX_RECEIVES = 2, 241
WAITING = 60
# Of invocations that are left alone.
SPARED = 0.6


def change(bucket: Bucket, rng: random.Random, keys: list[str], pool: list[tuple[str, bytes]]) -> None:
    """A new object mostly, else an earlier one overwritten or deleted."""
    kind = rng.random()
    if kind < 0.1 and keys:
        return bucket.delete(rng.choice(keys), [0])
    if kind > 0.3 or not keys:
        keys.append(f"{len(keys)} +ü.png")
    bucket.put(keys[-1] if kind > 0.3 else rng.choice(keys), *rng.choice(pool), [0])


def kill(pollers: Pollers, rng: random.Random) -> bool:
    """One of those that are under way, somewhere in its time."""
    usual = statistics.median([seconds for sandbox in pollers.sandboxes for seconds in sandbox.durations[-20:]] or [0.05])
    sandbox = rng.choice(pollers.sandboxes)
    since, process = sandbox.since, sandbox.process
    if since is None or process is None:
        return False
    if rng.random() < SPARED:
        while sandbox.since == since:
            time.sleep(0.005)
        return False
    time.sleep(max(0, since + rng.uniform(0, usual) - time.monotonic()))
    if sandbox.since != since or process.poll() is not None:
        return False
    process.kill()
    process.wait()
    return True


def main() -> None:
    binary, bootstrap = sys.argv[1:3]
    wanted, rng = int(sys.argv[3]) if len(sys.argv) > 3 else 200, random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        with zipfile.ZipFile(bootstrap) as packed:
            packed.extractall(home / "spotter")
        serve = Serve(str(pathlib.Path(binary).resolve()), str(home / "data"), "--exclude", "*")
        function = Spotter(serve, home, bootstrap)
        try:
            failed = run(serve, function, wanted, rng)
        finally:
            serve.kill()
            function.close()
    sys.exit(failed)


def run(serve: Serve, function: Spotter, wanted: int, rng: random.Random) -> bool:
    queue, keys, changes, kills, stopped = Queue(VISIBILITY, MAX_RECEIVES, SEED), [], 0, 0, threading.Event()
    bucket, pool = Bucket(serve, "killed", queue), readable(function.binary, digits(200, SEED))
    pollers = Pollers(queue, [function.sandbox(serve.endpoint) for _ in range(SANDBOXES)])

    def upload() -> None:
        nonlocal changes
        while not stopped.is_set():
            if len(queue) < WAITING:
                change(bucket, rng, keys, pool)
                changes += 1
            else:
                time.sleep(0.01)

    uploading = threading.Thread(target=upload)
    uploading.start()
    killing = random.Random(SEED + 1)
    while kills < wanted:
        kills += kill(pollers, killing)
        time.sleep(0.005)
    stopped.set()
    uploading.join()
    while len(queue):
        time.sleep(0.1)
    pollers.stop()
    truth, answers = bucket.at_rest(), function.answers(bucket.name)
    lost, stale, ghosts = differences(truth, answers)
    twice = recorded_twice(function, bucket)
    ended = sum(failure == "the process ended" for failure in pollers.failures)
    print(f"{kills} kills in mid-invocation, {ended} of them before its answer · {changes} changes, {len(truth)} objects · "
          f"{len(lost)} lost · {len(stale) + len(ghosts)} wrong · {twice} recorded twice · {len(queue.dead)} dead letters")
    for key in lost + stale + ghosts:
        print(f"  {key}: {truth.get(key)}, recorded as {answers.get(key)}")
    return bool(lost or stale or ghosts or twice or queue.dead)


def recorded_twice(function: Spotter, bucket: Bucket) -> int:
    command = [function.binary, "list", f"s3://{bucket.name}", "--json", "-n", "1000000"]
    lines = subprocess.run(command, env=function.environment, check=True, capture_output=True, text=True).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    return len(rows) - len({(row["key"], row["seq"]) for row in rows})


if __name__ == "__main__":
    main()
