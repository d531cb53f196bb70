"""What the watchdog of a plugin's worker process sees, and which plugins have such a process."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from marshmallow import Schema
from sqlalchemy import create_engine, text

from bvo import isolation
from bvo.database import db, transaction
from bvo.isolation import Watchdog
from bvo.observers import Observers
from bvo.worker import Worker
from bvo_hookspecs import AlertCondition, AuditSink, PeriodicTask, PluginInfo, WebhookEmitter
from support.plugins import Site

ACME = PluginInfo(name="acme", summary="")


def nothing(*_: object) -> None: ...


@pytest.fixture
def watched(app_context: Flask, monkeypatch: pytest.MonkeyPatch) -> tuple[Watchdog, Observers]:
    monkeypatch.setattr(isolation, "LOCK_SECONDS", 0.2)
    observers = Observers()
    return Watchdog("acme", observers), observers


def within(seconds: float, holds: Callable[[], object]) -> bool:
    deadline = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(found)


def test_each_plugin_that_is_not_built_in_and_does_something_has_a_process(
    site: Site, sqlite_app: Callable[..., Flask]
) -> None:
    site.plug("b", periodic_tasks=[PeriodicTask(name="work", every=timedelta(hours=1), run=nothing)])
    site.plug("a", audit_sinks=[AuditSink(name="a", write=nothing)], webhook_emitters=[])
    site.plug("c", webhook_emitters=[WebhookEmitter(name="c", deliver=nothing)])
    condition = AlertCondition(name="leak", label="Leak", help="Water.", parameters=Schema, find=lambda *_: ())
    site.plug("d", alert_conditions=[condition])
    site.plug("idle")
    with sqlite_app().app_context():
        shared, others = isolation.divided()
    assert others == ["a", "b", "c", "d"]
    assert {"core", "webhooks", "jobs"} <= shared


def test_a_task_that_calls_what_others_give_runs_beside_each_of_them(
    site: Site, sqlite_app: Callable[..., Flask]
) -> None:
    served: list[tuple[bool, bool]] = []

    def ask() -> None:
        served.append((isolation.serves("a"), isolation.serves("b")))

    task = PeriodicTask(name="ask", every=timedelta(hours=1), run=ask, calls=AuditSink)
    site.plug("asking", periodic_tasks=[task])
    for name in ("a", "b"):
        site.plug(name, audit_sinks=[AuditSink(name=name, write=nothing)])
    app = sqlite_app()
    for plugins in ({"a"}, {"b"}, {"asking"}, {"jobs"}, None):
        Worker(app, plugins)._run_due()
    assert served == [(True, False), (False, True), (False, False), (True, True)]


def test_all_is_well_where_calls_come_back(watched: tuple[Watchdog, Observers]) -> None:
    watchdog, observers = watched
    assert observers.call(ACME, "quick", watchdog._reason) == ""
    assert watchdog._reason() == ""


def test_a_batch_that_does_not_come_back_is_a_reason_and_a_task_has_more_time(
    watched: tuple[Watchdog, Observers], monkeypatch: pytest.MonkeyPatch
) -> None:
    watchdog, observers = watched
    monkeypatch.setattr(isolation, "CALL_SECONDS", 0.0)
    assert observers.call(ACME, "task", watchdog._reason) == "", "tasks run in the main thread"
    inside, released = threading.Event(), threading.Event()

    def hang() -> None:
        inside.set()
        released.wait(20)

    hanging = threading.Thread(target=observers.call, args=(ACME, "sink:slow", hang))
    hanging.start()
    assert inside.wait(10)
    assert "sink:slow has not come back for" in watchdog._reason()
    released.set()
    hanging.join()
    assert watchdog._reason() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells whose locks there are")
def test_what_this_process_has_locked_for_long_while_others_wait_is_a_reason(
    watched: tuple[Watchdog, Observers],
) -> None:
    watchdog, _ = watched
    with transaction() as session:
        session.execute(text("UPDATE settings SET name = name"))
        session.execute(text("LOCK TABLE settings") if db.engine.dialect.name == "postgresql" else text("SELECT 1"))
        other = threading.Thread(target=write_elsewhere, args=(db.engine.url.render_as_string(hide_password=False),))
        other.start()
        assert within(10, watchdog._reason)
    other.join()
    assert within(10, lambda: not watchdog._reason())


def write_elsewhere(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM settings WHERE name = 'nothing'"))
    engine.dispose()


def test_what_others_have_locked_is_no_reason(watched: tuple[Watchdog, Observers]) -> None:
    watchdog, _ = watched
    locking = (
        "import sys, sqlalchemy as s\n"
        "engine = s.create_engine(sys.argv[1])\n"
        "with engine.connect() as c:\n"
        "    c.execute(s.text('DELETE FROM settings')); print('locked', flush=True); sys.stdin.read()\n"
    )
    url = db.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", locking, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "locked\n"
        until = time.monotonic() + 1
        while time.monotonic() < until:
            assert watchdog._reason() == ""
            time.sleep(0.05)


def test_a_process_that_hangs_ends_with_its_stacks_and_one_that_lets_no_thread_run_too(tmp_path: Path) -> None:
    program = (
        "import re, sys, time\nfrom bvo import create_app, isolation, migrations\n"
        "from bvo.observers import Observers\nfrom bvo_hookspecs import PluginInfo\nimport threading\n"
        "isolation.CALL_SECONDS, isolation.FROZEN_SECONDS = float(sys.argv[2]), float(sys.argv[3])\n"
        "app, observers = create_app(), Observers()\n"
        "with app.app_context():\n    isolation.Watchdog('acme', observers).start()\n"
        "ways = {'sleeps': lambda: time.sleep(60), 'searches': lambda: re.match('(a+)+$', 'a' * 64 + 'b')}\n"
        "acme = PluginInfo(name='acme', summary='')\n"
        "threading.Thread(target=observers.call, args=(acme, 'sink:slow', ways[sys.argv[1]])).start()\n"
        "time.sleep(60)\n"
    )
    for how, told, limits in (
        ("sleeps", "sink:slow has not come back", ("0.5", "60")),
        ("searches", "Timeout", ("60", "2")),
    ):
        ended = subprocess.run(
            [sys.executable, "-c", program, how, *limits],
            env={**os.environ, "BVO_DATA_DIR": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert ended.returncode == 1, ended.stderr
        assert told in ended.stderr
        assert "most recent call first" in ended.stderr
