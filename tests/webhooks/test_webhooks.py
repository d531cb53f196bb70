"""Webhooks as operators have them: made with a secret, changed, tested, told of what they want."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from standardwebhooks import Webhook as Verifier

from bvo.database import db
from support.api import Api
from support.hooks import Hook, Mover, machines
from support.inbox import Inbox
from support.problems import refused

BODY = {"name": "Tickets", "url": "https://tickets.example.com/bvo", "event_types": ["job.*"]}


def test_its_secret_is_shown_once_and_kept_encrypted(admin: Api, app: Flask) -> None:
    made = admin.ok(admin.post("/api/webhooks", {**BODY, "headers": {"X-Key": "s3cret-value"}}))
    assert made["secret"].startswith("whsec_")
    shown = admin.ok(admin.get(f"/api/webhooks/{made['id']}"))
    assert "secret" not in shown
    assert shown["headers"] == {"X-Key": "***"}
    with app.app_context():
        stored = json.dumps([tuple(row) for row in db.session.execute(text("SELECT * FROM webhooks"))], default=str)
        logged = json.dumps([tuple(row) for row in db.session.execute(text("SELECT * FROM events"))], default=str)
    for secret in (made["secret"], made["secret"].removeprefix("whsec_"), "s3cret-value"):
        assert secret not in stored + logged + json.dumps(shown)


def test_a_request_is_signed_and_tells_the_event(admin: Api, hook: Hook, mover: Mover, inbox: Inbox) -> None:
    made = hook("machine.*", headers={"X-Team": "invoices"})
    (machine,) = machines(admin, "HOST-1")
    assert mover.go() == 1
    (request,) = inbox.received
    assert Verifier(made["secret"]).verify(request.body, request.headers)
    assert request.event["type"] == "machine.created"
    assert request.event["subject"] == f"machine/{machine['id']}"
    assert request.headers["webhook-id"] == request.event["id"]
    assert (request.headers["content-type"], request.headers["x-team"]) == ("application/json", "invoices")


@pytest.mark.parametrize(
    ("types", "filters", "wanted"),
    [
        (["machine.created"], {}, ["HOST-1", "HOST-2"]),
        (["machine.*"], {"name": "HOST-2"}, ["HOST-2"]),
        (["*"], {"name": ["HOST-1", "HOST-2"], "mode": "agent"}, ["HOST-1", "HOST-2"]),
        (["machine.*"], {"mode": "runner"}, []),
        (["machine.*"], {"machine.name": "HOST-1"}, []),
        (["machine.deleted", "robot.*"], {}, []),
    ],
)
def test_it_is_told_of_what_it_wants(
    admin: Api,
    hook: Hook,
    mover: Mover,
    inbox: Inbox,
    types: list[str],
    filters: dict[str, Any],
    wanted: list[str],
) -> None:
    hook(*types, filters=filters)
    mover.go()
    inbox.received.clear()
    machines(admin, "HOST-1", "HOST-2")
    mover.go()
    assert [each.event["data"]["entity"]["name"] for each in inbox.received] == wanted


def test_one_that_is_not_active_is_told_nothing(admin: Api, hook: Hook, mover: Mover, inbox: Inbox) -> None:
    made = hook("machine.*", is_active=False)
    machines(admin, "HOST-1")
    mover.plan()
    admin.ok(admin.put(f"/api/webhooks/{made['id']}", {"is_active": True}))
    machines(admin, "HOST-2")
    mover.go()
    assert [each.event["data"]["entity"]["name"] for each in inbox.received] == ["HOST-2"]


def test_a_test_goes_to_it_alone_whatever_it_wants(admin: Api, hook: Hook, mover: Mover, inbox: Inbox) -> None:
    tested, _ = hook("job.*"), hook("job.*")
    admin.ok(admin.post(f"/api/webhooks/{tested['id']}/test"))
    assert mover.go() == 1
    (request,) = inbox.received
    assert (request.event["type"], request.event["subject"]) == ("webhook.tested", f"webhook/{tested['id']}")
    admin.ok(admin.put(f"/api/webhooks/{tested['id']}", {"is_active": False}))
    refused(admin.post(f"/api/webhooks/{tested['id']}/test"), 409, "Activate it first")


def test_while_its_secret_is_rotated_both_sign(admin: Api, hook: Hook, mover: Mover, inbox: Inbox) -> None:
    made = hook("machine.*")
    rotated = admin.ok(admin.post(f"/api/webhooks/{made['id']}/rotate_secret"))
    assert rotated["secret"] not in (made["secret"], None)
    machines(admin, "HOST-1")
    mover.go()
    for secret in (made["secret"], rotated["secret"]):
        assert Verifier(secret).verify(inbox.received[-1].body, inbox.received[-1].headers)
    mover.change(made["id"], old_secret_until=None)
    machines(admin, "HOST-2")
    mover.go()
    request = inbox.received[-1]
    assert Verifier(rotated["secret"]).verify(request.body, request.headers)
    with pytest.raises(Exception, match="No matching signature"):
        Verifier(made["secret"]).verify(request.body, request.headers)


def test_a_header_that_is_sent_back_masked_keeps_its_value(admin: Api, hook: Hook, mover: Mover, inbox: Inbox) -> None:
    made = hook("machine.*", headers={"X-Key": "s3cret", "X-Team": "a"})
    admin.ok(admin.put(f"/api/webhooks/{made['id']}", {"headers": {"X-Key": "***", "X-Team": "b"}}))
    machines(admin, "HOST-1")
    mover.go()
    assert (inbox.received[0].headers["x-key"], inbox.received[0].headers["x-team"]) == ("s3cret", "b")
    admin.ok(admin.put(f"/api/webhooks/{made['id']}", {"name": "another"}))
    assert admin.ok(admin.get(f"/api/webhooks/{made['id']}"))["headers"] == {"X-Key": "***", "X-Team": "***"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"url": "ftp://example.com"}, "https://"),
        ({"url": "https://user:secret@example.com/"}, "user name and password"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["job"]}, "job.*"),
        ({"event_types": ["job.*; DROP"]}, "job.*"),
        ({"headers": {"Webhook-Id": "1"}}, "has its own"),
        ({"headers": {"X Y": "1"}}, "letters, digits and dashes"),
        ({"headers": {"X-Key": "a\nb"}}, "printable ASCII"),
        ({"filters": {"name": {"deep": 1}}}, "Give name a text"),
        ({"filters": {"name": []}}, "Give name a text"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
def test_what_could_not_be_sent_is_refused(admin: Api, change: dict[str, Any], words: str) -> None:
    refused(admin.post("/api/webhooks", {**BODY, **change}), 422, words)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/api/webhooks"),
        ("put", "/api/webhooks/1"),
        ("delete", "/api/webhooks/1"),
        ("post", "/api/webhooks/1/test"),
        ("post", "/api/webhooks/1/rotate_secret"),
        ("post", "/api/webhooks/1/redeliver"),
        ("post", "/api/webhooks/1/replay"),
    ],
)
def test_who_may_only_look_changes_nothing(user_with: Callable[..., Api], hook: Hook, method: str, path: str) -> None:
    hook()
    api = user_with("webhooks:view")
    body = {**BODY, "since": "2026-01-01T00:00:00Z"}
    answer = api.delete(path) if method == "delete" else getattr(api, method)(path, body)
    refused(answer, 403, "webhooks:")


def test_only_networks_are_allowed(admin: Api) -> None:
    answer = admin.put("/api/settings/security", {"webhook_allowed_networks": ["10.1.0.0/99"]})
    refused(answer, 422, "not a network")


@pytest.mark.shows_setting("security.webhook_allowed_networks")
def test_an_address_inside_is_not_reached_unless_its_network_is_allowed(
    admin: Api, hook: Hook, mover: Mover, inbox: Inbox
) -> None:
    hook("machine.*")
    admin.ok(admin.put("/api/settings/security", {"webhook_allowed_networks": []}))
    machines(admin, "HOST-1")
    assert mover.go() == 1
    (delivery,) = mover.all()
    assert (inbox.received, delivery.status) == ([], "pending")
    assert "security.webhook_allowed_networks" in (delivery.error or "")


def test_deleting_it_deletes_what_was_to_be_sent(admin: Api, hook: Hook, mover: Mover) -> None:
    made = hook("machine.*")
    machines(admin, "HOST-1")
    mover.plan()
    assert admin.delete(f"/api/webhooks/{made['id']}").status_code == 204
    assert mover.all() == []
    assert mover.go() == 0


def test_nothing_that_was_rolled_back_is_sent(admin: Api, hook: Hook, mover: Mover, inbox: Inbox) -> None:
    hook("machine.*", "queue.*")
    machines(admin, "HOST-1")
    refused(admin.post("/api/machines", {"name": "HOST-1", "mode": "agent"}), 409)
    mover.go()
    assert inbox.types == ["machine.created"]
