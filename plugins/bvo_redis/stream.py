"""The stream: one entry for each event."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from bvo import event_json, settings
from bvo_events.service import as_told
from bvo_hookspecs import Event

TIMEOUT_SECONDS = 2
"""To connect, and for each answer. Together they are less than an observer's 5 s."""
REST = 10
"""After a failure the server is left alone for so many times as long as that took. What is sent to one that hangs may
be in the stream when it goes on, as often as it was sent; and a worker that is to stop waits for one answer, not five.
"""


class StreamFailed(Exception):
    """The events were not added, or nobody knows; says why, without the password."""


class Stream:
    """A stream of one server, which keeps about `length` entries. `server` is as redis-py wants it."""

    def __init__(self, server: Mapping[str, Any], name: str, length: int) -> None:
        self._client = Redis(
            **server,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),  # the worker tries again
            protocol=2,  # that of every server and proxy; nothing here needs more
        )
        self._host, self._password = server["host"], server["password"]
        self._name, self._length = name, length
        self._rests_until, self._failure = 0.0, ""

    def add(self, events: Sequence[Event]) -> None:
        """Add all of the events or none, as one transaction of the server. Raises StreamFailed."""
        started = time.monotonic()
        if started < self._rests_until:
            raise StreamFailed(f"{self._host} is left alone for some seconds after this: {self._failure}")
        entries = _entries(events)
        try:
            self._send(entries)
        except (RedisError, OSError) as error:
            self.close()  # the next connection may lead to another server, which has taken over
            self._rests_until = time.monotonic() + REST * (time.monotonic() - started)
            self._failure = self._told(error)
            raise StreamFailed(f"{self._host}: {self._failure}") from None  # the library's own text may hold more

    def close(self) -> None:
        """End the connection. The next event makes another one."""
        self._client.close()

    def _send(self, entries: Sequence[dict[Any, Any]]) -> None:
        with self._client.pipeline(transaction=True) as pipeline:
            for entry in entries:
                pipeline.xadd(self._name, entry, maxlen=self._length, approximate=True)
            pipeline.execute()

    def _told(self, error: Exception) -> str:
        """The server's words: the library puts a part of the command ahead, and the command may be what it refuses."""
        reason = str(error).rpartition("caused error: ")[2]
        return reason.replace(self._password, "***") if self._password else reason


def _entries(events: Sequence[Event]) -> list[dict[Any, Any]]:
    ours, entries = settings.public_url(), []
    for event in events:
        told = as_told(event, ours)
        shown = {name: told[name] for name in ("id", "type", "subject")}
        entries.append({**shown, "event": event_json.line(told)})
    return entries
