"""Fixtures for pages: a browser without scripts, and records of one more plugin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from bvo import registry
from support.pages import Browser


@pytest.fixture
def visitor(app: Flask) -> Browser:
    """With cookies of its own: who calls the API in a test is not signed in by it."""
    return Browser(app.test_client())


@pytest.fixture
def signed_in(visitor: Browser) -> Browser:
    visitor.log_in()
    return visitor


@pytest.fixture
def contribute(app: Flask) -> Callable[[Any], None]:
    """Adds a record to the running app, as one more plugin would."""

    def add(record: Any) -> None:
        contributed: registry.Registry = app.extensions["bvo"]
        plugin = next(iter(contributed.plugins))
        contributed.records.setdefault(type(record), {})[record.name] = [(plugin, record)]

    return add
