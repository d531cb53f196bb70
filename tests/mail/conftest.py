"""Fixtures: a mail server that the settings name, and notifications that send through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from support.api import Api
from support.postman import Postman
from support.smtp import MailServer

Notify = Callable[..., dict[str, Any]]


@pytest.fixture
def mails() -> Iterator[MailServer]:
    with MailServer() as running:
        yield running


@pytest.fixture
def set_up(admin: Api, mails: MailServer) -> None:
    admin.ok(admin.put("/api/settings/email", mails.settings))


@pytest.fixture
def postman(app: Flask) -> Postman:
    return Postman(app)


@pytest.fixture
def notify(admin: Api, set_up: None) -> Notify:
    """A new notification: by default of changed queues, to ops@example.com."""

    def make(*event_types: str, **body: Any) -> dict[str, Any]:
        named = f"notification {len(admin.ok(admin.get('/api/mail-notifications')))}"
        wanted = {"event_types": event_types or ["queue.updated"], "recipients": ["ops@example.com"]}
        made: dict[str, Any] = admin.ok(admin.post("/api/mail-notifications", {"name": named, **wanted, **body}))
        return made

    return make
