"""The lane: what runners ask for all the time is answered ahead of Flask, exactly as Flask would.

It answers what goes well, and nothing else. Whatever is not the plain case is passed on to Flask untouched, which is
the only one to refuse anything: so there is one truth, and `BVO_RUNNER_LANE=off` changes nothing but the speed. With
it, `wait_seconds` is waited for: see `waiting`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import HTTPException

from bvo import registry, request_ids, tokens
from bvo.asgi import AsgiApp, Gone, Receive, Scope, Send, when_stopping, whole_body
from bvo.entities.arguments import parser
from bvo.statements import Connection
from bvo.wakeups import Wakeups
from bvo_jobs import execution
from bvo_jobs.asks import BeatAsk, ClaimAsk, Claimed, NotPlain, ResultAsk
from bvo_robots.service import TOKEN_HEADER

from . import schemas, service
from .batches import Batcher, Request
from .waiting import Waiter, Waiting

log = logging.getLogger(__name__)

MAX_BYTES = 256 * 1024
"""A larger body is left to Flask."""

ROUTE = re.compile(r"/api/runner/(?:(next-job)|(heartbeat)|jobs/([1-9][0-9]{0,8})/update)")
FOREIGN = frozenset(
    ("authorization", "cookie", "transfer-encoding", "content-encoding", "expect", "x-http-method-override")
)
"""Headers that make a request anything but plain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A request that the lane may answer. It lives as long as its robot waits, so it is small: no other headers."""

    route: str
    job_id: int | None
    token_hash: str
    ip_address: str | None
    user_agent: str | None
    request_id: str
    key: str | None
    lease: str | None

    @property
    def client(self) -> dict[str, Any]:
        return {"token_hash": self.token_hash, "ip_address": self.ip_address, "user_agent": self.user_agent}


def wrap(app: Flask, inner: AsgiApp) -> AsgiApp:
    """The app with its lane, unless it is switched off."""
    with app.app_context():
        config = registry.current().config
    return Lane(app, inner, config.proxy_hops) if config.runner_lane else inner


class Lane:
    """An ASGI app in front of another one."""

    def __init__(self, app: Flask, inner: AsgiApp, proxy_hops: int) -> None:
        self._app, self._inner, self._proxy_hops = app, inner, proxy_hops
        self._schemas: dict[str, Schema] = {
            "next-job": schemas.NextJobIn(),
            "heartbeat": schemas.HeartbeatIn(),
            "update": schemas.UpdateIn(),
        }
        self._batcher = Batcher(app, self._done)
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self._live(scope, receive, send)
        plain = _plain(scope, self._proxy_hops) if self._loop else None
        if plain is None:
            return await self._inner(scope, receive, send)
        try:
            body = await whole_body(receive)
        except Gone:
            return None
        asked = self._asks(plain, body)
        if asked is None:
            return await self._inner(scope, _again(body, receive), send)
        asks, seconds = asked
        results = await (self._wait(asks[0], seconds, receive) if seconds else self._work(asks))
        if results is None:
            return None
        if any(isinstance(result, NotPlain) for result in results):
            return await self._inner(scope, _again(body, receive), send)
        return await _send(send, plain, _told(asks, results))

    async def _work(self, asks: tuple[Any, ...]) -> list[Any]:
        future: asyncio.Future[list[Any]] = asyncio.get_running_loop().create_future()
        self._batcher.put(Request(*asks, settle=future.set_result))
        return await future

    async def _wait(self, ask: ClaimAsk, seconds: int, receive: Receive) -> list[Any] | None:
        """What comes of a claim that may wait; None where the client has gone, which then gets no job."""
        waiter = Waiter(ask, asyncio.get_running_loop().create_future())
        self._waiting.add(waiter, seconds)
        gone = asyncio.ensure_future(receive())
        gone.add_done_callback(lambda _: self._waiting.remove(waiter))
        result = await waiter.answer
        if gone.done():
            return None
        gone.cancel()
        return [result]

    def _put(self, ask: Any, settle: Callable[[Any], None]) -> None:
        self._batcher.put(Request(ask, settle=lambda results: settle(results[0])))

    def _done(self, answered: list[tuple[Request, Any]]) -> None:
        if self._loop:
            _call(self._loop, _settle, answered)

    def _asks(self, plain: Plain, body: bytes) -> tuple[tuple[Any, ...], int] | None:
        """What is asked for, and how long it may wait; None where Flask would refuse it."""
        schema = self._schemas[plain.route]
        try:
            given = parser.pre_load(json.loads(body), schema=schema, req=None, location="json")  # type: ignore[arg-type]
            data = schema.load(given)
            asks = ASKS[plain.route](plain, data)
            return None if asks is None else (asks, data.get("wait_seconds", 0))
        except (ValueError, RecursionError, ValidationError, HTTPException):
            return None

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = Connection(self._batcher.engine) if self._batcher.engine.dialect.name == "sqlite" else None
        self._waiting = Waiting(loop, self._put, self._version if self._connection else None)
        self._wakeups = Wakeups(self._app, self._batcher.engine, lambda hint: _call(loop, self._waiting.heard, hint))
        when_stopping(loop, self._waiting.stop)
        self._batcher.start()
        self._loop = loop

    async def _stop(self) -> None:
        self._waiting.stop()
        await asyncio.to_thread(self._wakeups.stop)
        await asyncio.to_thread(self._batcher.stop)
        if self._connection:
            self._connection.close()

    def _version(self) -> Any:
        """What changes on SQLite as soon as anybody has written; to ask for it takes some microseconds."""
        return self._connection and self._connection.driver.execute("PRAGMA data_version").fetchone()

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def heard() -> Any:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._start(asyncio.get_running_loop())
            else:
                await self._stop()
            return message

        await self._inner(scope, heard, send)


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[[Any], None], argument: Any) -> None:
    with contextlib.suppress(RuntimeError):  # the loop has ended, and nobody waits
        loop.call_soon_threadsafe(callback, argument)


def _plain(scope: Scope, proxy_hops: int) -> Plain | None:
    """What the lane needs of a request; None where there is anything unusual about it."""
    if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"]:
        return None
    route = ROUTE.fullmatch(scope["path"])
    if route is None:
        return None
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    headers = dict(pairs)
    length = headers.get("content-length", "")
    if len(headers) != len(pairs) or not FOREIGN.isdisjoint(headers) or not headers.get(TOKEN_HEADER.lower()):
        return None
    if headers.get("content-type") not in ("application/json", "application/json; charset=utf-8"):
        return None
    if not (length.isdecimal() and 0 < int(length) <= MAX_BYTES):
        return None
    return Plain(
        route=route[1] or route[2] or "update",
        job_id=int(route[3]) if route[3] else None,
        token_hash=tokens.digest(headers[TOKEN_HEADER.lower()]),
        ip_address=_address(scope, headers, proxy_hops),
        user_agent=headers.get("user-agent") or None,
        request_id=headers.get(request_ids.HEADER.lower(), ""),
        key=headers.get("idempotency-key"),
        lease=headers.get(execution.LEASE_HEADER.lower()),
    )


def _address(scope: Scope, headers: Mapping[str, str], proxy_hops: int) -> str | None:
    """The client's, as the outermost proxy that is trusted has seen it."""
    named = [part.strip() for part in headers.get("x-forwarded-for", "").split(",")]
    if proxy_hops and len(named) >= proxy_hops and named[-proxy_hops]:
        return named[-proxy_hops]
    return (scope.get("client") or (None,))[0]


