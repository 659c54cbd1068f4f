#!/usr/bin/env python3
"""How long after the answer to an upload `spotter get` has the record: median of 100 by boto3 and by the AWS CLI.

    python3 benches/upload_to_record.py target/release/spotter [UPLOADS]

Each figure includes the start of the `spotter get --wait` process that asks.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

from serve import BUCKET, SAMPLES, Serve


def main() -> None:
    binary, uploads = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100
    picture = SAMPLES / "8 small.png"
    with tempfile.TemporaryDirectory() as data:
        serve = Serve(binary, data)
        client, environment = serve.client(), {**os.environ, **serve.environment()}

        def by_boto3(key: str) -> None:
            client.put_object(Bucket=BUCKET, Key=key, Body=picture.read_bytes())

        def by_aws_cli(key: str) -> None:
            command = ["aws", "s3", "cp", "--quiet", str(picture), f"s3://{BUCKET}/{key}"]
            subprocess.run(command, env=environment, check=True)

        for name, upload in (("boto3", by_boto3), ("aws s3 cp", by_aws_cli)):
            times = []
            for i in range(uploads):
                key = f"{name}/{i}.png"
                upload(key)
                answered = time.perf_counter()
                records = serve.ask("get", f"s3://{BUCKET}/{key}", "--wait", "10s")
                times.append((time.perf_counter() - answered) * 1e3)
                assert records and records[0]["label"] == "8", f"{key}: {records}"
            times.sort()
            median, ninety = statistics.median(times), times[int(len(times) * 0.9)]
            print(f"{name:10}  {uploads} uploads   median {median:.0f} ms   90 % {ninety:.0f} ms   most {times[-1]:.0f} ms")
        serve.kill()


if __name__ == "__main__":
    main()
