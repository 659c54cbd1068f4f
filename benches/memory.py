#!/usr/bin/env python3
"""The function's peak memory (VmHWM) in the Runtime Interface Emulator, for a 28×28 PNG and a 12-megapixel JPEG.

    python3 benches/memory.py target/lambda/bootstrap/bootstrap aws-lambda-rie

A new process for each picture; each handles it ten times. Bucket and database are those of stack.py.
"""

import io
import json
import pathlib
import subprocess
import sys
import time
import urllib.request

from PIL import Image, ImageDraw, ImageFont

from stack import Stack

PORT = 18080


def picture(size: tuple[int, int], format: str) -> bytes:
    image = Image.new("L" if format == "PNG" else "RGB", size, "white")
    font = ImageFont.load_default(size=min(size) * 0.8)
    ImageDraw.Draw(image).text((size[0] / 2, size[1] / 2), "7", fill="black", font=font, anchor="mm")
    out = io.BytesIO()
    image.save(out, format)
    return out.getvalue()


def event(bucket: str, key: str, number: int, etag: str) -> bytes:
    entity = {"key": key, "eTag": etag.strip('"'), "sequencer": f"{number:016X}"}
    record = {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
              "eventTime": "2026-11-21T00:00:00.000Z", "eventName": "ObjectCreated:Put",
              "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket}, "object": entity}}
    return json.dumps({"Records": [record]}).encode()


def peak(pid: int) -> float:
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def main() -> None:
    bootstrap, rie = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    stack = Stack("target/debug/spotter", watched=False)
    environment = {**stack.environment, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_FUNCTION_TIMEOUT": "30"}
    for name, size, format in (("28×28 PNG", (28, 28), "PNG"), ("12-megapixel baseline JPEG", (4000, 3000), "JPEG")):
        body = picture(size, format)
        etag = stack.s3.put_object(Bucket=stack.bucket, Key=name, Body=body)["ETag"]
        address = ["--runtime-interface-emulator-address", f"127.0.0.1:{PORT}"]
        emulator = subprocess.Popen([rie, *address, bootstrap], env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{PORT}/2015-03-31/functions/function/invocations"
        time.sleep(1)
        for number in range(10):
            answer = urllib.request.urlopen(url, event(stack.bucket, name, number, etag), timeout=60).read()
            assert json.loads(answer) == {"objects": 1}, answer
        pids = subprocess.run(["pgrep", "-P", str(emulator.pid), "bootstrap"], capture_output=True, text=True).stdout.split()
        labels = {record["label"] for record in stack.ask("list", "-n", "100") if record["key"] == name}
        print(f"{name:27} {len(body):9} bytes   peak {peak(int(pids[0])):5.1f} MB   labels {labels}", flush=True)
        emulator.terminate()
        emulator.wait()
    stack.close()


if __name__ == "__main__":
    main()
