#!/usr/bin/env python3
"""1, 2, 4 and 8 workers over one queue, and a store that takes its time for each answer: how many notifications a second
they have together, and whether the tables are the same.

    python3 benches/workers.py target/debug/spotter [NOTIFICATIONS [SECONDS]]

The notifications are converge.py's, shuffled. Between workers and LocalStack's S3 stands a proxy that keeps each answer for SECONDS, so
that a worker waits instead of working: with a store that answers at once, two cores would be the limit and not the number.
"""

import random
import sys
import time

from converge import TABLES, changes, run, tables
from proxy import Proxy
from stack import ENVIRONMENT, Stack

WORKERS = (1, 2, 4, 8)


def main() -> None:
    binary = sys.argv[1]
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 600
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 2.0
    store = Proxy(ENVIRONMENT["AWS_ENDPOINT_URL"], lambda _path: time.sleep(seconds))
    stacks = [Stack(binary, visibility=60, watched=False) for _ in WORKERS]
    notifications = changes(stacks[0], wanted)
    random.Random(8).shuffle(notifications)
    found, rates = [], []
    print("| workers | notifications/s | beside one worker |\n|---|---|---|")
    for workers, stack in zip(WORKERS, stacks):
        stack.environment["AWS_ENDPOINT_URL_S3"] = store.url
        rates.append(len(notifications) / run(stack, notifications, workers))
        dead, left = stack.waiting(stack.dead_letters), stack.waiting()
        stack.close()
        found.append((tables(stack), dead, left))
        print(f"| {workers} | {rates[-1]:.1f} | {rates[-1] / rates[0]:.1f} |", flush=True)
    for table in TABLES:
        same = all(rows[table] == found[0][0][table] for rows, _, _ in found)
        print(f"{table}: {len(found[0][0][table])} rows, {'the same for each' if same else 'DIFFERENT'}")
    print(f"{sum(dead for _, dead, _ in found)} dead letters · {sum(left for _, _, left in found)} messages left")
    if any(outcome != (found[0][0], 0, 0) for outcome in found):
        sys.exit(1)


if __name__ == "__main__":
    main()
