"""The load generator: many keep-alive connections in one thread, each of which follows a script.

It shares the machine with what it measures, so it does little: one loop over non-blocking sockets, requests that are
ready as bytes, and of an answer it reads status, length and body. That takes 10 to 20 µs a request; an HTTP
library takes several times as much.
"""

from __future__ import annotations

import heapq
import re
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
GRACE_SECONDS = 20.0


class Answer(NamedTuple):
    status: int
    body: bytes


Script = Generator[bytes | float, Answer, None]
"""Yields a request and gets its answer; or yields seconds to pause. Where it ends, its connection closes."""


@dataclass
class Tally:
    """What the scripts of one run count together."""

    done: int = 0
    refused: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, kw_only=True)
class Run:
    """What came of one run. `seconds` and `done` leave out the warm-up; `latencies` are seconds, sorted."""

    done: int
    seconds: float
    server_seconds: float
    own_seconds: float
    latencies: list[float]
    refused: Counter[int]

    @property
    def rate(self) -> float:
        return self.done / self.seconds

    def quantile(self, share: float) -> float:
        """Milliseconds within which this share of the requests was answered."""
        return self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)] * 1000


class _Connection:
    def __init__(self, port: int, script: Script) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.script = script
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def answer(self) -> Answer | None:
        """The answer, when the last part of it is here. Raises ConnectionError where the server has hung up."""
        part = self.socket.recv(262144)
        if not part:
            raise ConnectionError("the server closed a connection")
        self.received += part
        end = self.received.find(b"\r\n\r\n") + 4
        if end < 4:
            return None
        length = LENGTH.search(self.received, 0, end)
        if length is None:
            raise ConnectionError(f"an answer without a length: {self.received[:300]!r}")
        if len(self.received) < end + int(length[1]):
            return None
        answer = Answer(int(self.received[9:12]), self.received[end:])
        self.received = b""
        return answer


class Load:
    """Connections to a server of this machine. `cpu` gives the CPU seconds that the server has used so far."""

    def __init__(self, port: int, tally: Tally, cpu: Callable[[], float] = lambda: 0.0) -> None:
        self._port, self._tally, self._cpu = port, tally, cpu
        self._selector = selectors.DefaultSelector()
        self._pauses: list[tuple[float, int, _Connection]] = []
        self._open: set[_Connection] = set()
        self._busy = 0

    def run(self, scripts: Iterable[Script], seconds: float, *, warm: float = 0.2, leave: bool = False) -> Run:
        """Follow the scripts for so long, after `warm` seconds that do not count.

        At the end each answer that is on its way is waited for; with `leave`, the connections are closed at once.
        """
        for script in scripts:
            self._start(script)
        latencies: list[float] = []
        self._until(time.perf_counter() + warm, [])
        begun = self._look()
        self._until(begun[0] + seconds, latencies)
        ended = self._look()
        self._end(leave=leave, latencies=latencies)
        taken, done, server, own = (after - before for after, before in zip(ended, begun, strict=True))
        return Run(
            done=int(done),
            seconds=taken,
            server_seconds=server,
            own_seconds=own,
            latencies=sorted(latencies) or [0.0],
            refused=self._tally.refused,
        )

    def _look(self) -> tuple[float, float, float, float]:
        return time.perf_counter(), self._tally.done, self._cpu(), time.process_time()

    def _start(self, script: Script) -> None:
        connection = _Connection(self._port, script)
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        self._open.add(connection)
        self._go_on(connection, None)

    def _until(self, deadline: float, latencies: list[float], *, goes_on: bool = True) -> None:
        while self._open and (goes_on or self._busy):
            now = time.perf_counter()
            if now >= deadline:
                return
            due = min(deadline, self._pauses[0][0]) if self._pauses and goes_on else deadline
            for key, _ in self._selector.select(max(due - now, 0)):
                connection: _Connection = key.data
                answer = connection.answer()
                if answer is not None:
                    latencies.append(time.perf_counter() - connection.sent_at)
                    self._busy -= 1
                    self._note(answer)
                    self._go_on(connection, answer, goes_on=goes_on)
            while goes_on and self._pauses and self._pauses[0][0] <= time.perf_counter():
                self._go_on(heapq.heappop(self._pauses)[2], None)

    def _note(self, answer: Answer) -> None:
        if answer.status >= 300:
            self._tally.refused[answer.status] += 1

    def _go_on(self, connection: _Connection, answer: Answer | None, *, goes_on: bool = True) -> None:
        try:
            step = next(connection.script) if answer is None else connection.script.send(answer)
        except StopIteration:
            self._close(connection)
            return
        if not goes_on:
            return
        if isinstance(step, bytes):
            self._busy += 1
            connection.send(step)
        else:
            heapq.heappush(self._pauses, (time.perf_counter() + step, id(connection), connection))

    def _close(self, connection: _Connection) -> None:
        self._open.discard(connection)
        self._selector.unregister(connection.socket)
        connection.socket.close()

    def _end(self, *, leave: bool, latencies: list[float]) -> None:
        if not leave:
            self._until(time.perf_counter() + GRACE_SECONDS, latencies, goes_on=False)
            if self._busy:
                raise TimeoutError(f"{self._busy} requests were not answered within {GRACE_SECONDS:.0f} s")
        for connection in list(self._open):
            connection.script.close()
            self._close(connection)
        self._selector.close()
