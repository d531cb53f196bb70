"""A real HTTP server that takes webhooks: it keeps what it is sent, and answers as it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    """One request, and the status that it was answered with; 0: the connection was closed without an answer."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int = 0

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event


class Inbox(ThreadingHTTPServer):
    """`received` holds the requests. `answer` is a status, or is called with each request and returns one.

    A context manager. `most` is how many requests it had at once.
    """

    daemon_threads = True

    def __init__(self, answer: int | Callable[[Received], int] = 200, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"
        self.answer = answer
        self.headers: dict[str, str] = {}
        self.received: list[Received] = []
        self.running = self.most = 0
        self.lock = threading.Lock()

    @property
    def types(self) -> list[str]:
        return [each.event["type"] for each in self.received]

    @property
    def subjects(self) -> list[str]:
        return [each.event["subject"] for each in self.received]

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *ended_by: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Inbox

    def do_POST(self) -> None:
        with self.server.lock:
            self.server.running += 1
            self.server.most = max(self.server.most, self.server.running)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = Received(self.path, dict(self.headers.items()), body)
        answer = self.server.answer
        status = answer if isinstance(answer, int) else answer(request)
        with self.server.lock:
            self.server.received.append(replace(request, status=status))
            self.server.running -= 1
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"thanks")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the name in the base class
        """Nothing."""
