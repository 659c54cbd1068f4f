#!/usr/bin/env python3
"""Cold starts in Lambda's Runtime Interface Emulator: INIT, and INIT with the first invocation until its object is recorded. Spotter's function
beside the bare runtime, which is the limit, and beside sixty lines of Python (sixty-lines/), in turns.

    /tmp/ledger/bin/python benches/cold_start.py target/debug/spotter target/lambda/bootstrap/bootstrap.zip \\
        target/lambda/bare/bootstrap target/tools/lib/python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-x86_64 [ROUNDS]

It needs what ledger.py needs. The emulator says how long INIT and each invocation took. SSL_CERT_FILE, if it is set, names the trusted roots of all three:
Debian has them in one file and again in 290, and both are read if none is named.
"""

import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from json import dumps

from bucket import Bucket
from functions import Function, SixtyLines, Spotter, beside_each_other
from pictures import digits
from sandbox import Queue, event_of
from serve import Serve

SEED = 8
INIT, INVOKE = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)"), re.compile(r"INVOKE RTDONE\(status: success, .*duration: ([\d.]+)ms\)")


class Bare(Function):
    name, short = "the bare runtime", "bare"

    def __init__(self, serve: Serve, home: pathlib.Path, program: str):
        super().__init__(serve, home)
        self.command = [str(pathlib.Path(program).resolve())]

    def close(self) -> None:
        """It has no tables."""


def cold_start(rie: str, function: Function, endpoint: str, event: dict) -> tuple[float, float]:
    """Milliseconds of INIT, and with the first invocation."""
    lambdas = {"AWS_LAMBDA_FUNCTION_TIMEOUT": "60", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512"}
    if roots := os.environ.get("SSL_CERT_FILE"):
        lambdas["SSL_CERT_FILE"] = roots
    environment = {**function.environment, **lambdas, "AWS_ENDPOINT_URL": endpoint}
    with tempfile.TemporaryFile("w+") as log:
        address = "127.0.0.1:18090"
        command = [rie, "--runtime-interface-emulator-address", address, *function.command]
        emulator = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            post(f"http://{address}/2015-03-31/functions/function/invocations", dumps(event).encode())
            text, until = "", time.monotonic() + 10
            while not (init := INIT.search(text)) or not (invoke := INVOKE.search(text)):
                if time.monotonic() > until:
                    raise RuntimeError(f"{function.name}: {text}")
                time.sleep(0.05)
                log.seek(0)
                text = log.read()
        finally:
            emulator.terminate()
            emulator.wait()
    return float(init[1]), float(init[1]) + float(invoke[1])


def post(url: str, body: bytes) -> None:
    until = time.monotonic() + 10
    while True:
        try:
            with urllib.request.urlopen(url, body, timeout=60) as answer:
                answer.read()
            return
        except ConnectionRefusedError:
            pass
        except OSError as error:
            if not isinstance(getattr(error, "reason", None), ConnectionRefusedError) or time.monotonic() > until:
                raise
        time.sleep(0.02)


def main() -> None:
    binary, bootstrap, bare, rie = sys.argv[1:5]
    rounds = int(sys.argv[5]) if len(sys.argv) > 5 else 15
    def make(serve: Serve, home: pathlib.Path):
        yield Bare(serve, home, bare)
        yield Spotter(serve, home, bootstrap)
        yield SixtyLines(serve, home)

    with beside_each_other(binary, bootstrap, make) as (serve, functions):
        print(table(functions, measure(rie, serve, functions, rounds)))


def measure(rie: str, serve: Serve, functions: list[Function], rounds: int) -> dict[str, list[tuple[float, float]]]:
    times = {function.name: [] for function in functions}
    pool = digits(rounds + 1, SEED)
    buckets = {function.name: Bucket(serve, f"cold-{function.short}", Queue(60, 1)) for function in functions}
    for number, picture in enumerate(pool):
        for function in functions:
            bucket = buckets[function.name]
            [id] = bucket.put(f"{number}.png", *picture, [0])
            took = cold_start(rie, function, serve.endpoint, event_of([bucket.queue.messages[id]]))
            if number:  # the first round reads the files from the disk
                times[function.name].append(took)
    for function in functions[1:]:
        answers = function.answers(buckets[function.name].name)
        if len(answers) != len(pool):
            sys.exit(f"{function.name} recorded {len(answers)} of {len(pool)}")
    return times


def table(functions: list[Function], times: dict[str, list[tuple[float, float]]]) -> str:
    lines = [f"| {len(times[functions[0].name])} starts each; median (least, most) | INIT | INIT and the first invocation |", "|---|---|---|"]
    for function in functions:
        columns = zip(*times[function.name])
        lines.append(f"| {function.name} | " + " | ".join(f"{statistics.median(c):.1f} ({min(c):.1f}, {max(c):.1f}) ms" for c in columns) + " |")
    spotter, python = (list(zip(*times[function.name])) for function in functions[1:])
    # Of the same round.
    ratios = [statistics.median(other / own for own, other in zip(*both)) for both in zip(spotter, python)]
    return "\n".join([*lines, f"| Python / Spotter, of the same round | {ratios[0]:.0f} | {ratios[1]:.0f} |"])


if __name__ == "__main__":
    main()
