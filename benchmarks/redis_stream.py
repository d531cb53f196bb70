"""How fast do events get into a Redis stream, beside the same entries that a loop adds?"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import redis
from flask import Flask
from postgres import free_port
from rounds import Figures, Plan, in_turns, options
from servers import START_SECONDS, Site

from bvo.database import transaction
from bvo_redis.configuration import BATCH, LENGTH
from webhooks import app_of, happen

STREAM, ALONE = "bvo:events", "alone"
SERVED_SECONDS = 120


@contextmanager
def broker(folder: Path) -> Iterator[Any]:
    """A client of a Redis that writes what it takes to its disk each second, as it comes."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes"]
    try:
        process = subprocess.Popen([*command, "--save", ""], stdout=subprocess.DEVNULL)
    except FileNotFoundError:
        raise click.ClickException("There is no redis-server (Debian: apt install redis-server).") from None
    try:
        with redis.Redis(port=port) as client:
            _await(lambda: _answers(client), START_SECONDS, "Redis does not answer.")
            yield client
    finally:
        process.kill()
        process.wait()


def _answers(client: Any) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def _await(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise click.ClickException(otherwise)
        time.sleep(0.005)


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """Events that a server's worker adds to the stream."""

    app: Flask
    client: Any
    count: int

    def measure(self) -> Figures:
        """From the commit of `count` events until the stream has them."""
        self.client.delete(STREAM)
        with self.app.app_context(), transaction():
            for number in range(self.count):
                happen(number)
        began = time.perf_counter()
        has_all = partial(self._has, self.count)
        _await(has_all, SERVED_SECONDS, "The events did not arrive. Is the worker running?")
        return {"rate": self.count / (time.perf_counter() - began)}

    def _has(self, count: int) -> bool:
        return bool(self.client.xlen(STREAM) >= count)


def alone(client: Any, count: int) -> Figures:
    """Entries as long, by transactions of as many."""
    entry = {"id": "x" * 36, "type": "machine.created", "subject": "machine/1", "event": "x" * 450}
    began = time.perf_counter()
    for begin in range(0, count, BATCH):
        with client.pipeline() as pipeline:
            for _ in range(min(BATCH, count - begin)):
                pipeline.xadd(ALONE, entry, maxlen=LENGTH)
            pipeline.execute()
    return {"rate": count / (time.perf_counter() - began)}


@click.command()
@options(seconds=1)
@click.option("--events", "count", default=5000, show_default=True, type=click.IntRange(10), help="Events of a round.")
def main(plan: Plan, count: int) -> None:
    """Show how many events a server adds to a Redis stream in a second, beside the same entries without all else.

    The server reads each event from its log, and keeps how far it got. It has one worker, which runs beside the web
    server and gives webhooks and mails the same events.

    \b
    Examples:
      python benchmarks/redis_stream.py
      python benchmarks/redis_stream.py --database postgresql --events 20000
      python benchmarks/redis_stream.py --small --json
    """
    count = 10 if plan.small else count
    report = plan.report("Entries per second")
    with Site() as site, broker(site.folder) as client:
        subjects: dict[str, Callable[[], Figures]] = {"entries alone": partial(alone, client, count)}
        url = f"redis://localhost:{client.get_connection_kwargs()['port']}"
        for kind in plan.databases:
            database = site.database(kind, 1)
            site.serve(database, BVO_REDIS_STREAM_URL=url).wait()
            subjects[kind] = Delivered(app=app_of(site, database), client=client, count=count).measure
        report.subjects = in_turns(subjects, plan.rounds, "Adding")
    report.show(as_json=plan.as_json)


if __name__ == "__main__":
    main()
