"""The app as `bvo serve` runs it, inside this process: on an event loop, behind what plugins put ahead of Flask."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from flask import Flask

from bvo import asgi


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    """A context manager that serves; `request` may be called from any thread, and `begin` does not wait."""

    def __init__(self, app: Flask) -> None:
        self.app: Any = asgi.application(app, 2)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="served")

    def __enter__(self) -> Self:
        self._thread.start()
        self._events: asyncio.Queue[Any] = asyncio.Queue()
        self._passed: asyncio.Queue[Any] = asyncio.Queue()
        self._life = asyncio.run_coroutine_threadsafe(
            self.app({"type": "lifespan"}, self._events.get, self._passed.put), self.loop
        )
        self._step("startup")
        return self

    def __exit__(self, *ended_by: object) -> None:
        self._step("shutdown")
        self._life.result(10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def request(self, path: str, body: Any, headers: Mapping[str, str], **scope: Any) -> Answer:
        return self.begin(path, body, headers, **scope).result(20)

    def begin(self, path: str, body: Any, headers: Mapping[str, str], gone: Any = None, **scope: Any) -> Any:
        """The future answer. `gone` is an asyncio.Event of the loop: when it is set, the client has gone."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"content-type": "application/json", "content-length": str(len(content)), **headers}
        encoded = [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items() if value]
        full = {
            "type": "http",
            "method": "POST",
            "http_version": "1.1",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": encoded,
            "client": ("127.0.0.1", 50000),
            "server": ("127.0.0.1", 8000),
            **scope,
        }
        return asyncio.run_coroutine_threadsafe(self._request(full, content, gone), self.loop)

    async def _request(self, scope: dict[str, Any], content: bytes, gone: asyncio.Event | None) -> Answer:
        unread, sent = [{"type": "http.request", "body": content, "more_body": False}], []

        async def receive() -> Any:
            if unread:
                return unread.pop()
            await (gone or asyncio.Event()).wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await self.app(scope, receive, send)
        if not sent:
            return Answer(0, {}, b"")
        headers = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:]))

    def run(self, function: Any) -> Any:
        """What it returns on the loop."""

        async def called() -> Any:
            return function()

        return asyncio.run_coroutine_threadsafe(called(), self.loop).result(10)

    def _step(self, name: str) -> None:
        self.loop.call_soon_threadsafe(self._events.put_nowait, {"type": f"lifespan.{name}"})
        assert name == "shutdown" or not self._life.done(), self._life.exception()
        message = asyncio.run_coroutine_threadsafe(self._passed.get(), self.loop).result(10)
        assert message == {"type": f"lifespan.{name}.complete"}
