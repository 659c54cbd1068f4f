#!/usr/bin/env python3
"""Three nodes of Cassandra, one after the other killed, stopped, or with its disk full, for 20 rounds under load at
LOCAL_QUORUM: what was acknowledged is there, and right.

    python3 benches/nodes.py target/debug/spotter target/lambda/bootstrap/bootstrap.zip [ROUNDS [ADDRESS]]

The cluster is its own (tests/cassandra), on ADDRESS and the two that follow (default 127.0.45.1). As root each node has a
small disk of its own (tmpfs), which a round can fill; without it the full disks are left out, and said to be. It needs
what ledger.py needs, awslambdaric left out.
"""

import contextlib
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import threading
import time
import zipfile

import cassandra
import cassandra.cluster
from bucket import Bucket, differences
from functions import Spotter, readable
from killed import change
from pictures import digits
from sandbox import Pollers, Queue
from serve import Serve

SEED, SANDBOXES, RATE = 10, 2, 4
VISIBILITY, MAX_RECEIVES = 5, 1_000
# Seconds: of a fault, from its end to the next one, and until a node must be up again.
FAULT, BETWEEN, UP = 10, 3, 600
DISK = "512m"
# More than a segment of the commit log, so that a node with a full disk has to notice.
BALLAST, PIECE = 24, 500_000
SCRIPT = pathlib.Path(__file__).parent.parent / "tests" / "cassandra" / "cassandra.sh"


class Cluster:
    def __init__(self, folder: pathlib.Path, address: str):
        self.folder, self.disks = folder, []
        first, last = address.rsplit(".", 1)
        self.nodes = ",".join(f"{first}.{int(last) + number}:9042" for number in range(3))
        for number in (1, 2, 3):
            disk = folder / f"node{number}"
            disk.mkdir(parents=True)
            if os.geteuid() == 0:
                subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(disk)], check=True)
                self.disks.append(disk)
        self.script("start", "--nodes", "3", "--address", address)
        with cassandra.cluster.Cluster([address]) as driver:
            session = driver.connect()
            session.execute("CREATE KEYSPACE ballast WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}", timeout=60)
            session.execute("CREATE TABLE ballast.pieces (id uuid PRIMARY KEY, piece blob)", timeout=60)

    def script(self, what: str, *arguments: str) -> None:
        # A Java that dies of its full disk leaves its last words where it was started.
        done = subprocess.run([str(SCRIPT), what, str(self.folder), *arguments], capture_output=True, text=True, cwd=self.folder)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    def signal(self, node: int, name: str) -> None:
        pid = (self.folder / f"node{node}" / "pid").read_text().strip()
        subprocess.run(["kill", f"-{name}", pid], check=False)

    def fill(self, node: int) -> None:
        with open(self.folder / f"node{node}" / "filler", "wb", buffering=0) as filler:
            try:
                while filler.write(bytes(1 << 16)):
                    pass
            except OSError:
                pass  # full

    def hurt(self, node: int, fault: str) -> None:
        if fault == "kill -9":
            self.signal(node, "KILL")
        elif fault == "SIGSTOP":
            self.signal(node, "STOP")
        else:
            self.fill(node)
            self.ballast()

    def ballast(self) -> None:
        """What others write meanwhile."""
        with cassandra.cluster.Cluster([node.split(":")[0] for node in self.nodes.split(",")]) as driver:
            session = driver.connect()
            insert = session.prepare("INSERT INTO ballast.pieces (id, piece) VALUES (uuid(), ?)")
            for _ in range(BALLAST):
                with contextlib.suppress(cassandra.DriverException, cassandra.RequestExecutionException, OSError):
                    session.execute(insert, (os.urandom(PIECE),))

    def states(self) -> list[str]:
        """Up, down or not answering."""
        told = subprocess.run([str(SCRIPT), "status", str(self.folder)], capture_output=True, text=True).stdout
        return [line.split(" ", 3)[3].split(",")[0] for line in told.splitlines()]

    def mend(self, node: int, fault: str) -> None:
        if fault == "SIGSTOP":
            self.signal(node, "CONT")
        else:
            (self.folder / f"node{node}" / "filler").unlink(missing_ok=True)
            # With a full disk it serves no more, but its process may be there.
            self.script("stop", str(node), "--kill")
        with contextlib.suppress(RuntimeError):  # on a busy machine a node may take longer than the script waits
            self.script("start")
        until = time.monotonic() + UP
        while self.states().count("up") < 3:
            if time.monotonic() > until:
                raise RuntimeError(f"after {UP} s the nodes are {self.states()}")
            time.sleep(1)

    def close(self) -> None:
        self.script("stop", "--kill")
        for disk in self.disks:
            subprocess.run(["umount", "--lazy", str(disk)], check=False)


def main() -> None:
    binary, bootstrap = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 20
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        cluster = Cluster(home / "cluster", sys.argv[4] if len(sys.argv) > 4 else "127.0.45.1")
        with zipfile.ZipFile(bootstrap) as packed:
            packed.extractall(home / "spotter")
        serve = Serve(str(pathlib.Path(binary).resolve()), str(home / "data"), "--exclude", "*")
        try:
            failed = run(cluster, serve, Spotter(serve, home, bootstrap, cluster.nodes), rounds)
        finally:
            serve.kill()
            cluster.close()
    sys.exit(failed)


def run(cluster: Cluster, serve: Serve, function: Spotter, rounds: int) -> bool:
    queue, rng, keys, changes, stopped = Queue(VISIBILITY, MAX_RECEIVES, SEED), random.Random(SEED), [], 0, threading.Event()
    bucket, pool = Bucket(serve, "nodes", queue), readable(function.binary, digits(200, SEED))
    pollers = Pollers(queue, [function.sandbox(serve.endpoint) for _ in range(SANDBOXES)])

    def upload() -> None:
        nonlocal changes
        while not stopped.wait(1 / RATE):
            change(bucket, rng, keys, pool)
            changes += 1

    uploading, began = threading.Thread(target=upload), time.monotonic()
    uploading.start()
    faults = ["kill -9", "SIGSTOP", *(["disk full"] if cluster.disks else [])]
    if not cluster.disks:
        print("no full disks: they need root", flush=True)
    for number in range(rounds):
        fault, node = faults[number % len(faults)], number // len(faults) % 3 + 1
        before, errors, at = changes - len(queue), len(pollers.failures), time.monotonic() - began
        cluster.hurt(node, fault)
        time.sleep(FAULT)
        state = cluster.states()[node - 1]
        acknowledged, failures = changes - len(queue) - before, len(pollers.failures) - errors
        cluster.mend(node, fault)
        print(f"{at:6.1f} s  round {number + 1:2}  node {node}  {fault:9}  it is {state:13}  meanwhile {acknowledged} changes acknowledged, "
              f"{failures} invocations failed, {len(queue)} wait", flush=True)
        time.sleep(BETWEEN)
    stopped.set()
    uploading.join()
    until = time.monotonic() + 300
    while len(queue) and time.monotonic() < until:
        time.sleep(0.1)
    pollers.stop()
    truth, answers = bucket.at_rest(), function.answers(bucket.name)
    lost, stale, ghosts = differences(truth, answers)
    print(f"{rounds} rounds, {changes} changes, {len(truth)} objects · {len(queue)} not acknowledged · {len(lost)} lost · "
          f"{len(stale) + len(ghosts)} wrong")
    for key in lost + stale + ghosts:
        print(f"  {key}: {truth.get(key)}, recorded as {answers.get(key)}")
    return bool(lost or stale or ghosts or len(queue))


if __name__ == "__main__":
    main()
