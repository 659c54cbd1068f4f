#!/usr/bin/env python3
"""Questions over a million records: the first page, everything, statistics, and the partitions that Cassandra read for them.

    python3 benches/million.py target/debug/spotter fill 127.0.0.1:9042     # or a folder, for the embedded home
    python3 benches/million.py target/debug/spotter ask  127.0.0.1:9042

The first page is asked of `spotter serve` over one connection, as a browser would, so that it holds neither the start of a
process nor that of a session. Beside compilers the least time is what says most.
"""

import http.client
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import uuid

from million_rows import fill_cassandra, fill_sqlite

ROWS = 1_000_000
KEYSPACE = "million"
# The last hour and a half of the rows that are filled in.
SINCE = "2026-09-24T22:30:00Z"
PAGES = {
    "the newest": "limit=100",
    "the newest, with pictures": "limit=100&seen=true",
    "one label": "limit=100&label=7",
    "since": f"limit=100&since={SINCE}",
    "one row in 10,000": "limit=100&label=9",
}


class Home:
    def __init__(self, binary: str, place: str):
        self.binary, self.place, self.is_cassandra = binary, place, ":" in place
        self.scratch = tempfile.TemporaryDirectory()
        data = {"SPOTTER_DATA": self.scratch.name if self.is_cassandra else place}
        named = {"SPOTTER_CASSANDRA": place, "SPOTTER_KEYSPACE": KEYSPACE} if self.is_cassandra else {}
        self.environment = {**os.environ, **data, **named}

    def fill(self) -> None:
        if self.is_cassandra:
            apply = [self.binary, "schema", "apply", "--per-day", "500000"]
            subprocess.run(apply, env=self.environment, check=True)
            fill_cassandra(self.place, KEYSPACE, ROWS)
        else:
            fill_sqlite(pathlib.Path(self.place) / "records.sqlite", ROWS)

    def first_pages(self) -> None:
        ports = [free_port(), free_port()]
        command = [self.binary, "serve", "--port", str(ports[0]), "--page-port", str(ports[1])]
        server = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        connection = http.client.HTTPConnection("127.0.0.1", ports[1], timeout=60)
        try:
            while not answers(connection):
                time.sleep(0.1)
            for name, question in PAGES.items():
                times = []
                for _ in range(40):
                    begun = time.perf_counter()
                    connection.request("GET", f"/api/records?{question}")
                    answer = connection.getresponse()
                    body = answer.read()
                    times.append(time.perf_counter() - begun)
                    assert answer.status == 200, body
                least, median = min(times) * 1e3, statistics.median(times) * 1e3
                print(f"page: {name:26} {body.count(b'event_time'):4} rows   {least:6.1f} ms least, {median:6.1f} median", flush=True)
        finally:
            server.terminate()
            server.wait()

    def timed(self, *arguments: str) -> None:
        begun = time.perf_counter()
        process = subprocess.Popen([self.binary, *arguments], env=self.environment, stdout=subprocess.PIPE)
        lines = sum(chunk.count(b"\n") for chunk in iter(lambda: process.stdout.read(1 << 16), b""))
        _, status, used = os.wait4(process.pid, 0)
        seconds, busy, peak = time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6
        assert status == 0, arguments
        print(f"{' '.join(arguments):24} {lines:9} lines {seconds:7.1f} s, {busy:6.1f} s of CPU, peak {peak:6.1f} MB", flush=True)

    def partitions(self, *arguments: str) -> None:
        """As Cassandra traced them. What it traces is there a moment after the answer."""
        from cassandra.cluster import Cluster

        environment = {**self.environment, "RUST_LOG": "off,spotter::records=trace"}
        process = subprocess.run([self.binary, *arguments], env=environment, check=True, capture_output=True, text=True)
        plain = re.sub(r"\x1b\[[0-9;]*m", "", process.stderr)
        ids = re.findall(r"tracing_id=([0-9a-f-]{36})", plain)
        time.sleep(3)
        host, port = self.place.rsplit(":", 1)
        cluster = Cluster([host], port=int(port))
        session = cluster.connect("system_traces")
        asked, read = session.prepare("SELECT parameters FROM sessions WHERE session_id = ?"), set()
        for id in ids:
            parameters = session.execute(asked, [uuid.UUID(id)]).one().parameters
            if "shard = ?" in parameters["query"]:
                read.add(tuple(value for name, value in sorted(parameters.items()) if name.endswith(("listed_as", "slot", "shard"))))
        there = len(session.execute(f"SELECT DISTINCT model, slot, shard FROM {KEYSPACE}.by_time").all())
        rows = process.stdout.count("\n")
        print(f"{' '.join(arguments):60} {rows:6} rows: {len(ids)} requests, {len(read)} of {there} partitions of a log", flush=True)
        cluster.shutdown()


def free_port() -> int:
    with socket.socket() as any:
        any.bind(("127.0.0.1", 0))
        return any.getsockname()[1]


def answers(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/api/records?limit=1")
        return connection.getresponse().read() != b""
    except OSError:
        connection.close()
        return False


def main() -> None:
    binary, what, place = sys.argv[1:4]
    home = Home(binary, place)
    if what == "fill":
        home.fill()
        return
    print(f"load {os.getloadavg()[0]:.1f}")
    home.first_pages()
    if home.is_cassandra:
        for more in ([], ["--label", "7"], ["--since", SINCE, "-n", "1000000"], ["--label", "9", "-n", "10"], ["--label", "9"]):
            home.partitions("list", *more)
    for rows in ("10000", "100000", "1000000"):
        home.timed("list", "-n", rows)
    home.timed("stats")
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
