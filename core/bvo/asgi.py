"""The Flask app as an ASGI app, as `bvo serve` runs it: plugins may answer requests ahead of Flask, on the event loop.

The Flask app itself stays a plain WSGI app, which any WSGI server can run. Here it works in a few threads. Small bodies
and answers cross between loop and thread once; large ones go piece by piece, so that memory stays flat.
"""

from __future__ import annotations

import asyncio
import io
import logging
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask

from bvo_hookspecs import AsgiMiddleware

from . import registry

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

SMALL_BYTES = 256 * 1024
"""A body that says it is no longer is read before the thread starts; an answer that is longer is sent in pieces."""


def application(app: Flask, threads: int) -> AsgiApp:
    """What `bvo serve` runs: the Flask app in `threads` threads, behind what plugins put ahead of it."""
    served: AsgiApp = Threaded(app, threads)
    with app.app_context():
        middlewares = registry.current().of(AsgiMiddleware).values()
    for middleware in middlewares:
        served = middleware.wrap(app, served)
    return served


def when_stopping(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Call back on the loop as soon as this process is told to stop: `lifespan` tells it after the last request."""
    if threading.current_thread() is not threading.main_thread():
        return  # only there are signals heard
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, partial(_stopping, loop, callback, signal.getsignal(number)))


def _stopping(loop: asyncio.AbstractEventLoop, callback: Callable[[], None], others: Any, *told: Any) -> None:
    loop.call_soon_threadsafe(callback)
    if callable(others):
        others(*told)


class Gone(ConnectionError):
    """The client has gone in the middle of its request, or of the answer."""


class Threaded:
    """Runs a WSGI app in a bounded number of threads. Further requests wait for one, in order."""

    def __init__(self, wsgi: Callable[..., Iterable[bytes]], threads: int) -> None:
        self._wsgi = wsgi
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            self._pool.shutdown(wait=False)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        environ = _environ(scope)
        try:
            environ["wsgi.input"] = await _body(environ, receive, loop)
            answer = _Answer(send, loop)
            await loop.run_in_executor(self._pool, answer.run, self._wsgi, environ)
            await answer.finish()
        except Gone:
            log.debug("A client has gone before its answer")


class _Answer:
    """What the WSGI app answers: collected in its thread, and sent there in pieces as soon as it is not small."""

    def __init__(self, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self._send, self._loop = send, loop
        self._start: Message | None = None
        self._begun = False
        self._chunks: list[bytes] = []
        self._size = 0

    def run(self, wsgi: Callable[..., Iterable[bytes]], environ: dict[str, Any]) -> None:
        pieces = wsgi(environ, self._start_response)
        try:
            for piece in pieces:
                self._write(piece)
        finally:
            if close := getattr(pieces, "close", None):
                close()

    async def finish(self) -> None:
        """Send what is left, on the loop."""
        await self._flush(more=False)

    def _start_response(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        if exc_info and self._begun:
            raise exc_info[1].with_traceback(exc_info[2])
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self._start = {"type": "http.response.start", "status": int(status[:3]), "headers": encoded}
        return self._write

    def _write(self, piece: bytes) -> None:
        if piece:
            self._chunks.append(piece)
            self._size += len(piece)
        if self._size >= SMALL_BYTES:
            _wait_for(self._flush(more=True), self._loop)

    async def _flush(self, *, more: bool) -> None:
        if not self._begun:
            if self._start is None:
                raise RuntimeError("the WSGI app ended without an answer")
            await self._send(self._start)
            self._begun = True
        body = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks, self._size = [], 0
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


class _Stream(io.RawIOBase):
    """A body that is read from the loop while it arrives."""

    def __init__(self, receive: Receive, loop: asyncio.AbstractEventLoop) -> None:
        self._receive, self._loop = receive, loop
        self._piece = memoryview(b"")
        self._more = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._piece and self._more:
            body, self._more = _wait_for(_received(self._receive), self._loop)
            self._piece = memoryview(body)
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count


def _wait_for(step: Any, loop: asyncio.AbstractEventLoop) -> Any:
    return asyncio.run_coroutine_threadsafe(step, loop).result()


async def _received(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    return message.get("body", b""), message.get("more_body", False)


async def _body(environ: dict[str, Any], receive: Receive, loop: asyncio.AbstractEventLoop) -> Any:
    length = environ.get("CONTENT_LENGTH", "0" if "HTTP_TRANSFER_ENCODING" not in environ else "")
    if not length.isdecimal() or int(length) > SMALL_BYTES:
        return io.BufferedReader(_Stream(receive, loop), SMALL_BYTES)
    return io.BytesIO(await whole_body(receive) if length != "0" else b"")


async def whole_body(receive: Receive) -> bytes:
    """All of a request's body. Raises Gone."""
    body, more = await _received(receive)
    while more:
        piece, more = await _received(receive)
        body += piece
    return body


def _environ(scope: Scope) -> dict[str, Any]:
    """The request as WSGI names it (PEP 3333), as the server itself would."""
    path = unquote_to_bytes(scope["raw_path"]) if scope.get("raw_path") else scope["path"].encode()
    server, client = scope.get("server") or ("localhost", 80), scope.get("client") or ("", 0)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or ""),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
    }
    for name, value in scope["headers"]:
        _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    return environ


def _add_header(environ: dict[str, Any], name: str, value: str) -> None:
    if "_" in name:
        return  # it would pass for the one with hyphens, which a proxy may have set
    key = name.upper().replace("-", "_")
    if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    environ[key] = f"{environ[key]},{value}" if key in environ else value


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
