#!/usr/bin/env python3
"""`spotter serve` on a disk that fills up, and on one that becomes read-only: what was answered is there, what was refused
is not, each refusal has its words, and with space again it goes on by itself.

    sudo python3 benches/disk.py target/release/spotter

It mounts a small disk of its own (tmpfs), which is why it needs root. Linux.
"""

import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time
import urllib.request

from botocore.exceptions import BotoCoreError, ClientError

from serve import BUCKET, SAMPLES, Serve

SIZE = "48m"
# Left free by the file that fills the disk.
SPARE = 6_000_000
REFUSALS = 20
# Some 70 kB each: many times what the whole disk holds.
MOST_UPLOADS = 3_000


class Disk:
    def __init__(self, folder: str):
        self.folder, self.filling = folder, pathlib.Path(folder, "filling")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True)

    def become(self, option: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{option}", self.folder], check=True)

    def fill(self) -> None:
        self.filling.write_bytes(bytes(max(0, self.free() - SPARE)))

    def free(self) -> int:
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize


class Uploads:
    """Pictures that are each a content of its own: what follows a PNG's last chunk is nobody's."""

    def __init__(self, serve: Serve):
        self.client, self.chance = serve.client(), random.Random(4)
        self.picture = (SAMPLES / "8 small.png").read_bytes()
        self.answered: dict[str, bytes] = {}
        self.refused: list[str] = []

    def put(self) -> str | None:
        """Why it was refused."""
        key = f"{len(self.answered) + len(self.refused)}.png"
        body = self.picture + self.chance.randbytes(self.chance.choice((100, 10_000, 200_000)))
        try:
            self.client.put_object(Bucket=BUCKET, Key=key, Body=body)
        except (ClientError, BotoCoreError) as error:
            self.refused.append(key)
            return str(error)
        self.answered[key] = body
        return None

    def until_refused(self) -> set[str]:
        before, words = len(self.refused), set()
        for _ in range(MOST_UPLOADS):
            words.add(self.put() or "")
            if len(self.refused) == before + REFUSALS:
                return words - {""}
        sys.exit(f"{MOST_UPLOADS} uploads on a full disk, and {len(self.refused) - before} refused: objects that are wrong: {self.differences()}")

    def differences(self) -> list[str]:
        """Objects that are not what was answered, or are there though they were refused."""
        there = {
            item["Key"]
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
            for item in page.get("Contents", [])
        }
        wrong = [key for key in self.refused if key in there]
        for key, body in self.answered.items():
            if key not in there or self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() != body:
                wrong.append(key)
        return wrong


def said(binary: str, data: str, *arguments: str) -> str:
    """The first line of a command's errors, else of its output."""
    ended = subprocess.run([binary, "--data", data, *arguments], capture_output=True, text=True, timeout=60)
    lines = (ended.stderr or ended.stdout).splitlines()
    return f"exit {ended.returncode}: {lines[0][:120] if lines else 'nothing'}"


def page(serve: Serve) -> str:
    try:
        with urllib.request.urlopen(f"{serve.page}/api/records", timeout=20) as answer:
            return f"{answer.status}"
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read()[:200].decode()}"


def missing(serve: Serve, uploads: Uploads, seconds: int) -> set[str]:
    """Uploads without a record, waited for."""
    until = time.time() + seconds
    while True:
        recorded = {row["key"] for row in serve.ask("list", "--current", "-n", "1000000")}
        if recorded >= uploads.answered.keys() or time.time() > until:
            return uploads.answered.keys() - recorded
        time.sleep(0.5)


def main() -> None:
    binary = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        disk = Disk(folder)
        serve = Serve(binary, f"{folder}/data")
        try:
            failures = run(binary, disk, serve)
        finally:
            serve.kill()
            subprocess.run(["umount", "--lazy", folder], check=False)
    sys.exit(1 if failures else 0)


def run(binary: str, disk: Disk, serve: Serve) -> int:
    failures, data = 0, serve.data

    def show(what: str, bad: object) -> None:
        nonlocal failures
        failures += bool(bad)
        print(f"{what}: {'none' if not bad else bad}", flush=True)

    uploads = Uploads(serve)
    disk.fill()
    print("a full disk, an upload:", *sorted(uploads.until_refused()), sep="\n    ")
    print(f"{len(uploads.answered)} uploads answered, {len(uploads.refused)} refused, {disk.free()} bytes free")
    print(f"the page's records: {page(serve)}")
    show("objects that are wrong", uploads.differences())
    disk.filling.unlink()
    show("with space again, an upload is refused", uploads.put())
    show("uploads without a record", missing(serve, uploads, 120))

    disk.fill()
    uploads.until_refused()
    serve.kill()
    print(f"`serve` begun on a full disk: {said_of_start(binary, data)}")
    disk.filling.unlink()
    serve.start()
    uploads.client = serve.client()
    show("killed, and with space again, uploads without a record", missing(serve, uploads, 120))

    serve.kill()
    disk.become("ro")
    print(f"a read-only disk, `serve`: {said_of_start(binary, data)}")
    for command in (["list"], ["get", f"s3://{BUCKET}/0.png"], ["correct", f"s3://{BUCKET}/0.png", "7"]):
        print(f"`{' '.join(command)}`: {said(binary, data, *command)}")
    disk.become("rw")
    serve.start()
    uploads.client = serve.client()
    show("writable again, an upload is refused", uploads.put())
    show("uploads without a record", missing(serve, uploads, 120))
    show("objects that are wrong", uploads.differences())
    serve.kill()
    tmp = pathlib.Path(data, "objects", "tmp")
    show("files that are half-written", [path.name for path in tmp.iterdir()])
    return failures


def said_of_start(binary: str, data: str) -> str:
    """It ends at once with its reason, or runs, and is ended."""
    command = [binary, "--data", data, "serve", "--port", "0", "--page-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
        try:
            _, errors = started.communicate(timeout=3)
        except subprocess.TimeoutExpired:
            started.kill()
            _, errors = started.communicate()
            return f"it runs; {errors.splitlines()[0] if errors else 'no error'}"
    return f"exit {started.returncode}: {errors.splitlines()[0] if errors else 'nothing'}"


if __name__ == "__main__":
    main()
