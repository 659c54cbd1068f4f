"""A way to an endpoint on which answers wait."""

import socket
import socketserver
import threading
from collections.abc import Callable
from urllib.parse import urlsplit


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, *_arguments) -> None:
        """A function that was killed hangs up."""


class Proxy:
    def __init__(self, endpoint: str, meanwhile: Callable[[str], None]):
        """`meanwhile` is called with a request's path once its answer is there, and the answer goes on when it returns."""
        server = urlsplit(endpoint)

        class Way(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                with socket.create_connection((server.hostname, server.port)) as upstream:
                    answers = upstream.makefile("rb")
                    while request := head(self.rfile):
                        upstream.sendall(request)
                        answer = head(answers)
                        answer += answers.read(length(answer))
                        meanwhile(request.split(b" ", 2)[1].decode())
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
