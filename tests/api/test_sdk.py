"""Login of developers' tools: started by the tool, confirmed in a browser, its token handed out once."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from bvo.database import transaction, utcnow
from bvo_sdk.models import SdkSession
from support.api import Api
from support.problems import refused
from support.state import State

START, CONFIRM, STATUS = "/api/sdk/auth/start", "/api/sdk/auth/confirm", "/api/sdk/auth/status"


def start(anonymous: Api, **more: Any) -> dict[str, Any]:
    begun: dict[str, Any] = anonymous.ok(anonymous.post(START, {"machine_name": "DEV-HOST-01", **more}))
    return begun


def ask(anonymous: Api, session: dict[str, Any], **more: str) -> Any:
    return anonymous.ok(anonymous.post(STATUS, {"session_id": session["session_id"], **more}))


def confirmed(admin: Api, anonymous: Api) -> Api:
    """The API as a tool of the administrator."""
    session = start(anonymous)
    admin.ok(admin.post(CONFIRM, {"session_id": session["session_id"]}))
    token = ask(anonymous, session)["access_token"]
    return Api(anonymous.client, Authorization=f"Bearer {token}")


def test_every_start_has_a_session_of_its_own(anonymous: Api) -> None:
    first, second = start(anonymous), start(anonymous)
    assert first["session_id"] != second["session_id"]
    assert first["session_id"] in first["verification_url"]


def test_the_token_is_handed_out_once_after_the_confirmation(admin: Api, anonymous: Api) -> None:
    session = start(anonymous)
    assert ask(anonymous, session) == {"status": "pending"}
    for _ in range(2):
        assert admin.ok(admin.post(CONFIRM, {"session_id": session["session_id"]})) == {"status": "ok"}
    delivered = ask(anonymous, session)
    assert (delivered["status"], delivered["user"]["username"]) == ("confirmed", "admin")
    assert ask(anonymous, session) == {"status": "expired"}


def test_with_a_challenge_only_who_knows_the_verifier_gets_the_token(admin: Api, anonymous: Api) -> None:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(b"verifier").digest()).rstrip(b"=").decode()
    session = start(anonymous, code_challenge=challenge)
    admin.ok(admin.post(CONFIRM, {"session_id": session["session_id"]}))
    assert ask(anonymous, session) == {"status": "pending"}
    assert ask(anonymous, session, code_verifier="guess") == {"status": "pending"}
    assert ask(anonymous, session, code_verifier="verifier")["status"] == "confirmed"


def test_a_login_that_was_denied_or_expired_gives_nothing(admin: Api, anonymous: Api, app: Flask) -> None:
    session = start(anonymous)
    admin.ok(admin.post("/api/sdk/auth/deny", {"session_id": session["session_id"]}))
    assert ask(anonymous, session) == {"status": "expired"}
    refused(admin.post(CONFIRM, {"session_id": session["session_id"]}), 409, "denied already")

    late = start(anonymous)
    with app.app_context(), transaction() as db_session:
        db_session.execute(update(SdkSession).values(expires_at=utcnow() - timedelta(seconds=1)))
    refused(admin.post(CONFIRM, {"session_id": late["session_id"]}), 404, "expired")
    assert ask(anonymous, late) == {"status": "expired"}
    assert ask(anonymous, {"session_id": "bvos_unknown"}) == {"status": "expired"}


def test_a_tool_may_do_three_things_and_nothing_else(admin: Api, anonymous: Api, subtests: pytest.Subtests) -> None:
    admin.ok(admin.post("/api/queues", {"name": "orders"}))
    tool = confirmed(admin, anonymous)
    tool.ok(tool.get("/api/assets"))
    tool.ok(tool.get("/api/queues"))
    tool.ok(tool.post("/api/queue-items", {"queue_name": "orders"}))
    for path in ("/api/jobs", "/api/robots", "/api/queue-items", "/api/assets/1", "/api/auth/me", "/api/access/users"):
        with subtests.test(path=path):
            refused(tool.get(path), 403, "sdk")
    refused(tool.upload(b""), 403, "sdk")


def test_what_a_tool_does_is_audited_as_its_users_tool(admin: Api, anonymous: Api) -> None:
    admin.ok(admin.post("/api/queues", {"name": "orders"}))
    tool = confirmed(admin, anonymous)
    tool.ok(tool.post("/api/queue-items", {"queue_name": "orders"}))
    (event,) = admin.ok(admin.get("/api/audit?action=queue_item.create&user_id=1"))["items"]
    assert admin.ok(admin.get(f"/api/audit/{event['id']}"))["actor_kind"] == "sdk"


def test_a_tool_may_not_do_what_its_user_may_not(user_with: Callable[..., Api], anonymous: Api) -> None:
    user = user_with("assets:view")
    session = start(anonymous)
    user.ok(user.post(CONFIRM, {"session_id": session["session_id"]}))
    tool = Api(anonymous.client, Authorization=f"Bearer {ask(anonymous, session)['access_token']}")
    tool.ok(tool.get("/api/assets"))
    refused(tool.get("/api/queues"), 403, "queues:view")


def test_the_session_id_is_not_stored_in_clear(anonymous: Api, state: State) -> None:
    session = start(anonymous)
    assert session["session_id"] not in str(state.everything())


def test_a_browser_that_is_not_signed_in_comes_back_to_the_confirmation(anonymous: Api) -> None:
    session = start(anonymous)
    page = anonymous.get(f"/sdk-auth?session_id={session['session_id']}", headers={"Accept": "text/html"})
    assert page.status_code == 302
    assert "/ui/login?next=" in page.headers["Location"]


def test_the_confirmation_shows_code_machine_and_address(admin: Api, anonymous: Api) -> None:
    session = start(anonymous)
    page = admin.get(f"/sdk-auth?session_id={session['session_id']}", headers={"Accept": "text/html"})
    text = page.get_data(as_text=True)
    for shown in (session["user_code"], "DEV-HOST-01", "127.0.0.1", "Deny", "Confirm"):
        assert shown in text
