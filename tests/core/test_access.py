"""Who may call which route."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Blueprint, Flask, Request
from werkzeug.exceptions import Unauthorized

from bvo import access
from bvo.access import ANONYMOUS, SYSTEM, public, requires
from bvo.errors import StartupError
from bvo_hookspecs import AuthProvider, Principal
from support.plugins import Site

ADA = Principal(kind="user", id=1, name="ada", permissions=frozenset({"walls:view"}))


def walls() -> Blueprint:
    blueprint = Blueprint("walls", __name__, url_prefix="/walls")
    for name, declare in {
        "public": public,
        "any": requires(None, principals=["user", "robot"]),
        "somebody": requires(None),
        "view": requires("walls:view"),
        "edit": requires("walls:edit"),
    }.items():
        blueprint.add_url_rule(f"/{name}", endpoint=name, view_func=declare(lambda: {"who": access.principal().name}))
    return blueprint


def by_header(request: Request) -> Principal | None:
    """Knows ada, refuses mallory, and has nothing to say of others."""
    name = request.headers.get("X-Name")
    if name == "mallory":
        raise Unauthorized("Mallory again.")
    if name == "robby":
        return Principal(kind="robot", id=2, name="robby", permissions=ADA.permissions)
    if name == "script":
        return Principal(kind="token", id=1, name="ada", permissions=ADA.permissions)
    return ADA if name == "ada" else None


def failing(request: Request) -> Principal | None:
    raise ConnectionError("ldap.internal does not answer")


@pytest.fixture
def build(site: Site, sqlite_app: Callable[..., Flask]) -> Callable[..., Any]:
    """Builds an app with the walls and these auth providers; returns a function that calls a route as somebody."""

    def make(**providers: Any) -> Callable[..., tuple[int, Any]]:
        records = [AuthProvider(name=name, authenticate=function) for name, function in providers.items()]
        records.append(AuthProvider(name="only_login", login=lambda name, password: None))
        site.plug("walls", blueprints=lambda: [walls()], auth_providers=records)
        client = sqlite_app().test_client()

        def call(route: str, name: str = "") -> tuple[int, Any]:
            response = client.get(f"/walls/{route}", headers={"X-Name": name} if name else {})
            return response.status_code, response.get_json()

        return call

    return make


def test_a_public_route_is_open_and_nobody_is_anonymous_there(build: Callable[..., Any]) -> None:
    call = build(header=by_header)
    assert call("public") == (200, {"who": "anonymous"})
    assert call("public", "mallory")[0] == 200


def test_without_credentials_one_is_asked_to_log_in(build: Callable[..., Any]) -> None:
    status, problem = build(header=by_header)("any")
    assert (status, problem["detail"]) == (401, "Not authenticated. Log in, or send a token.")


def test_wrong_credentials_are_refused_with_the_providers_word(build: Callable[..., Any]) -> None:
    status, problem = build(header=by_header)("any", "mallory")
    assert (status, problem["detail"]) == (401, "Mallory again.")


def test_a_permission_opens_its_route_alone_and_the_missing_one_is_named(build: Callable[..., Any]) -> None:
    call = build(header=by_header)
    assert call("view", "ada") == (200, {"who": "ada"})
    status, problem = call("edit", "ada")
    assert status == 403
    assert "walls:edit" in problem["detail"]


def test_a_route_is_for_the_kinds_of_principals_that_it_names(build: Callable[..., Any]) -> None:
    call = build(header=by_header)
    assert call("any", "robby")[0] == 200
    status, problem = call("view", "robby")
    assert (status, problem["detail"]) == (403, "A robot may not call this; it is for: token, user.")


def test_what_a_permission_guards_is_for_tokens_too_and_what_asks_for_none_is_for_people(
    build: Callable[..., Any],
) -> None:
    call = build(header=by_header)
    assert call("view", "script")[0] == 200
    assert call("somebody", "ada")[0] == 200
    status, problem = call("somebody", "script")
    assert (status, problem["detail"]) == (403, "A token may not call this; it is for: user.")


def test_a_provider_that_fails_grants_nothing_and_the_answer_names_it_without_its_reason(
    build: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    status, problem = build(ldap=failing)("any", "ada")
    assert status == 503
    assert "'ldap'" in problem["detail"]
    assert "ldap.internal" not in str(problem)
    assert "'ldap' of the plugin 'walls' failed" in caplog.text
    assert "ldap.internal" in caplog.text


def test_a_provider_that_fails_keeps_no_other_from_answering(build: Callable[..., Any]) -> None:
    call = build(ldap=failing, header=by_header)
    assert call("any", "ada")[0] == 200
    assert call("any", "mallory")[0] == 401
    assert call("any")[0] == 503


def test_a_route_without_declared_access_stops_the_start(site: Site, sqlite_app: Callable[..., Flask]) -> None:
    blueprint = Blueprint("walls", __name__)
    blueprint.add_url_rule("/walls/open", endpoint="open", view_func=dict)
    site.plug("walls", blueprints=[blueprint])
    with pytest.raises(StartupError, match=r"/walls/open \(walls\.open\)\. Add @bvo\.access\.requires"):
        sqlite_app()


def test_a_route_that_was_added_later_is_refused(sqlite_app: Callable[..., Flask]) -> None:
    app = sqlite_app()
    app.add_url_rule("/late", view_func=dict, endpoint="late")
    assert app.test_client().get("/late").status_code == 403


def test_what_does_not_exist_is_404_and_another_method_is_405_with_the_allowed_ones(
    sqlite_app: Callable[..., Flask],
) -> None:
    client = sqlite_app().test_client()
    assert client.get("/nowhere").status_code == 404
    refused = client.post("/healthz")
    assert (refused.status_code, refused.mimetype) == (405, "application/problem+json")
    assert "GET" in refused.headers["Allow"]


def test_outside_of_requests_the_system_itself_acts(sqlite_app: Callable[..., Flask]) -> None:
    with sqlite_app().app_context():
        assert access.principal() is SYSTEM
        access.require("walls:edit")
    assert not ANONYMOUS.can("walls:view")
