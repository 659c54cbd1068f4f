#!/usr/bin/env python3
"""Spotter's function beside sixty honest lines of Python (sixty-lines/): the same 1,000 notifications, the same bucket,
the same Cassandra, the same queue. What is lost, what is wrong, what is stuck, and what each costs.

    python3 -m venv /tmp/ledger && /tmp/ledger/bin/pip install awslambdaric boto3 -r benches/sixty-lines/requirements.txt
    /tmp/ledger/bin/python benches/ledger.py target/debug/spotter target/lambda/bootstrap/bootstrap.zip \\
        'docker compose stop cassandra' 'docker compose start cassandra'

`spotter serve` is the bucket and looks at nothing itself; SPOTTER_CASSANDRA names the database (one node, default
127.0.0.1:9042). The two commands take it away and bring it back.
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
from collections import Counter
from urllib.parse import unquote, unquote_plus

from bucket import Bucket, differences
from functions import SixtyLines, Spotter
from ledger_stories import AWAY, DURATION, Step, stories
from pictures import NO_DIGIT, bombs, digits, etag, photograph
from proxy import Proxy
from sandbox import Pollers, Queue
from serve import Serve

SEED = 8
SANDBOXES = 4
# Between the receives of a message; a message is put aside after so many.
VISIBILITY, MAX_RECEIVES = 40, 5
COLD_STARTS, ROUNDS, ROUND = 5, 3, 300
# Until an overwritten picture's other half is on its way, however long the change takes to be seen.
OVERTAKEN = 3


def perform(bucket: Bucket, step: Step) -> list[str]:
    if step.what == "put":
        return bucket.put(step.key, step.means, step.body, step.delays)
    return bucket.delete(step.key, step.delays) if step.what == "delete" else bucket.test(step.delays)


def cold_starts(function, serve: Serve, picture: tuple[str, bytes]) -> tuple[float, float]:
    """Milliseconds from the start of the process to the answer of its first event, and of a processor in them."""
    queue, times, busy = Queue(60, 1), [], []
    bucket = Bucket(serve, f"cold-{function.short}", queue)
    for number in range(COLD_STARTS):
        bucket.put(f"{number}.png", *picture, [0])
        sandbox, began = function.sandbox(serve.endpoint), time.perf_counter()
        pollers = Pollers(queue, [sandbox])
        while len(queue):
            time.sleep(0.002)
        times.append((time.perf_counter() - began) * 1e3)
        assert not pollers.failures, pollers.failures
        busy.append(sandbox.processor_seconds() * 1e3)
        pollers.stop()
    return statistics.median(times), statistics.median(busy)


def throughput(function, serve: Serve, pictures: list[tuple[str, bytes]], number: int) -> tuple[float, float, set[str]]:
    """Objects a second, two sandboxes, batches of ten; peak memory; the ETags that were read as what was drawn."""
    queue = Queue(60, 1, SEED)
    bucket = Bucket(serve, f"round-{number}-{function.short}", queue)
    sandboxes = [function.sandbox(serve.endpoint) for _ in range(2)]
    for sandbox in sandboxes:
        sandbox.start()
        sandbox.invoke({"Records": []})
    for at, (means, body) in enumerate(pictures):
        bucket.put(f"{at}.png", means, body, [0])
    began = time.perf_counter()
    pollers = Pollers(queue, sandboxes)
    while len(queue):
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    pollers.stop()
    peak = max(sandbox.peak_mb for sandbox in sandboxes)
    answers = function.answers(bucket.name)
    read = {etag(body) for at, (means, body) in enumerate(pictures) if answers.get(f"{at}.png") == means}
    return len(pictures) / seconds, peak, read


def script(function, serve: Serve, steps: list[Step], commands: list[str]) -> dict:
    queue = Queue(VISIBILITY, MAX_RECEIVES, SEED)
    bucket = Bucket(serve, f"script-{function.short}", queue)

    def overtake(step: Step) -> None:
        """Before the function has its bytes, the object changes, and others hear of it."""
        ids, until = perform(bucket, step), time.monotonic() + OVERTAKEN
        while any(queue.holds(id) for id in ids) and time.monotonic() < until:
            time.sleep(0.01)

    overtaking, lock = {step.key: step for step in steps if step.overtakes}, threading.Lock()

    def meanwhile(path: str) -> None:
        """The first GET of some keys is overtaken: the answer is on its way when the object changes."""
        name, _, key = unquote(path.partition("?")[0]).removeprefix("/").partition("/")
        with lock:
            step = overtaking.pop(key, None) if name == bucket.name else None
        if step:
            overtake(step)

    proxy = Proxy(serve.endpoint, meanwhile)
    pollers = Pollers(queue, [function.sandbox(proxy.url) for _ in range(SANDBOXES)])
    began = time.monotonic()
    outage = [(AWAY[0], commands[0]), (AWAY[1], commands[1])]
    for step in (step for step in steps if not step.overtakes):
        while outage and outage[0][0] <= step.at:
            at, command = outage.pop(0)
            time.sleep(max(0, began + at - time.monotonic()))
            print(f"  {time.monotonic() - began:5.1f} s  {command}", flush=True)
            threading.Thread(target=subprocess.run, args=(command,), kwargs={"shell": True, "stdout": subprocess.DEVNULL}).start()
        time.sleep(max(0, began + step.at - time.monotonic()))
        perform(bucket, step)
    print(f"  {time.monotonic() - began:5.1f} s  the last change; {len(queue)} messages wait", flush=True)
    while len(queue):
        time.sleep(0.1)
    seconds = time.monotonic() - began
    pollers.stop()
    truth, answers = bucket.at_rest(), function.answers(bucket.name)
    lost, stale, ghosts = differences(truth, answers)
    told = {key: steps_of(steps, key) for key in lost + stale + ghosts}
    print(f"  {seconds:5.1f} s  the queue is empty; {len(truth)} objects in the bucket")
    for name, keys in (("lost", lost), ("wrong", stale), ("there, and not in the bucket", ghosts)):
        for key in keys:
            print(f"    {name}: {key} ({told[key]}) is {truth.get(key)}, the table says {answers.get(key)}")
    kinds = Counter(story_of(steps, letter.body) for letter in queue.dead)
    for kind, count in kinds.most_common():
        print(f"    dead letters: {count} of a key with {kind}")
    for failure in sorted(set(failure[:160] for failure in pollers.failures)):
        print(f"    {sum(one.startswith(failure) for one in pollers.failures)} invocations: {failure}")
    sandboxes = pollers.sandboxes
    return {
        "lost": len(lost),
        "wrong": len(stale) + len(ghosts),
        "stuck": len(queue.dead),
        "objects": len(truth),
        "killed for memory": sum(sandbox.killed_for_memory for sandbox in sandboxes),
        "killed for time": sum(sandbox.killed_for_time for sandbox in sandboxes),
        "peak": max(sandbox.peak_mb for sandbox in sandboxes),
    }


def story_of(steps: list[Step], body: str) -> str:
    records = json.loads(body).get("Records", [])
    return steps_of(steps, unquote_plus(records[0]["s3"]["object"]["key"])) if records else "a test event"


def steps_of(steps: list[Step], key: str) -> str:
    return ", ".join(step.what + (" of no digit" if step.means == NO_DIGIT else "") for step in steps if step.key == key)


def main() -> None:
    binary, bootstrap, *commands = sys.argv[1:5]
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        with zipfile.ZipFile(bootstrap) as packed:
            packed.extractall(home / "spotter")
        serve = Serve(str(pathlib.Path(binary).resolve()), str(home / "data"), "--exclude", "*")
        functions = []
        try:
            functions += [Spotter(serve, home, bootstrap), SixtyLines(serve, home)]
            measure(serve, functions, commands)
        finally:
            serve.kill()
            for function in functions:
                function.close()


def measure(serve: Serve, functions: list, commands: list[str]) -> None:
    figures = {function.name: {"zip": function.zip_mb()} for function in functions}
    pool, rates, peaks = digits(ROUND, SEED), {}, {}
    for function in functions:
        figures[function.name]["cold"] = cold_starts(function, serve, pool[0])
        print(f"{function.name}: {figures[function.name]}", flush=True)
    readable = {etag(body) for _, body in pool}
    for number in range(ROUNDS):  # in turns, so that what else the machine does falls on both
        for function in functions:
            rate, peak, read = throughput(function, serve, [*pool, ("7", photograph())], number)
            rates.setdefault(function.name, []).append(rate)
            peaks.setdefault(function.name, []).append(peak)
            readable &= read
            print(f"{function.name}: {rate:.0f} objects/s, peak {peak:.0f} MB, {len(read)} of {len(pool)} read", flush=True)
    # Whether a picture is hard to read is not the question here.
    pool = [(means, body) for means, body in pool if etag(body) in readable]
    steps = stories(random.Random(SEED), pool, bombs())
    notifications = sum(len(step.delays) for step in steps)
    print(f"the script: {notifications} notifications in {DURATION} s, of {len(pool)} pictures that both read", flush=True)
    for function in functions:
        print(f"{function.name}:", flush=True)
        result = script(function, serve, steps, commands)
        figures[function.name] |= result
        figures[function.name]["rate"] = statistics.median(rates[function.name])
        figures[function.name]["ordinary"] = max(peaks[function.name])
    table(figures)


def table(figures: dict[str, dict]) -> None:
    rows = (
        ("lost: objects without an answer", lambda f: f"{f['lost']} of {f['objects']}"),
        ("wrong: another answer than the object's, or of no object", lambda f: f["wrong"]),
        ("stuck: notifications in the dead-letter queue", lambda f: f["stuck"]),
        ("killed for memory (512 MB), for time (40 s)", lambda f: f"{f['killed for memory']}, {f['killed for time']}"),
        ("cold start, to the first answer (a processor's time in it)", lambda f: "{:.0f} ms ({:.0f} ms)".format(*f["cold"])),
        ("peak memory, a photograph of 12 megapixels among the pictures", lambda f: f"{f['ordinary']:.0f} MB"),
        ("zip", lambda f: f"{f['zip']:.1f} MB"),
        ("objects/s, two sandboxes", lambda f: f"{f['rate']:.0f}"),
    )
    print(f"\n| | {' | '.join(figures)} |\n|---|{'---|' * len(figures)}")
    for name, cell in rows:
        print(f"| {name} | {' | '.join(str(cell(figure)) for figure in figures.values())} |")


if __name__ == "__main__":
    main()
