#!/usr/bin/env python3
"""`spotter serve` at saturation: as many uploads as it takes, beside idle connections and questions of the page.

    python3 benches/load.py target/release/spotter [SECONDS] [IDLE]

Four processes upload as fast as they are answered, IDLE connections say nothing (half to the endpoint, half to the page), and the
page is asked twice a second. A line a twentieth of the time; in the end each upload that was answered has its record.
"""

import http.client
import multiprocessing
import os
import pathlib
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from urllib.parse import urlsplit

from serve import BUCKET, SAMPLES, Serve

UPLOADERS = 4
LINES = 20


def uploads(serve: Serve, name: int, until: float, results: multiprocessing.Queue) -> None:
    """By plain HTTP and one presigned URL a key, or most of the time would be the client's. A refusal is tried again."""
    client, body = serve.client(), (SAMPLES / "8 small.png").read_bytes()
    connection = http.client.HTTPConnection(urlsplit(serve.endpoint).netloc, timeout=60)
    at = 0
    while time.time() < until:
        url = client.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": f"{name}/{at}.png"})
        path = url.split(connection.host + f":{connection.port}", 1)[-1]
        began = time.time()
        connection.request("PUT", path, body)
        answer = connection.getresponse()
        answer.read()
        results.put((time.time(), time.time() - began, answer.status))
        if answer.status == 200:
            at += 1
        elif answer.status != 503:
            raise SystemExit(f"an upload is answered {answer.status}")


def idle(serve: Serve, count: int) -> tuple[list[socket.socket], int]:
    """Connections that say nothing, and how many were refused."""
    places = [urlsplit(url) for url in (serve.endpoint, serve.page)]
    connections, refused = [], 0
    for i in range(count):
        try:
            place = places[i % 2]
            connections.append(socket.create_connection((place.hostname, place.port), timeout=10))
        except OSError:
            refused += 1
    return connections, refused


def memory(serve: Serve) -> float:
    """Resident, in MB."""
    status = pathlib.Path(f"/proc/{serve.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1e3


def asked(serve: Serve) -> float:
    """Milliseconds until the page's first hundred records are there."""
    began = time.time()
    connection = http.client.HTTPConnection(urlsplit(serve.page).netloc, timeout=60)
    connection.request("GET", "/api/records")
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200, answer.status
    return (time.time() - began) * 1e3


def recorded(serve: Serve) -> int:
    command = [serve.binary, "--data", serve.data, "list", "--current", "--json", "-n", "100000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as listing:
        return sum(1 for _ in listing.stdout)


def percent(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def main() -> None:
    binary = sys.argv[1]
    seconds, count = (int(sys.argv[i]) if len(sys.argv) > i else usual for i, usual in ((2, 600), (3, 5_000)))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as data:
        serve = Serve(binary, data)
        connections, refused = idle(serve, count)
        print(f"{len(connections)} idle connections, {refused} refused; {memory(serve):.0f} MB resident")
        results = multiprocessing.Queue()
        began = time.time()
        workers = [
            multiprocessing.Process(target=uploads, args=(serve, name, began + seconds, results)) for name in range(UPLOADERS)
        ]
        for worker in workers:
            worker.start()
        print("| second | uploads/s | PUT median, p99, slowest | page's question, slowest | resident |\n|---|---|---|---|---|")
        answered, peaks, slice_ = 0, [], seconds / LINES
        for line in range(LINES):
            times, questions = [], []
            while time.time() < began + (line + 1) * slice_:
                questions.append(asked(serve))
                time.sleep(0.5)
                while not results.empty():
                    _, took, status = results.get()
                    answered += status == 200
                    times.append(took * 1e3)
            peaks.append(memory(serve))
            print(
                f"| {(line + 1) * slice_:.0f} | {len(times) / slice_:.0f} | {statistics.median(times or [0]):.1f}, {percent(times, 0.99):.0f}, "
                f"{max(times, default=0):.0f} ms | {max(questions):.0f} ms | {peaks[-1]:.0f} MB |", flush=True)
        for worker in workers:
            while worker.is_alive() or not results.empty():
                answered += not results.empty() and results.get()[2] == 200
            worker.join()
        ended = time.time()
        while (now := recorded(serve)) < answered and time.time() < ended + 2 * seconds:
            time.sleep(1)
        still = sum(connection.fileno() >= 0 for connection in connections)
        print(f"{answered} uploads answered · {now} recorded, the last {time.time() - ended:.0f} s after the end · "
              f"memory {peaks[LINES // 10]:.0f} MB after a tenth of the time, {max(peaks):.0f} MB at most · {still} idle connections")
        failed = [worker for worker in workers if worker.exitcode]
        serve.kill()
        if now != answered or failed:
            sys.exit(1)


if __name__ == "__main__":
    main()
