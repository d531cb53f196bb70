"""The consumer of events.md, on the stream of a real server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import missing
from docs.markdown import ROOT, blocks
from support.redis_server import RedisServer
from support.servers import Server

(PROGRAM,) = (block.text for block in blocks(ROOT / "docs" / "events.md") if block.notes.get("file") == "consumer.py")
STREAM, GROUP, CONSUMER = "bvo:events", "tickets", "tickets-1"


def test_it_does_what_each_event_asks_for_and_once(tmp_path: Path) -> None:
    if not RedisServer.available():
        missing("Redis: install redis-server")
    with RedisServer(tmp_path / "redis") as redis:
        with Server(tmp_path, BVO_REDIS_STREAM_URL=redis.url) as server:
            server.log_in()
            for name in ("one", "two", "three"):
                server.call("POST", "/api/queues", json={"name": name})
            wait(lambda: len(redis.ids()) == 4)
        redis.client.xgroup_create(STREAM, GROUP, id="0")
        ((_, given),) = redis.client.xreadgroup(GROUP, CONSUMER, {STREAM: ">"}, count=2)
        redis.client.xdel(STREAM, given[0][0])  # the login is gone, "one" was given, and is not acknowledged
        redis.client.xadd(STREAM, given[1][1])  # it comes twice
        for new in ("", "four"):
            with consuming(tmp_path, redis.url) as printed:
                if new:
                    fields = redis.entries()[0]
                    redis.client.xadd(STREAM, {**fields, "id": new, "event": fields["event"].replace("one", new)})
                wait(lambda: all_done(redis))
                lines = printed()
            assert [line.split('"')[1] for line in lines] == (["one", "two", "three"] if not new else [new])


def all_done(redis: RedisServer) -> bool:
    (group,) = redis.client.xinfo_groups(STREAM)
    (last,) = redis.client.xrevrange(STREAM, count=1)
    return bool(group["last-delivered-id"] == last[0] and group["pending"] == 0)


@contextmanager
def consuming(folder: Path, url: str) -> Iterator[Callable[[], list[str]]]:
    """While the program runs; gives what it has printed."""
    path = folder / "printed"
    with path.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env={**os.environ, "REDIS_URL": url}, stdout=output, stderr=output
        )
    try:
        yield lambda: path.read_text("utf-8").splitlines()
    finally:
        process.kill()
        process.wait(30)


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
