"""Sessions: renewed step by step, listed, and ended at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask_jwt_extended import create_access_token
from sqlalchemy import update

from bvo import session_store, settings
from bvo.database import transaction, utcnow
from bvo.session_store import UserSession
from support.api import Api
from support.problems import refused
from support.state import State

HTML = {"Accept": "text/html"}


def log_in(client: Api, **more: str) -> dict[str, Any]:
    form = {"username": "admin", "password": "admin123", **more}
    tokens: dict[str, Any] = client.ok(client.post("/api/auth/login", data=form))
    return tokens


def renewable(client: Api) -> dict[str, Any]:
    return log_in(client, scope="openid offline_access")


def refresh(client: Api, token: str) -> Any:
    return client.post("/api/auth/refresh", {"refresh_token": token})


def as_bearer(client: Api, tokens: dict[str, Any]) -> Api:
    return Api(client.client, Authorization=f"Bearer {tokens['access_token']}")


def changed(app: Flask, **values: Any) -> None:
    with app.app_context(), transaction() as session:
        session.execute(update(UserSession).values(values))


@pytest.mark.shows_setting("security.session_minutes", "security.access_token_minutes")
def test_a_login_holds_as_long_as_the_settings_say(anonymous: Api, admin: Api) -> None:
    assert log_in(anonymous)["expires_in"] == pytest.approx(8 * 3600, abs=30)
    admin.ok(admin.put("/api/settings/security", {"session_minutes": 30, "access_token_minutes": 5}))
    assert log_in(anonymous)["expires_in"] == pytest.approx(1800, abs=30)
    assert renewable(anonymous)["expires_in"] == pytest.approx(300, abs=30)
    assert "refresh_token" not in log_in(anonymous)


def test_a_refresh_token_gives_new_tokens_of_the_same_session(anonymous: Api, state: State) -> None:
    first = renewable(anonymous)
    second = anonymous.ok(refresh(anonymous, first["refresh_token"]))
    assert second.keys() == {"access_token", "token_type", "expires_in", "refresh_token"}
    assert second["refresh_token"] != first["refresh_token"]
    for tokens in (first, second):
        me = as_bearer(anonymous, tokens)
        assert me.ok(me.get("/api/auth/me"))["user"]["username"] == "admin"
    assert len(state.rows("sessions")) == 1


def test_a_refresh_token_that_is_used_twice_ends_its_session(anonymous: Api, state: State) -> None:
    first = renewable(anonymous)
    second = anonymous.ok(refresh(anonymous, first["refresh_token"]))
    refused(refresh(anonymous, first["refresh_token"]), 401, "used before", "Log in again")
    refused(refresh(anonymous, second["refresh_token"]), 401, "session was ended")
    refused(as_bearer(anonymous, second).get("/api/auth/me"), 401, "session was ended")
    assert [row["action"] for row in state.rows("events")] == ["auth.login", "session.reuse_detected"]


def test_an_older_refresh_token_ends_the_session_too(anonymous: Api) -> None:
    first = renewable(anonymous)
    second = anonymous.ok(refresh(anonymous, first["refresh_token"]))
    third = anonymous.ok(refresh(anonymous, second["refresh_token"]))
    refused(refresh(anonymous, first["refresh_token"]), 401, "used before")
    refused(as_bearer(anonymous, third).get("/api/auth/me"), 401, "session was ended")


def test_of_many_that_refresh_at_once_one_wins(app: Flask, anonymous: Api) -> None:
    token = renewable(anonymous)["refresh_token"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: refresh(Api(app.test_client()), token).status_code, range(8)))
    assert sorted(answers) == [200] + [401] * 7


@pytest.mark.parametrize("kind", ["access token", "nonsense", "empty"])
def test_what_is_no_refresh_token_renews_nothing(anonymous: Api, kind: str) -> None:
    tokens = renewable(anonymous)
    sent = {"access token": tokens["access_token"], "nonsense": "a.b.c", "empty": ""}[kind]
    refused(refresh(anonymous, sent), 422 if kind == "empty" else 401)
    anonymous.ok(refresh(anonymous, tokens["refresh_token"]))


def test_a_refresh_token_is_no_access_token(anonymous: Api) -> None:
    token = renewable(anonymous)["refresh_token"]
    refused(Api(anonymous.client, Authorization=f"Bearer {token}").get("/api/auth/me"), 401)


def test_a_session_ends_in_its_time_however_often_it_is_renewed(app: Flask, anonymous: Api, state: State) -> None:
    tokens = renewable(anonymous)
    changed(app, expires_at=utcnow() - timedelta(seconds=1))
    refused(as_bearer(anonymous, tokens).get("/api/auth/me"), 401, "session was ended")
    refused(refresh(anonymous, tokens["refresh_token"]), 401, "session was ended")
    with app.app_context():
        session_store.prune()
    assert state.rows("sessions") == []


def test_logging_out_ends_this_session_and_no_other(anonymous: Api, state: State) -> None:
    one, other = as_bearer(anonymous, log_in(anonymous)), as_bearer(anonymous, log_in(anonymous))
    assert one.ok(one.post("/api/auth/logout")) == {"status": "ok"}
    refused(one.get("/api/auth/me"), 401, "session was ended")
    other.ok(other.get("/api/auth/me"))
    assert state.rows("events")[-1]["action"] == "auth.logout"


def test_users_see_and_end_their_own_sessions(anonymous: Api, user_with: Callable[..., Api], state: State) -> None:
    user = user_with()
    here, there = as_bearer(anonymous, log_in(anonymous)), as_bearer(anonymous, log_in(anonymous))
    shown = here.ok(here.get("/api/auth/sessions"))
    assert [(row["current"], row["kind"], row["username"]) for row in shown[:2]] == [
        (False, "api", "admin"),
        (True, "api", "admin"),
    ]
    assert {row["username"] for row in shown if row["username"].startswith("user")} <= {"user 1"}
    assert here.delete(f"/api/auth/sessions/{shown[0]['id']}").status_code == 204
    refused(there.get("/api/auth/me"), 401, "session was ended")
    with state.unchanged():
        refused(user.delete(f"/api/auth/sessions/{shown[1]['id']}"), 404, "no session")
    here.ok(here.get("/api/auth/me"))


def test_an_administrator_lists_and_ends_sessions(admin: Api, user_with: Callable[..., Api]) -> None:
    user = user_with("jobs:view")
    listed = admin.ok(admin.get("/api/sessions?user_id=2"))
    assert [row["username"] for row in listed] == ["user 2"]
    assert not {"sid", "refresh_jti"} & listed[0].keys()
    refused(user.get("/api/sessions"), 403, "sessions:view")
    assert admin.delete(f"/api/sessions/{listed[0]['id']}").status_code == 204
    refused(user.get("/api/jobs"), 401, "session was ended")


def test_an_administrator_logs_a_user_out_everywhere(admin: Api, user_with: Callable[..., Api], state: State) -> None:
    user, editor = user_with("jobs:view"), user_with("users:edit")
    refused(editor.post("/api/access/users/1/end_sessions"), 403, "may do more than you")
    admin.ok(admin.post("/api/access/users/2/end_sessions"))
    refused(user.get("/api/jobs"), 401, "session was ended")
    assert state.rows("events")[-1]["action"] == "user.sessions_ended"


def test_a_new_password_and_disabling_end_all_sessions_for_good(admin: Api, user_with: Callable[..., Api]) -> None:
    changes: list[dict[str, Any]] = [{"password": "another passphrase"}, {"is_active": False}]
    for number, change in enumerate(changes):
        user = user_with("jobs:view")
        admin.ok(admin.put(f"/api/access/users/{number + 2}", change))
        admin.ok(admin.put(f"/api/access/users/{number + 2}", {"is_active": True}))
        refused(user.get("/api/jobs"), 401, "session was ended")


def test_the_tool_of_a_user_ends_with_the_sessions(admin: Api, anonymous: Api) -> None:
    begun = anonymous.ok(anonymous.post("/api/sdk/auth/start", {"machine_name": "DEV-1"}))
    admin.ok(admin.post("/api/sdk/auth/confirm", {"session_id": begun["session_id"]}))
    tool = as_bearer(anonymous, anonymous.ok(anonymous.get(f"/api/sdk/auth/status?session_id={begun['session_id']}")))
    tool.ok(tool.get("/api/assets"))
    (row,) = admin.ok(admin.get("/api/sessions?kind=sdk"))
    assert row["client"] == "DEV-1"
    assert admin.delete(f"/api/sessions/{row['id']}").status_code == 204
    refused(tool.get("/api/assets"), 401, "session was ended")


def test_last_use_is_kept_to_some_minutes(app: Flask, anonymous: Api, state: State) -> None:
    user = as_bearer(anonymous, log_in(anonymous))
    long_ago = utcnow() - timedelta(hours=1)
    changed(app, last_used_at=long_ago)
    user.ok(user.get("/api/auth/me"))
    (row,) = state.rows("sessions")
    assert row["last_used_at"] > utcnow() - timedelta(minutes=1)
    with state.unchanged():
        user.ok(user.get("/api/auth/me"))


def test_no_token_lies_in_the_database(anonymous: Api, state: State) -> None:
    tokens = renewable(anonymous)
    kept = str(state.everything())
    assert tokens["refresh_token"].split(".")[2] not in kept
    assert tokens["access_token"].split(".")[2] not in kept


# --- in a browser


def sign_in(app: Flask) -> Any:
    browser = app.test_client()
    form = {"username": "admin", "password": "admin123"}
    assert browser.post("/ui/login", data=form, headers=HTML).status_code == 302
    return browser


def let_the_access_token_expire(app: Flask, browser: Any, state: State) -> None:
    with app.app_context():
        claims = {"sid": state.rows("sessions")[-1]["sid"]}
        old = create_access_token("1", expires_delta=timedelta(seconds=-5), additional_claims=claims)
    browser.set_cookie("bvo_session", old)


def cookies(browser: Any) -> tuple[str, str]:
    return browser.get_cookie("bvo_session").value, browser.get_cookie("bvo_refresh").value


def test_a_browser_stays_signed_in_while_its_tokens_are_renewed(app: Flask, state: State) -> None:
    browser = sign_in(app)
    let_the_access_token_expire(app, browser, state)
    before = cookies(browser)
    assert browser.get("/ui/jobs/", headers=HTML).status_code == 200
    after = cookies(browser)
    assert before[0] != after[0]
    assert before[1] != after[1]
    assert browser.get("/ui/jobs/", headers=HTML).status_code == 200
    assert cookies(browser) == after


def test_tabs_that_renew_side_by_side_stay_signed_in(app: Flask, state: State) -> None:
    browser = sign_in(app)
    let_the_access_token_expire(app, browser, state)
    before = cookies(browser)
    assert browser.get("/ui/jobs/", headers=HTML).status_code == 200
    tab = app.test_client()
    tab.set_cookie("bvo_session", before[0])
    tab.set_cookie("bvo_refresh", before[1])
    assert tab.get("/ui/jobs/", headers=HTML).status_code == 200
    assert browser.get("/ui/jobs/", headers=HTML).status_code == 200


def test_a_stolen_refresh_cookie_ends_the_session_when_it_is_used_later(app: Flask, state: State) -> None:
    browser = sign_in(app)
    let_the_access_token_expire(app, browser, state)
    stolen = cookies(browser)
    assert browser.get("/ui/jobs/", headers=HTML).status_code == 200
    changed(app, rotated_at=utcnow() - timedelta(minutes=1))
    thief = app.test_client()
    thief.set_cookie("bvo_session", stolen[0])
    thief.set_cookie("bvo_refresh", stolen[1])
    assert thief.get("/ui/jobs/", headers=HTML).status_code == 302
    assert browser.get("/ui/jobs/", headers=HTML).status_code == 302


def test_a_form_that_was_open_while_the_tokens_were_renewed_still_works(app: Flask, state: State) -> None:
    browser = sign_in(app)
    csrf = browser.get("/ui/", headers=HTML).text.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert csrf
    let_the_access_token_expire(app, browser, state)
    assert browser.post("/ui/logout", data={"csrf_token": "wrong"}, headers=HTML).status_code == 403
    assert browser.post("/ui/logout", data={"csrf_token": csrf}, headers=HTML).status_code == 302
    assert browser.get_cookie("bvo_session") is None
    assert browser.get_cookie("bvo_refresh") is None


@pytest.mark.parametrize("refresh_cookie", ["", "nonsense", "of another session"])
def test_without_its_refresh_token_an_expired_session_is_over(app: Flask, state: State, refresh_cookie: str) -> None:
    other = cookies(sign_in(app))[1]
    browser = sign_in(app)
    let_the_access_token_expire(app, browser, state)
    browser.set_cookie("bvo_refresh", other if refresh_cookie == "of another session" else refresh_cookie)
    assert browser.get("/ui/jobs/", headers=HTML).status_code == 302


def test_a_session_may_be_as_long_as_a_setting_allows(app_context: Flask) -> None:
    assert settings.get("security.session_minutes") > settings.get("security.access_token_minutes")
