"""Fixtures: a condition of a third party, and time that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema, fields

import bvo_jobs.alerts
import bvo_queues.alerts
import bvo_robots.alerts
from bvo import registry
from bvo_hookspecs import AlertCondition, Finding

Find = Callable[[], Iterable[Any]]


class LeakIn(Schema):
    room = fields.String(load_default="")


class Leaks:
    """A condition that holds for the subjects in `at`, or does what `find` does."""

    def __init__(self) -> None:
        self.at: list[str] = []
        self.find: Find | None = None

    def __call__(self, parameters: Mapping[str, Any], since: datetime) -> Iterable[Any]:
        if self.find:
            yield from self.find()
        for subject in self.at:
            yield Finding(subject=subject, name=subject.title(), message=f"{subject} leaks.")


@pytest.fixture
def leaks(app: Flask) -> Iterator[Leaks]:
    """What the condition `leak` finds, which one more plugin has while the test runs."""
    leaks, known = Leaks(), app.extensions["bvo"]
    record = AlertCondition(name="leak", label="Leak", help="Water.", parameters=LeakIn, find=leaks)
    conditions = known.records[AlertCondition]
    conditions["leak"] = [(_plugin(known), record)]
    yield leaks
    conditions.pop("leak", None)


def _plugin(known: registry.Registry) -> Any:
    return next(plugin for plugin in known.plugins if plugin.name == "machines")


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """Sets the time that the conditions of the built-in plugins have."""

    def stand_still(at: datetime) -> None:
        for module in (bvo_jobs.alerts, bvo_queues.alerts, bvo_robots.alerts):
            monkeypatch.setattr(module, "utcnow", lambda: at)

    return stand_still
