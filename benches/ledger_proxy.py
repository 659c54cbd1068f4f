"""A way to the bucket on which the first GET of some keys is overtaken: the answer is on its way when the object changes."""

import socket
import socketserver
import threading
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from ledger_stories import Step


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *_arguments) -> None:
        """A function that was killed hangs up."""


class Proxy:
    def __init__(self, endpoint: str, bucket: str, overtaking: dict[str, Step], overtake: Callable[[Step], None]):
        server, lock = urlsplit(endpoint), threading.Lock()

        def change(path: str) -> Step | None:
            name, _, key = unquote(path.partition("?")[0]).removeprefix("/").partition("/")
            with lock:
                return overtaking.pop(key, None) if name == bucket else None

        class Way(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with socket.create_connection((server.hostname, server.port)) as upstream:
                    answers = upstream.makefile("rb")
                    while request := head(self.rfile):
                        upstream.sendall(request)
                        answer = head(answers)
                        answer += answers.read(length(answer))
                        if step := change(request.split(b" ", 2)[1].decode()):
                            overtake(step)
                        self.wfile.write(answer)

        self.server = Server(("127.0.0.1", 0), Way)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def head(stream) -> bytes:
    """Of a request without a body, or of an answer."""
    lines = []
    while (line := stream.readline()) not in (b"\r\n", b""):
        lines.append(line)
    return b"".join(lines) + b"\r\n" if lines else b""


def length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0
