"""How fast do events reach their receivers, beside the same requests that nobody plans, claims or keeps?"""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import click
from flask import Flask
from rounds import Figures, Plan, in_turns, options
from servers import Database, Site
from sqlalchemy import delete

from bvo import create_app, events, registry, settings
from bvo.database import db, transaction, utcnow
from bvo_webhooks import addresses, sending, signing
from bvo_webhooks.models import Webhook
from bvo_webhooks.service import WebhookService

AT_ONCE = 20
SERVED_SECONDS = 120
NETWORKS = ["127.0.0.0/8"]
TYPE = "machine.created"


@dataclass(frozen=True)
class Receiver:
    """A process that answers 200 to everything; `taken` counts."""

    url: str
    taken: Any


@contextmanager
def receiver() -> Iterator[Receiver]:
    ports: Any = multiprocessing.Queue()
    taken = multiprocessing.Value("q", 0)
    process = multiprocessing.Process(target=_receive, args=(ports, taken), daemon=True)
    process.start()
    yield Receiver(f"http://127.0.0.1:{ports.get(timeout=30)}/", taken)
    process.kill()
    process.join()


def _receive(ports: Any, taken: Any) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        taken.value += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1000)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """Events that a server's worker sends to so many webhooks."""

    app: Flask
    receiver: Receiver
    webhooks: int
    count: int

    def measure(self) -> Figures:
        """From the commit of `count` events until the receiver has them."""
        self._subscribe()
        until = self.receiver.taken.value + self.count * self.webhooks
        with self.app.app_context(), transaction():
            for number in range(self.count):
                happen(number)
        began = time.perf_counter()
        while self.receiver.taken.value < until:
            if time.perf_counter() - began > SERVED_SECONDS:
                raise click.ClickException("The events did not arrive. Is the worker running?")
            time.sleep(0.005)
        return {"rate": self.count * self.webhooks / (time.perf_counter() - began)}

    def _subscribe(self) -> None:
        with self.app.app_context(), transaction() as session:
            session.execute(delete(Webhook))
            settings.write(session, "security", {"webhook_allowed_networks": NETWORKS})
            each = {"url": self.receiver.url, "event_types": [TYPE], "concurrency": AT_ONCE}
            for number in range(self.webhooks):
                registry.current().service(WebhookService).create({"name": f"hook {number}", **each})


def happen(number: int) -> None:
    about = {"entity_type": "machine", "entity_label": "Machine", "entity_id": str(number), "entity_name": f"m{number}"}
    row = {"id": number, "name": f"m{number}", "mode": "runner", "status": "disconnected", "last_seen_at": None}
    events.record(type=TYPE, message="A machine was created.", after=row, **about)


def alone(receiver: Receiver, count: int) -> Figures:
    """The same requests, signed and sent by as many threads."""
    allowed, secret, body = addresses.parse_networks(NETWORKS), signing.new_secret(), b"x" * 700

    def send(number: int) -> None:
        headers = signing.headers(f"event-{number}", utcnow(), body, [secret])
        sending.post(receiver.url, body, headers, allowed)

    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(send, range(count)))
    return {"rate": count / (time.perf_counter() - began)}


def app_of(site: Site, database: Database) -> Flask:
    app = create_app({"BVO_DATABASE_URL": database.url, "BVO_DATA_DIR": site.folder / "data"})
    with app.app_context():
        db.engine.dispose()
    return app


@click.command()
@options(seconds=1)
@click.option("--events", "count", default=1000, show_default=True, type=click.IntRange(10), help="Events of a round.")
def main(plan: Plan, count: int) -> None:
    """Show how many events a server sends to webhooks in a second, beside the same requests without all else.

    The server plans a delivery for each event and webhook, claims it by lease, signs it, sends it to an address that
    was checked, and keeps what was answered. It has one worker, which runs beside the web server.

    \b
    Examples:
      python benchmarks/webhooks.py
      python benchmarks/webhooks.py --database postgresql --events 5000
      python benchmarks/webhooks.py --small --json
    """
    count = 10 if plan.small else count
    report = plan.report(f"Deliveries per second, {AT_ONCE} at once for each webhook")
    with Site() as site, receiver() as taking:
        subjects: dict[str, Callable[[], Figures]] = {"requests alone": partial(alone, taking, count)}
        for kind in plan.databases:
            database = site.database(kind, 1)
            site.serve(database).wait()
            delivered = partial(Delivered, app=app_of(site, database), receiver=taking)
            subjects[f"{kind}: one webhook"] = delivered(webhooks=1, count=count).measure
            subjects[f"{kind}: ten webhooks"] = delivered(webhooks=10, count=max(1, count // 10)).measure
        report.subjects = in_turns(subjects, plan.rounds, "Sending")
        for subject in list(subjects)[1:]:
            report.ratio(f"{subject} / requests alone", subject, "requests alone", 0.1)
    report.show(as_json=plan.as_json)


if __name__ == "__main__":
    main()