def _claim(plain: Plain, data: Mapping[str, Any]) -> tuple[ClaimAsk]:
    return (ClaimAsk(**plain.client, robot_id=data.get("robot_id"), confirms=data["confirms"], key=plain.key),)


def _beat(plain: Plain, data: Mapping[str, Any]) -> tuple[Any, ...] | None:
    if data.get("leases") is None:
        return None  # an older runner's
    leases = {lease["job_id"]: lease["lease_token"] for lease in data["leases"]}
    robot, info = data.get("robot_id"), data.get("machine_info")
    return (BeatAsk(**plain.client, robot_id=robot, machine_info=info, leases=leases),)


def _result(plain: Plain, data: dict[str, Any]) -> tuple[Any, ...]:
    lease = plain.lease or data.pop("lease_token", None)
    data.pop("lease_token", None)
    claims = _claim(plain, data.pop("next")) if "next" in data else ()
    return (ResultAsk(**plain.client, job_id=plain.job_id or 0, lease_token=lease, outcome=data), *claims)


ASKS: dict[str, Callable[[Plain, Any], tuple[Any, ...] | None]] = {
    "next-job": _claim,
    "heartbeat": _beat,
    "update": _result,
}


def _told(asks: tuple[Any, ...], results: list[Any]) -> dict[str, Any]:
    """The answer to a request whose every ask went well."""
    answer: dict[str, Any] = {}
    for ask, result in zip(asks, results, strict=True):
        if isinstance(ask, ClaimAsk):
            answer |= service.told(result if isinstance(result, Claimed) else None)
        elif isinstance(ask, BeatAsk):
            answer |= service.told_of_leases(dict.fromkeys(ask.leases, "valid"), result.settings)
        else:
            answer |= {"status": "ok"}
    return answer


def _settle(answered: list[tuple[Request, Any]]) -> None:
    for request, results in answered:
        request.settle(results)


def _again(body: bytes, receive: Receive) -> Receive:
    """`receive` for who has not heard the body."""
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def heard() -> Any:
        return unread.pop() if unread else await receive()

    return heard


async def _send(send: Send, plain: Plain, answer: Mapping[str, Any]) -> None:
    """As Flask sends it."""
    body = json.dumps(answer, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    name = plain.request_id if request_ids.ACCEPTED.fullmatch(plain.request_id) else str(uuid.uuid4())
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-content-type-options", b"nosniff"),
        (b"x-request-id", name.encode()),
    ]
    log.debug("POST %s: 200", plain.route)
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
