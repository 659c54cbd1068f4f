#!/usr/bin/env python3
"""How long after `aws s3 cp` to LocalStack the record is in Cassandra, over SQS and `spotter worker`.

    python3 benches/queue_to_record.py target/debug/spotter [UPLOADS]

The clock starts when the upload is answered, and stops when `spotter get` has printed the record, so each figure
includes the start of the process that asks. The parts: the worker's own steps, from its log lines.
"""

import re
import statistics
import subprocess
import sys
import time

from stack import SAMPLES, Stack


def main() -> None:
    binary, uploads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100
    stack = Stack(binary)
    worker = stack.worker()
    picture, times, asking = SAMPLES / "8 small.png", [], []
    for i in range(-3, uploads):  # the first ones warm LocalStack up
        key = f"{i}.png"
        command = ["aws", "s3", "cp", "--quiet", str(picture), f"s3://{stack.bucket}/{key}"]
        subprocess.run(command, env=stack.environment, check=True)
        answered = time.perf_counter()
        records = stack.ask("get", f"s3://{stack.bucket}/{key}", "--wait", "30s")
        if i >= 0:
            times.append((time.perf_counter() - answered) * 1e3)
        assert records and records[0]["label"] == "8", f"{key}: {records}"
        began = time.perf_counter()
        stack.ask("get", f"s3://{stack.bucket}/{key}")
        asking.append((time.perf_counter() - began) * 1e3)
    stack.close()
    times.sort()
    print(f"upload answered → record printed   {uploads} uploads   median {statistics.median(times):.0f} ms   "
          f"90 % {times[int(len(times) * 0.9)]:.0f} ms   most {times[-1]:.0f} ms")
    print(f"a `spotter get` of a record that is there   median {statistics.median(asking):.0f} ms")
    steps = re.findall(r"(\d+) ms \(fetch ([\d.]+), classify ([\d.]+), write ([\d.]+)\)", log(worker, stack))
    for name, at in (("fetch", 1), ("classify", 2), ("write", 3)):
        print(f"worker: {name:9} median {statistics.median(float(step[at]) for step in steps):.1f} ms")


def log(worker, stack) -> str:
    return open(f"/tmp/{stack.name}-worker-{stack.workers.index(worker)}.log").read()


if __name__ == "__main__":
    main()
