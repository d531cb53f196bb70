"""Fixtures for the API: a robot at work."""

from __future__ import annotations

import pytest

from support.api import Api
from support.work import Work


@pytest.fixture
def work(admin: Api) -> Work:
    """A robot that holds a job."""
    return Work(admin)
