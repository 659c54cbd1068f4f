#!/usr/bin/env python3
"""`kill -9` of `spotter serve` during 500 uploads, three times: afterwards each upload has its record, once.

    python3 benches/kill.py target/release/spotter [UPLOADS]
"""

import concurrent.futures
import sys
import tempfile
import threading
import time

from serve import BUCKET, SAMPLES, Serve

KILLS = 3


def main() -> None:
    binary, uploads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500
    body = (SAMPLES / "8 small.png").read_bytes()
    with tempfile.TemporaryDirectory() as data:
        serve = Serve(binary, data)
        missing, kills, answered = [f"{i}.png" for i in range(uploads)], 0, 0

        while missing:
            client = serve.client()

            def upload(key: str) -> str | None:
                try:
                    client.put_object(Bucket=BUCKET, Key=key, Body=body)
                    return None
                except Exception:  # killed meanwhile: it is made again
                    return key

            killer = threading.Timer(0.4, serve.kill) if kills < KILLS else None
            if killer:
                killer.start()
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                failed = [key for key in pool.map(upload, missing) if key]
            answered += len(missing) - len(failed)
            missing = failed
            if killer:
                killer.join()
                kills += 1
                serve.start()

        wanted, records, deadline = uploads, [], time.time() + 120
        while len(records) < wanted and time.time() < deadline:
            records = serve.ask("list", "--current", "-n", str(10 * wanted))
        rows = serve.ask("list", "-n", str(10 * wanted))
        keys, changes = {record["key"] for record in records}, {(row["key"], row["seq"]) for row in rows}
        print(f"{kills} kills · {answered} uploads answered · {len(keys)} of {wanted} objects recorded "
              f"· {len(records) - len(keys)} answers twice · {len(rows) - len(changes)} changes recorded twice")
        serve.kill()
        if len(keys) != wanted or len(records) != wanted or len(rows) != len(changes):
            sys.exit(1)


if __name__ == "__main__":
    main()
