"""A TCP proxy that does to connections what networks do: cut, delay, hold back, lose, reset, slice."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from typing import Any, Self

from .ports import free_port

UP, DOWN = "up", "down"
CUT, RESET, SLOW, HELD, LOST, SLICED = "cut", "reset", "slow", "held", "lost", "sliced"
TOXICS = (CUT, RESET, SLOW, HELD, LOST, SLICED)
"""
cut: connections end, and new ones at once. reset: those that are open get a TCP reset. slow: every piece comes later.
held: what goes one way arrives when the fault is over. lost: it never does, and then the connection is reset.
sliced: bytes come a few at a time.
"""
NO_LINGER = struct.pack("ii", 1, 0)
BLOCK = 64 * 1024


class Proxy:
    """Passes connections on to a port of this machine. A context manager; all methods may be called by any thread."""

    def __init__(self, upstream: int, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._upstream = upstream
        self._toxic, self._way, self._delay = "", UP, 0.0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._healed = self._run(_event())
        self._server = self._run(asyncio.start_server(self._connected, "127.0.0.1", self.port))
        return self

    def __exit__(self, *ended_by: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def poison(self, toxic: str, way: str = UP, delay: float = 0.0) -> None:
        """Begin a fault, which lasts until `heal`. `way` counts for held and lost, `delay` (seconds) for slow."""
        self._call(self._poison, toxic, way, delay)

    def heal(self) -> None:
        """Let everything pass again."""
        self._call(self._heal)

    def _poison(self, toxic: str, way: str, delay: float) -> None:
        self._heal()
        self._toxic, self._way, self._delay = toxic, way, delay
        self._healed.clear()
        if toxic in (CUT, RESET):
            self._abort(reset=toxic == RESET)

    def _heal(self) -> None:
        if self._toxic == LOST:
            self._abort(reset=True)
        self._toxic = ""
        self._healed.set()

    def _abort(self, *, reset: bool) -> None:
        for writer in list(self._writers):
            if reset:
                with contextlib.suppress(OSError):
                    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self._tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        try:
            if self._toxic == CUT:
                return
            upstream = await asyncio.open_connection("127.0.0.1", self._upstream)
            self._writers.add(upstream[1])
            try:
                await asyncio.gather(self._pump(reader, upstream[1], UP), self._pump(upstream[0], writer, DOWN))
            finally:
                self._writers.discard(upstream[1])
                upstream[1].transport.abort()
        except (OSError, asyncio.CancelledError):
            return
        finally:
            self._writers.discard(writer)
            self._tasks.discard(asyncio.current_task())  # type: ignore[arg-type]
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, way: str) -> None:
        while data := await source.read(BLOCK):
            if self._toxic == SLOW:
                await asyncio.sleep(self._delay)
            if self._toxic in (HELD, LOST) and self._way == way:
                lost = self._toxic == LOST
                await self._healed.wait()
                if lost:
                    raise ConnectionResetError
            size = 7 if self._toxic == SLICED else BLOCK
            for start in range(0, len(data), size):
                target.write(data[start : start + size])
                await target.drain()
        raise ConnectionResetError  # one side has ended: so does the other

    async def _close(self) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        async def run() -> None:
            function(*arguments)

        self._run(run())


async def _event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event
