"""Lambda's side of a function, and a queue in front of it, for the scripts beside this one.

A sandbox is a process that asks the Runtime API (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) for
events. As on Lambda it is frozen between invocations, killed where an invocation takes too long or too much memory, and
started anew for the next one. The queue counts receives and puts aside what was received too often, as SQS does.
"""

import atexit
import json
import os
import pathlib
import queue as handover
import random
import signal
import subprocess
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ARN = "arn:aws:lambda:us-east-1:123456789012:function:spotter"
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:pictures"
# Lambda gives INIT 10 s. A machine that has other work is slower than Lambda's.
INIT_SECONDS = 120
BATCH = 10


class Failed(Exception):
    """The invocation ended without an answer, or with an error."""


class Sandbox:
    def __init__(self, command: list[str], environment: dict[str, str], log: str, timeout: float = 40, memory_mb: int = 512):
        self.command, self.environment, self.log = command, environment, log
        self.timeout, self.memory_mb = timeout, memory_mb
        self.process, self.inits, self.killed_for_memory, self.killed_for_time, self.peak_mb = None, [], 0, 0, 0.0
        self.frozen, self.lock = False, threading.Lock()
        # Since when an invocation is under way.
        self.since, self.durations = None, []

    def start(self) -> None:
        """INIT: until the function asks for its first event."""
        self.events, self.answers, self.ready = handover.Queue(), handover.Queue(), threading.Event()
        self.server = Server(("127.0.0.1", 0), handler(self))
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        api = {
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}",
            "AWS_LAMBDA_FUNCTION_NAME": "spotter",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_LOG_GROUP_NAME": "group",
            "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        }
        began = time.monotonic()
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                self.command, env={**self.environment, **api}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        # A frozen one would outlive a script that fails.
        atexit.register(self.process.kill)
        self.frozen = False
        threading.Thread(target=self.watch, args=(self.process,), daemon=True).start()
        while not self.ready.wait(0.01):
            if self.process.poll() is not None or time.monotonic() - began > INIT_SECONDS:
                self.end()
                raise Failed("INIT failed")
        self.inits.append(time.monotonic() - began)

    def invoke(self, event: dict) -> dict:
        if self.process is None:
            self.start()
        process, until = self.process, time.monotonic() + self.timeout
        self.thaw()
        self.since = time.monotonic()
        try:
            answer = self.answer_of(process, until, event)
            self.durations.append(time.monotonic() - self.since)
            return answer
        finally:
            self.since = None

    def answer_of(self, process: subprocess.Popen, until: float, event: dict) -> dict:
        self.events.put((str(uuid.uuid4()), time.time() + self.timeout, json.dumps(event)))
        while True:
            try:
                what, answer = self.answers.get(timeout=0.02)
                break
            except handover.Empty:
                ended = process.poll() is not None
                late = time.monotonic() > until
                if ended or late:
                    self.killed_for_time += late and not ended
                    self.end()
                    raise Failed("timed out" if late and not ended else "the process ended") from None
        if what == "error":
            raise Failed(answer)
        return json.loads(answer)

    def watch(self, process: subprocess.Popen) -> None:
        """Memory, until the process ends."""
        status = pathlib.Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            try:
                lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
                resident, peak = (int(lines[name].split()[0]) / 1e3 for name in ("VmRSS", "VmHWM"))
            except (OSError, KeyError, ValueError):
                return
            self.peak_mb = max(self.peak_mb, peak)
            if resident > self.memory_mb * 1.048576:
                self.killed_for_memory += 1
                process.kill()
            time.sleep(0.01)

    def processor_seconds(self) -> float:
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def freeze(self) -> None:
        with self.lock:
            # An invocation may have begun since the function asked for it.
            if self.process is not None and self.events.empty() and not self.frozen:
                self.frozen = True
                self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        with self.lock:
            if self.frozen and self.process is not None:
                self.frozen = False
                self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        with self.lock:
            process, self.process = self.process, None
        if process is not None:
            process.kill()
            process.wait()
            self.server.shutdown()
            self.server.server_close()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_arguments) -> None:
        """A function that was killed hangs up."""


