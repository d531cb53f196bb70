"""Assets: typed values, and secrets that only a running job may see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import select, update

from bvo import secrets
from bvo.database import db, transaction, utcnow
from bvo.errors import StartupError
from bvo.event_log import LoggedEvent
from bvo_assets.models import Asset
from bvo_jobs.models import Job
from support.api import Api
from support.problems import refused
from support.state import State
from support.work import Work

ASSETS = "/api/assets"


def make(admin: Api, name: str, kind: str, **values: Any) -> dict[str, Any]:
    made: dict[str, Any] = admin.ok(admin.post(ASSETS, {"name": name, "type": kind, **values}))
    return made


def reveal(work: Work, name: str) -> Any:
    return work.api.get(f"/api/runner/assets/{name}", headers={"X-Lease-Token": work.job["lease_token"]})


def audited(admin: Api, action: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = admin.ok(admin.get(f"/api/audit?action=asset.{action}"))["items"]
    return events


def test_a_type_may_be_written_in_any_casing_and_as_bool(admin: Api) -> None:
    assert make(admin, "a", "Text", value="x")["type"] == "text"
    assert make(admin, "b", "bool", value=True)["type"] == "boolean"
    refused(admin.post(ASSETS, {"name": "c", "type": "blob"}), 422, "Invalid asset type")


def test_a_value_must_fit_its_type(admin: Api, state: State, subtests: pytest.Subtests) -> None:
    for kind, value in (("int", "many"), ("boolean", "perhaps"), ("secret", None), ("credential", None)):
        with subtests.test(kind=kind), state.unchanged():
            refused(admin.post(ASSETS, {"name": "x", "type": kind, "value": value}), 422)


def test_a_secret_is_nowhere_in_clear(admin: Api, app: Flask, state: State) -> None:
    make(admin, "api-key", "secret", value="canary-4711")
    login = make(admin, "login", "credential", username="bot", password="canary-4712")
    assert (login["value"], login["username"], login["is_secret"]) == ("***", "bot", True)
    admin.ok(admin.put(f"{ASSETS}/{login['id']}", {"password": "canary-4713"}))
    assert "canary" not in str(state.everything())
    shown = admin.get(ASSETS).get_data(as_text=True) + admin.get("/api/audit").get_data(as_text=True)
    assert "canary" not in shown


def test_what_was_masked_can_be_sent_back_and_changes_nothing(admin: Api, work: Work) -> None:
    asset = make(admin, "api-key", "secret", value="canary")
    admin.ok(admin.put(f"{ASSETS}/{asset['id']}", {"value": "***", "description": "of the bank"}))
    assert work.api.ok(reveal(work, "api-key"))["value"] == "canary"


def test_a_running_job_gets_typed_values_and_secrets_and_the_reveal_is_audited(admin: Api, work: Work) -> None:
    make(admin, "limit", "int", value=42)
    make(admin, "dry-run", "boolean", value="TRUE")
    make(admin, "login", "credential", username="bot", password="pw")
    assert work.api.ok(reveal(work, "limit"))["value"] == 42
    assert work.api.ok(reveal(work, "dry-run"))["value"] is True
    login = work.api.ok(reveal(work, "login"))
    assert (login["username"], login["password"]) == ("bot", "pw")
    assert [event["entity_name"] for event in audited(admin, "revealed")] == ["login"]


def test_a_secret_is_not_for_a_robot_without_a_job_nor_for_a_user(admin: Api, work: Work) -> None:
    make(admin, "api-key", "secret", value="canary")
    refused(admin.get("/api/runner/assets/api-key"), 403)
    _, idle = admin.a_robot("idle")
    refused(idle.get("/api/runner/assets/api-key"), 409, "does not hold a job")
    stale = {"X-Lease-Token": "bvol_of-another-attempt"}
    refused(work.api.get("/api/runner/assets/api-key", headers=stale), 409)


def test_a_reveal_is_for_the_attempt_that_holds_the_job_now(admin: Api, app: Flask, work: Work) -> None:
    make(admin, "api-key", "secret", value="canary")
    older_runner = work.api.get("/api/runner/assets/api-key")
    assert older_runner.headers["Cache-Control"] == "no-store"
    assert work.api.ok(older_runner)["value"] == "canary"
    stale = {"X-Lease-Token": "bvol_of-another-attempt"}
    refused(work.api.get("/api/runner/assets/api-key", headers=stale), 409, "its lease is lost")
    with app.app_context(), transaction() as session:
        session.execute(update(Job).values(lease_expires_at=utcnow() - timedelta(seconds=1)))
    refused(reveal(work, "api-key"), 409, "its lease is lost")
    refused(work.api.get("/api/runner/assets/api-key"), 409, "its lease is lost")
    admin.ok(admin.post(f"/api/jobs/{work.job['id']}/cancel"))
    refused(reveal(work, "api-key"), 409, "does not hold a job")
    assert [len(audited(admin, action)) for action in ("revealed", "reveal_refused")] == [1, 4]


def test_a_refused_reveal_is_audited_with_its_reason(admin: Api, work: Work) -> None:
    asset = make(admin, "api-key", "secret", value="canary", process_ids=[admin.a_process("Other")["id"]])
    refused(reveal(work, "api-key"), 403)
    (event,) = audited(admin, "reveal_refused")
    assert (event["entity_id"], event["entity_name"]) == (str(asset["id"]), "api-key")
    assert (event["actor_username"], event["action_type"]) == (work.robot["name"], "denied")
    assert "is not for the process Demo" in event["message"]


def test_any_name_can_be_asked_for(admin: Api, work: Work, subtests: pytest.Subtests) -> None:
    for name in ("erp/login", "größe", "a b", "100%", "a?b#c", "..."):
        with subtests.test(name):
            make(admin, name, "text", value="x")
            assert work.api.ok(reveal(work, quote(name, safe="")))["name"] == name
    refused(reveal(work, "erp"), 404, "there is none named 'erp'")


def test_an_asset_may_be_kept_to_some_processes(admin: Api, work: Work) -> None:
    other = admin.a_process("Other")
    make(admin, "api-key", "secret", value="canary", process_ids=[other["id"]])
    refused(reveal(work, "api-key"), 403, "not for the process")
    refused(admin.post(ASSETS, {"name": "x", "type": "text", "process_ids": [999]}), 422, "999")


def test_a_secret_that_is_moved_to_another_row_can_not_be_read(admin: Api, app: Flask, work: Work) -> None:
    first, second = (make(admin, name, "secret", value=name) for name in ("first", "second"))
    with app.app_context(), transaction() as session:
        stolen = session.get_one(Asset, first["id"]).secret
        session.execute(update(Asset).where(Asset.id == second["id"]).values(secret=stolen))
    assert reveal(work, "second").status_code == 500
    assert work.api.ok(reveal(work, "first"))["value"] == "first"


def test_the_key_can_be_changed_and_the_old_one_taken_away(make_app: Callable[..., Flask]) -> None:
    old, new = "A" * 43, "B" * 43
    before = make_app(BVO_ENCRYPTION_KEY=old)
    with before.app_context(), transaction() as session:
        asset = Asset(name="api-key", type="secret")
        session.add(asset)
        session.flush()
        asset.secret = secrets.current().encrypt("canary", secrets.place(asset, "secret"))
    seen: list[int] = []
    with make_app(BVO_ENCRYPTION_KEY=f"{new},{old}").app_context():
        assert secrets.count() == 1
        assert secrets.rotate(seen.append) == 1
        assert secrets.rotate(seen.append) == 0
        logged = db.session.scalars(select(LoggedEvent.message)).all()
        assert logged == ["1 secrets were encrypted anew, under the current key."]
    with make_app(BVO_ENCRYPTION_KEY=new).app_context():
        kept = db.session.get_one(Asset, 1)
        assert secrets.current().decrypt(kept.secret or "", secrets.place(kept, "secret")) == "canary"
    with make_app(BVO_ENCRYPTION_KEY=old).app_context():
        kept = db.session.get_one(Asset, 1)
        with pytest.raises(secrets.Undecryptable, match="key that is not here"):
            secrets.current().decrypt(kept.secret or "", secrets.place(kept, "secret"))


def test_a_key_that_is_none_stops_the_start(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="BVO_ENCRYPTION_KEY must be 32 bytes"):
        make_app(BVO_ENCRYPTION_KEY="short")


def test_a_name_that_is_taken_is_refused_also_with_a_new_secret(admin: Api) -> None:
    make(admin, "taken", "text", value="x")
    asset = make(admin, "free", "secret", value="canary")
    changed = {"name": "taken", "value": "canary-2"}
    refused(admin.put(f"{ASSETS}/{asset['id']}", changed), 409, "name 'taken' already exists")
