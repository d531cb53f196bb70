"""One thread that works for the lane: it takes all requests that wait, and commits them together.

The commit is what takes long, and one is enough for all. Nothing is answered before it. Where a batch fails, each
request is tried alone; what fails alone, goes through Flask, which says why.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from flask import Flask

from bvo import events, registry
from bvo.database import db, writing
from bvo.statements import Connection
from bvo_jobs.asks import NOT_PLAIN, BeatAsk, ClaimAsk, Look, NotPlain, ResultAsk
from bvo_jobs.hot import Batch, Crowded, HotJobs

log = logging.getLogger(__name__)

LARGEST = 64
GATHER_SECONDS = 0.003
"""A busy server waits so long for as many requests as it has just answered: they come at about the same time, and one
commit does for all of them.
"""
SETTINGS = {"lock_timeout": "500", "plan_cache_mode": "force_generic_plan"}
"""Of the connection to PostgreSQL. A batch waits no longer for a row that somebody else has locked: others wait, too.
And each statement is planned once: to plan a claim takes longer than the claim, and PostgreSQL would plan each one.
"""

TRIES = 3
"""So often a batch is tried as it is where others take the last places of processes: they are seen to be taken then."""


class Mixed(Exception):
    """A result was accepted whose claim is not plain: Flask does both, in one transaction."""


Done = Callable[[list[tuple["Request", Any]]], None]


class Request:
    """A result, a beat or a claim, or a result with the claim of the next job; `settle` gets what comes of it."""

    __slots__ = ("asks", "settle")

    def __init__(self, *asks: Any, settle: Callable[[Any], None]) -> None:
        self.asks = asks
        self.settle = settle


class Batcher:
    """`done` gets each batch after its commit, in this thread: the results of each request's asks, or NOT_PLAIN."""

    def __init__(self, app: Flask, done: Done) -> None:
        self._app, self._done = app, done
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        with app.app_context():
            self.engine = db.engine
            self.hot = HotJobs(registry.current(), self.engine.dialect)
            self._known = registry.current()
        self._connection: Connection | None = None
        self._expected = 0
        self._thread = threading.Thread(target=self._run, name="lane", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after what waits now."""
        self._queue.put(None)
        self._thread.join(5)

    def put(self, request: Request) -> None:
        self._queue.put(request)

    def _run(self) -> None:
        while batch := self._gathered():
            self._done(self._answered(batch))
            self._expected = len(batch)
        self._disconnect()

    def _gathered(self) -> list[Request]:
        """The next batch; empty at the end."""
        batch: list[Request] = []
        following = self._queue.get()
        until = time.monotonic() + GATHER_SECONDS
        while following is not None:
            batch.append(following)
            if len(batch) == LARGEST:
                return batch
            try:
                seconds = until - time.monotonic() if len(batch) < self._expected else 0
                following = self._queue.get(timeout=max(seconds, 0))
            except Empty:
                return batch
        if batch:
            self._queue.put(None)  # for the next time
        return batch

    def _answered(self, requests: Sequence[Request]) -> list[tuple[Request, Any]]:
        for _ in range(TRIES):
            try:
                return self._commit(requests)
            except Crowded as error:
                self._recover(error)
            except Exception as error:
                self._recover(error)
                break
        if len(requests) == 1:
            return [(requests[0], [NOT_PLAIN])]
        return [pair for request in requests for pair in self._answered([request])]

    def _commit(self, requests: Sequence[Request]) -> list[tuple[Request, Any]]:
        connection = self._connected()
        with writing(self.engine):
            batch = self.hot.begin(connection, [ask for request in requests for ask in request.asks])
            results = _results(self.hot, batch, requests)
            self.hot.end(batch)
        self._announce(batch)
        return list(zip(requests, results, strict=True))

    def _announce(self, batch: Batch) -> None:
        if batch.events and events.committed.has_receivers_for(self._known):
            with self._app.app_context():
                for event in batch.events:
                    events.announce(event)

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self.engine)
            if self._connection.pipelined:
                for name, value in SETTINGS.items():
                    self._connection.driver.execute(f"SET {name} = {value}")
                self._connection.commit()
        return self._connection

    def _recover(self, error: Exception) -> None:
        """Undo what the batch has done. A connection that can't do even this is broken: the next batch opens one."""
        log.info("A batch of the lane is undone, and tried again or in parts: %r", error)
        try:
            if self._connection:
                self._connection.rollback()
        except Exception:
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        try:
            if connection:
                connection.close()
        except Exception as error:
            log.debug("The connection of the lane did not close: %r", error)


def _results(hot: HotJobs, batch: Batch, requests: Sequence[Request]) -> list[list[Any]]:
    """What comes of each ask, by kind: what ends jobs before what takes new ones.

    Of a result with a claim both are done, or none; raises Mixed where that is seen too late.
    """
    results: list[list[Any]] = [[None] * len(request.asks) for request in requests]
    both = [i for i, request in enumerate(requests) if len(request.asks) > 1]
    steps: tuple[tuple[type, Callable[[Batch, Any], Sequence[Any]]], ...] = (
        (ResultAsk, hot.finish),
        (BeatAsk, hot.beat),
        (ClaimAsk, hot.claim),
        (Look, hot.look),
    )
    for kind, work in steps:
        places = [
            (i, j)
            for i, request in enumerate(requests)
            for j, ask in enumerate(request.asks)
            if isinstance(ask, kind) and not isinstance(results[i][0], NotPlain)
        ]
        asks = [requests[i].asks[j] for i, j in places]
        for (i, j), result in zip(places, work(batch, asks) if asks else (), strict=True):
            results[i][j] = result
    if any(isinstance(results[i][1], NotPlain) for i in both):
        raise Mixed
    return results
