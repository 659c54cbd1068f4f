#!/usr/bin/env python3
"""Cassandra away for a minute while 20 pictures a second are uploaded: afterwards every object has its record.

    python3 benches/outage.py target/debug/spotter 'docker compose stop cassandra' 'docker compose start cassandra' [SECONDS [RATE]]

The two commands take the database away and bring it back. Uploads, RATE a second, go on 15 s before, meanwhile and 15 s
after.
"""

import concurrent.futures
import subprocess
import sys
import time

from stack import SAMPLES, Stack

AROUND = 15


def main() -> None:
    binary, stop, start = sys.argv[1:4]
    away = int(sys.argv[4]) if len(sys.argv) > 4 else 60
    rate = int(sys.argv[5]) if len(sys.argv) > 5 else 20
    # The usual visibility; so few receives that one for each failed write would send messages to the dead letters.
    stack = Stack(binary, visibility=10, max_receives=3)
    stack.worker()
    body = (SAMPLES / "8 small.png").read_bytes()
    uploads, began = (AROUND + away + AROUND) * rate, time.time()
    commands = [(AROUND, stop), (AROUND + away, start)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = []
        for i in range(uploads):
            if commands and time.time() - began >= commands[0][0]:
                command = commands.pop(0)[1]
                print(f"{time.time() - began:5.1f} s  {command}", flush=True)
                subprocess.Popen(command, shell=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            answers.append(pool.submit(stack.s3.put_object, Bucket=stack.bucket, Key=f"{i}.png", Body=body))
            time.sleep(max(0.0, began + (i + 1) / rate - time.time()))
        for answer in answers:
            answer.result()
    print(f"{time.time() - began:5.1f} s  {uploads} uploads answered; {stack.waiting()} messages wait", flush=True)
    stack.until_empty(180 + uploads)
    print(f"{time.time() - began:5.1f} s  the queue is empty", flush=True)
    rows = stack.ask("list", "-n", str(10 * uploads))
    keys, dead = {row["key"] for row in rows}, stack.waiting(stack.dead_letters)
    left = stack.waiting()
    stack.close()
    print(f"{len(keys)} of {uploads} objects recorded · {len(rows) - len(keys)} twice · {dead} dead letters · {left} messages left")
    if len(keys) != uploads or len(rows) != uploads or dead or left:
        sys.exit(1)


if __name__ == "__main__":
    main()
