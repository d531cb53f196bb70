"""The way from a running script to its runner: a port on this machine that serves one job, as long as it runs."""

from __future__ import annotations

import hmac
import json
import logging
import secrets
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bvo_agent.files import write_private_json

logger = logging.getLogger(__name__)
HOST = "127.0.0.1"
REQUEST_BYTES = 1024 * 1024 + 8 * 1024
"""A result or a payload of 1 MiB, and what is said about it."""

BLOCK = 64 * 1024
REQUEST_SECONDS = 2.0
"""How long the whole of a request may take to arrive; also how long the end of a job may wait for one."""

AT_ONCE = 16
POLL_SECONDS = 0.05


AssetAnswer = Callable[[str, threading.Event], dict[str, Any]]
"""From an asset's name, and an event that says that the job has ended, to what the script gets."""

Answer = Callable[[Mapping[str, Any], threading.Event], dict[str, Any]]
"""The same from a whole request."""


class Channel:
    """A context manager: answers from its start to its end. Where and with what token stands in `file`.

    A request is one line of JSON, `{"token": "…", "request": "asset", "name": "…"}`, and so is the answer. Other
    users of the machine reach the port, and do not know the token. `others` answer further requests, by their names.
    """

    def __init__(self, file: Path, asset: AssetAnswer, others: Mapping[str, Answer] | None = None) -> None:
        self._file = file
        self._asset = asset
        self._others = others or {}
        self._token = secrets.token_urlsafe(32)
        self._ended = threading.Event()

    def __enter__(self) -> Channel:
        self._server = _Server(self._answer)
        try:
            write_private_json(self._file, {"port": self._server.server_address[1], "token": self._token})
        except BaseException:
            self._server.server_close()
            raise
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), name="channel")
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()  # waits for the requests that are under way

    def _answer(self, line: bytes) -> dict[str, Any]:
        request = _parsed(line)
        if not hmac.compare_digest(str(request.get("token")).encode(errors="replace"), self._token.encode()):
            return {"error": "The token of this request is not that of the running job."}
        name, other = request.get("name"), self._others.get(str(request.get("request")))
        is_asset = request.get("request") == "asset" and isinstance(name, str) and name.isprintable()
        if not other and not is_asset:
            return {"error": "This runner does not know this request."}
        if self._ended.is_set():
            return {"error": "The job has ended."}
        return other(request, self._ended) if other else self._asset(str(name), self._ended)


class _Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128

    def __init__(self, answer: Callable[[bytes], dict[str, Any]]) -> None:
        self.answer = answer
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        super().__init__((HOST, 0), _Connection)

    def server_bind(self) -> None:
        if sys.platform == "win32":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        super().server_bind()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._slots.acquire()
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        logger.debug("a request of a script was not answered: %r", sys.exception())


class _Connection(socketserver.BaseRequestHandler):
    server: _Server

    def handle(self) -> None:
        answer = self.server.answer(_line(self.request))
        self.request.settimeout(REQUEST_SECONDS)
        self.request.sendall(json.dumps(answer).encode() + b"\n")


def _line(connection: socket.socket) -> bytes:
    """The request as far as it came in time and is not too long; `_parsed` refuses a half."""
    end, line = time.monotonic() + REQUEST_SECONDS, b""
    while not line.endswith(b"\n") and len(line) <= REQUEST_BYTES:
        connection.settimeout(max(0.001, end - time.monotonic()))
        try:
            data = connection.recv(BLOCK)
        except OSError:
            break
        if not data:
            break
        line += data
    return line


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line) if line.endswith(b"\n") and len(line) <= REQUEST_BYTES else None
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {}
