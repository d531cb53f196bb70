"""Fixtures for the API: what the app keeps, and a robot at work."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from support.api import Api
from support.state import State
from support.work import Work


@pytest.fixture
def state(app: Flask, tmp_path: Path) -> State:
    return State(app, tmp_path / "data")


@pytest.fixture
def work(admin: Api) -> Work:
    """A robot that holds a job."""
    return Work(admin)
