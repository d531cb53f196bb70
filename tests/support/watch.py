"""Alerts in tests: what makes conditions hold, and rules that are judged now."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select, update

from bvo.database import db, transaction, utcnow
from bvo.event_log import LoggedEvent
from bvo_alerts import conditions, evaluation
from bvo_alerts.models import AlertRule
from bvo_hookspecs import Finding
from bvo_jobs.models import Job
from bvo_processes.models import Process
from bvo_robots.models import Robot
from support.api import Api

LONG_AGO = datetime.fromisoformat("2020-01-01T00:00:00Z")


def a_rule(api: Api, condition: str = "robot_offline", name: str = "", **parameters: Any) -> dict[str, Any]:
    body = {"name": name or condition, "condition": condition, "parameters": parameters}
    made: dict[str, Any] = api.ok(api.post("/api/alert-rules", body))
    return made


def find(app: Flask, condition: str, since: datetime = LONG_AGO, **parameters: Any) -> list[Finding]:
    """What the condition finds now for a rule with these parameters that watches since then."""
    with app.app_context():
        record = conditions.known()[condition]
        return list(record.find(record.parameters().load(parameters), since))


def judge(app: Flask) -> None:
    """Every active rule, whenever it was judged last."""
    with app.app_context():
        with transaction() as session:
            session.execute(update(AlertRule).values(checked_at=None, updated_at=AlertRule.updated_at))
        evaluation.evaluate()


def ended(app: Flask, process_id: int, status: str, at: datetime | None = None) -> int:
    """A job of the process that ended so; returns its id."""
    with app.app_context(), transaction() as session:
        process = session.get_one(Process, process_id)
        pinned = {"script_path": "main.py", "package_name": "demo", "package_version": "1.0.0", "package_sha256": ""}
        job = Job(process_id=process_id, process_version=1, package_id=process.package_id, **pinned)
        job.status, job.finished_at = status, at or utcnow()
        session.add(job)
        session.flush()
        return job.id


def heard(app: Flask, robot_id: int, at: datetime | None, status: str = "offline") -> None:
    """The robot was heard of last at this time."""
    with app.app_context(), transaction() as session:
        session.execute(update(Robot).where(Robot.id == robot_id).values(last_heartbeat=at, status=status))


def silent(app: Flask, api: Api, name: str = "robot-1") -> dict[str, Any]:
    """A robot that fell silent a day ago."""
    robot, _ = api.a_robot(name)
    heard(app, robot["id"], utcnow() - timedelta(days=1))
    return robot


def an_alert(api: Api) -> None:
    """A rule, and an open alert of it."""
    app = api.client.application
    silent(app, api, "silent")
    a_rule(api)
    judge(app)


def told(app: Flask) -> list[tuple[str, str]]:
    """The events of alerts in their order: what happened, and to what."""
    query = select(LoggedEvent).where(LoggedEvent.type.like("alert.%")).order_by(LoggedEvent.id)
    with app.app_context():
        return [(event.type, event.entity_name) for event in db.session.scalars(query)]


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)
