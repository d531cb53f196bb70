"""Real servers, workers and receivers, each of which fails or is killed: every committed event arrives, in order."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from standardwebhooks import Webhook as Verifier

from support.databases import Databases
from support.inbox import Inbox, Received
from support.servers import Server, free_port

HURRIED = Path(__file__).parent / "hurried"
TYPES = "machine.*,queue.*"
ENOUGH = 100
"""Changes, for a run that says something: on a busy machine they take longer."""


class Restless:
    """A receiver that answers 500, late, or not at all, and that is gone now and then."""

    def __init__(self, seed: int) -> None:
        self._random, self._port = random.Random(seed), free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        self.calm = False
        self.received: list[Received] = []
        self._server = self._new()

    def die(self, seconds: float) -> None:
        self.stop()
        time.sleep(seconds)
        self._server = self._new()

    def stop(self) -> None:
        self._server.__exit__()

    def _new(self) -> Inbox:
        server = Inbox(self._answer, self._port)
        server.received = self.received
        return server.__enter__()

    def _answer(self, request: Received) -> int:
        if self.calm:
            return 200
        time.sleep(self._random.choice((0, 0, 0, 0.2)))
        return self._random.choice((200, 200, 200, 204, 500, 503, 302, 0))


@pytest.fixture
def restless() -> Iterator[Restless]:
    running = Restless(seed=6)
    yield running
    running.stop()


def test_every_committed_event_arrives_in_order_whoever_is_killed(
    tmp_path: Path, databases: Databases, restless: Restless
) -> None:
    with Server(
        tmp_path,
        BVO_DATABASE_URL=databases.fresh(),
        PYTHONPATH=os.pathsep.join((str(HURRIED), os.environ.get("PYTHONPATH", ""))),
    ) as server:
        server.log_in()
        server.call("PUT", "/api/settings/security", json={"webhook_allowed_networks": ["127.0.0.0/8"]})
        body = {"name": "restless", "url": restless.url, "event_types": TYPES.split(",")}
        secret = server.call("POST", "/api/webhooks", json=body)["secret"]
        chance = random.Random(8)
        acknowledged: list[str] = []
        load = threading.Thread(target=change, args=(server, random.Random(7), acknowledged))
        load.start()
        while load.is_alive():
            time.sleep(1)
            children = server.children()
            if len(children) > 1:  # who was killed is back: else a slow machine would do nothing but begin again
                with contextlib.suppress(psutil.NoSuchProcess):
                    chance.choice(children).kill()
            restless.die(0.5)
        server.kill()
        server.start()
        server.log_in()
        restless.calm = True
        logged = wait_until_told(server, restless, len(acknowledged))

    taken = [request for request in restless.received if 200 <= request.status < 300]
    assert len(logged) == len({event["id"] for event in logged})
    assert len(acknowledged) > ENOUGH
    assert {request.event["id"] for request in taken} == {event["id"] for event in logged}
    assert first_arrivals(taken) == by_subject(logged)
    for request in restless.received:
        assert Verifier(secret).verify(request.body, request.headers)


def change(server: Server, chance: random.Random, acknowledged: list[str]) -> None:
    """Make machines and queues and rename queues, for 8 s, or until it is enough; some of it is refused."""
    session = requests.Session()
    session.headers.update(server.session.headers)
    begun = time.monotonic()
    queues: list[int] = []
    number = 0
    while (spent := time.monotonic() - begun) < 8 or (len(acknowledged) <= ENOUGH and spent < 120):
        number += 1
        with contextlib.suppress(requests.ConnectionError):  # its web worker was killed
            answer = one(session, server.url, queues, number, chance)
            acknowledged += [answer.text] if answer.ok else []


def one(
    session: requests.Session, url: str, queues: list[int], number: int, chance: random.Random
) -> requests.Response:
    """One change; of two with the same name the second is refused."""
    name = f"thing {number - chance.choice((0, 0, 0, 1))}"
    if chance.random() < 0.3 or not queues:
        answer = session.post(f"{url}/api/queues", json={"name": name}, timeout=30)
        queues += [answer.json()["id"]] if answer.ok else []
        return answer
    if chance.random() < 0.6:
        return session.put(f"{url}/api/queues/{chance.choice(queues)}", json={"name": f"{name}!"}, timeout=30)
    return session.post(f"{url}/api/machines", json={"name": name, "mode": "agent"}, timeout=30)


def every_event(server: Server) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after, more = "0", True
    while more:
        answer = server.call("GET", f"/api/events?types={TYPES}&after={after}&page_size=200")
        found, after, more = found + answer["events"], answer["next"], answer["more"]
    return found


def wait_until_told(server: Server, restless: Restless, acknowledged: int) -> list[dict[str, Any]]:
    """All events, once there is one for each change that was acknowledged, and all of them were taken."""
    deadline = time.monotonic() + 180
    while True:
        logged = every_event(server)
        taken = {request.event["id"] for request in restless.received if 200 <= request.status < 300}
        missing = {event["id"] for event in logged} - taken
        if len(logged) >= acknowledged and not missing:
            return logged
        words = f"{acknowledged} changes, {len(logged)} events, of which {len(missing)} did not arrive"
        assert time.monotonic() < deadline, words
        time.sleep(0.2)


def first_arrivals(taken: list[Received]) -> dict[str, list[str]]:
    """The ids of events by what they are about, in the order in which each was taken first."""
    return by_subject([request.event for request in taken])


def by_subject(told: list[dict[str, Any]]) -> dict[str, list[str]]:
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for event in told:
        found[event["subject"]].setdefault(event["id"])
    return {subject: list(ids) for subject, ids in found.items()}