def handler(sandbox: Sandbox) -> type[BaseHTTPRequestHandler]:
    events, answers, ready = sandbox.events, sandbox.answers, sandbox.ready

    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            ready.set()
            request_id, deadline, event = events.get()
            self.send_response(200)
            for name, value in (
                ("Lambda-Runtime-Aws-Request-Id", request_id),
                ("Lambda-Runtime-Deadline-Ms", str(int(deadline * 1000))),
                ("Lambda-Runtime-Invoked-Function-Arn", ARN),
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(event.encode()))),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(event.encode())

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            self.wfile.flush()
            answers.put((self.path.rsplit("/", 1)[-1], body))

        def log_message(self, *_arguments) -> None:
            pass

    return RuntimeApi


@dataclass
class Message:
    body: str
    visible: float
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    receives: int = 0


class Queue:
    """At least once, in no order; what was received `max_receives` times and is still there is a dead letter."""

    def __init__(self, visibility: float, max_receives: int, seed: int = 0):
        self.visibility, self.max_receives, self.rng = visibility, max_receives, random.Random(seed)
        self.messages, self.dead, self.lock = {}, [], threading.Lock()

    def send(self, body: str, delay: float = 0) -> str:
        message = Message(body, time.monotonic() + delay)
        with self.lock:
            self.messages[message.id] = message
        return message.id

    def receive(self) -> list[Message]:
        now = time.monotonic()
        with self.lock:
            visible = [message for message in self.messages.values() if message.visible <= now]
            self.rng.shuffle(visible)
            batch = []
            for message in visible:
                if message.receives >= self.max_receives:
                    self.dead.append(self.messages.pop(message.id))
                elif len(batch) < BATCH:
                    message.receives, message.visible = message.receives + 1, now + self.visibility
                    batch.append(message)
            return batch

    def delete(self, ids: set[str]) -> None:
        with self.lock:
            for id in ids:
                self.messages.pop(id, None)

    def holds(self, id: str) -> bool:
        with self.lock:
            return id in self.messages

    def __len__(self) -> int:
        with self.lock:
            return len(self.messages)


def event_of(batch: list[Message]) -> dict:
    records = [
        {
            "messageId": message.id,
            "receiptHandle": message.id,
            "body": message.body,
            "attributes": {"ApproximateReceiveCount": str(message.receives)},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": QUEUE_ARN,
            "awsRegion": "us-east-1",
        }
        for message in batch
    ]
    return {"Records": records}


def done(batch: list[Message], answer: object) -> set[str]:
    """Which messages Lambda deletes: those that the answer does not name as failed.
    <https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html>"""
    ids = {message.id for message in batch}
    failures = answer.get("batchItemFailures") if isinstance(answer, dict) else None
    failed = {failure.get("itemIdentifier") for failure in failures or []}
    return ids - failed if failed <= ids else set()


class Pollers:
    """Lambda's event source mapping: a sandbox for each thread, until `stop`."""

    def __init__(self, queue: Queue, sandboxes: list[Sandbox]):
        self.queue, self.sandboxes, self.stopped, self.failures = queue, sandboxes, threading.Event(), []
        self.threads = [threading.Thread(target=self.poll, args=(sandbox,), daemon=True) for sandbox in sandboxes]
        for thread in self.threads:
            thread.start()

    def poll(self, sandbox: Sandbox) -> None:
        while not self.stopped.is_set():
            batch = self.queue.receive()
            if not batch:
                if sandbox.process is not None and sandbox.ready.is_set():
                    sandbox.freeze()
                time.sleep(0.02)
                continue
            try:
                self.queue.delete(done(batch, sandbox.invoke(event_of(batch))))
            except Failed as failure:
                self.failures.append(str(failure))

    def stop(self) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        for sandbox in self.sandboxes:
            sandbox.thaw()
            sandbox.end()
