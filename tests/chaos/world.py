"""A whole installation under test: database, server, worker, runners, and the proxies between them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import requests
from sqlalchemy import func, select, update

from bvo.consumers import EventConsumer, HeldEvents
from bvo.event_log import LoggedEvent
from bvo.observers import PAUSE_SECONDS
from bvo_queues.models import Queue
from support.api import zipped
from support.servers import BVO

from .clock import WallClock
from .databases import Database, Tables
from .keeper import Keeper
from .observer import Observer
from .ports import free_port
from .processes import Owned, Server
from .proxy import Proxy
from .queue_work import QUEUES
from .robots import Robot
from .stage import Stage
from .starts import TOLD, Start, starts
from .switch import Switch
from .terms import Terms
from .wire import Wire

SCRIPT = Path(__file__).parent / "script.py"
LISTENING = Path(__file__).parent / "listening"
ADMIN = {"username": "admin", "password": "admin123"}


class World:
    """A context manager: starts everything, ends everything. `links` are the proxies, by the name of who uses them."""

    def __init__(self, stage: Stage, database: Database, terms: Terms) -> None:
        self.stage, self.database, self.terms = stage, database, terms
        self.history = stage.history
        self.tables = Tables(database.url)
        self.starts = stage.folder / "starts"
        self.starts.mkdir()
        self.switch = Switch(stage.folder / "switch", terms.bug, moves=terms.bugs_change)
        self.clock = WallClock(stage.folder / "clock")
        self.runner_switch = Switch(stage.folder / "runner-switch", terms.bug, moves=terms.bugs_change)
        self.server = Server(stage, free_port(), self.variables())
        self.worker = Owned(stage, "worker", (*BVO, "worker"), self.variables())
        self.runners: dict[str, Owned] = {}
        self.links: dict[str, Proxy] = {}
        self.observer = Observer(self)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *ended_by: object) -> None:
        self._open.close()

    def _begin(self) -> None:
        self._store(self.terms)
        for process in (self.server, self.worker):
            self._open.callback(process.stop)
            process.start()
        self.admin = Wire(self.history, self.link("clients").url, "admin", {})
        self.log_in()
        self.process_id = self._a_process()
        self._make_queues()
        self._open.enter_context(self.observer)
        keeper = Keeper(self)
        self._open.callback(keeper.end)
        keeper.start()

    def link(self, name: str) -> Proxy:
        """The proxy through which whoever has this name reaches the server."""
        if name not in self.links:
            self.links[name] = self._open.enter_context(Proxy(int(self.server.url.rpartition(":")[2])))
        return self.links[name]

    def log_in(self) -> None:
        """Get a token for the administrator, past all proxies."""
        answer = requests.post(f"{self.server.url}/api/auth/login", data=ADMIN, timeout=30)
        self.admin.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def operator(self, who: str, link: str = "clients") -> Wire:
        """A client with the administrator's rights, and a name of its own in the log of calls."""
        return Wire(self.history, self.link(link).url, who, self.admin.headers)

    def robot(self, name: str, link: str = "robots", *, legacy: bool = False) -> Robot:
        """A robot that speaks the wire protocol itself. A legacy one sends no leases."""
        made = self.ask("POST", "/api/robots", json={"name": name})
        wire = Wire(self.history, self.link(link).url, name, {"X-Robot-Token": made["api_token"]})
        return Robot(wire, robot_id=made["id"], legacy=legacy)

    def runner(self, name: str) -> Owned:
        """A real `bvo runner`, started."""
        key = self.ask("POST", "/api/machines", json={"name": f"machine-of-{name}"})["machine_key"]
        variables = {
            **self.runner_switch.variables(),
            "BVO_RUNNER_HOME": self.stage.folder / name,
            "BVO_RUNNER_MACHINE_KEY": key,
        }
        command = (*BVO, "runner", "--url", self.link(name).url, "--name", name, "--poll-seconds", "0.1")
        runner = self.runners[name] = Owned(self.stage, name, command, variables)
        self._open.callback(runner.stop)
        runner.start()
        return runner

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """A real runner for a while."""
        if name in self.runners:
            self.runners[name].start()
        else:
            self.runner(name)
        self.plant(self.switch.bug)
        try:
            yield
        finally:
            self.runners[name].stop()

    @contextmanager
    def leases_of(self, seconds: int) -> Iterator[None]:
        """Other leases for a while."""
        before, self.terms = self.terms, replace(self.terms, lease_seconds=seconds)
        self._store(self.terms)
        yield
        self.terms = before
        self._store(before)

    def starts_of(self, job: int) -> list[Start]:
        """The scripts that real runners have started for the job."""
        return [start for start in starts(self) if start.job == job]

    def script_job(self, nonce: str, seconds: float, items: int = 0) -> dict[str, Any]:
        """The parameters of a job for real runners, which takes so long, and works on up to so many queue items."""
        return {"nonce": nonce, "seconds": seconds, "items": items, "starts": str(self.starts)}

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Set something up, past all proxies and the log of calls."""
        response = requests.request(method, self.server.url + path, headers=self.admin.headers, timeout=30, **options)
        assert response.ok, response.text
        return response.json()

    def plant(self, bug: str) -> None:
        """Let all its processes have this bug; none where it is empty."""
        self.switch.turn(bug)
        self.runner_switch.turn(bug)
        runners = [runner for runner in self.runners.values() if not runner.has_ended]
        ids = [runner.process.pid for runner in runners]
        servers = [*self.server.members(), *self.worker.members()]
        self.wait(f"{bug} in the servers", lambda: self.switch.is_followed(servers))
        self.wait(f"{bug} in the runners", lambda: self.runner_switch.is_followed(ids), needs=runners)

    def revive(self) -> None:
        """Start the server again, without any bug, where it has ended: as it does of a bug that it can't have."""
        if self.server.has_ended:
            self.switch.turn("")
            self.runner_switch.turn("")
            self.server.revive()

    def wait(self, what: str, condition: Callable[[], Any], seconds: float = 60, needs: Sequence[Owned] = ()) -> Any:
        """What `condition` returns, as soon as it is true. Without the server, and whom else it `needs`, it fails."""
        deadline = time.monotonic() + seconds
        while not (found := condition()):
            for process in (self.server, *needs):
                process.assert_runs(f"waiting for: {what}")
            assert time.monotonic() < deadline, f"waited {seconds} s in vain for: {what}"
            time.sleep(0.05)
        return found

    def wait_until_told(self) -> None:
        """Until the listener was given all events, or was told so by mistake. It takes longer where it was paused."""
        mine = EventConsumer.name == "emitter:listener"
        newest = select(func.max(LoggedEvent.id)).scalar_subquery()
        behind = select(EventConsumer.id).where(mine, EventConsumer.position < newest)
        held = select(HeldEvents.id).join(EventConsumer).where(mine)
        self.wait("the listener", lambda: not self.tables.ask(behind) and not self.tables.ask(held), 5 * PAUSE_SECONDS)

    def variables(self) -> dict[str, Any]:
        """The environment of server and workers."""
        planted = self.switch.variables()
        return {
            "BVO_DATA_DIR": self.stage.disk.folder / "data",
            "BVO_DATABASE_URL": self.database.url,
            **planted,
            "PYTHONPATH": f"{LISTENING}{os.pathsep}{planted['PYTHONPATH']}",
            "CHAOS_TOLD": self.starts / TOLD,
            **self.clock.variables(),
            "BVO_RUNNER_LANE": "on" if self.terms.lane else "off",
        }

    def _store(self, terms: Terms) -> None:
        names = ("lease_seconds", "heartbeat_seconds", "sweep_seconds")
        self.tables.store_settings("jobs", **{name: getattr(terms, name) for name in names})

    def _a_process(self) -> int:
        upload = {"file": ("chaos_1.0.0.zip", zipped({"main.py": SCRIPT.read_bytes()}))}
        package = self.ask("POST", "/api/packages/upload", files=upload)
        body = {"name": "chaos", "package_id": package["id"], "script_path": "main.py"}
        return int(self.ask("POST", "/api/processes", json=body)["id"])

    def _make_queues(self) -> None:
        for name, retries in QUEUES.items():
            self.ask("POST", "/api/queues", json={"name": name, "max_retries": retries, "retry_delay_seconds": 0})
        self.tables.execute(update(Queue).values(lease_seconds=self.terms.lease_seconds))
