"""Sign in by an OpenID provider: who gets in, as whom, with which roles, and what is refused."""

from __future__ import annotations

import dataclasses
import html
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete
from werkzeug.test import TestResponse

from bvo import create_app, migrations, registry
from bvo.database import transaction
from bvo.errors import StartupError
from bvo.throttle import AttemptCount
from bvo_oidc import attempts, configuration, service
from bvo_oidc import provider as providers
from conftest import disconnect
from support.api import Api
from support.browser import HTML
from support.databases import Databases
from support.oidc import CLIENT_SECRET, Provider, signed_with_the_public_key, unsigned
from support.state import State

MAPPING = (("bvo-admins", "administrator"), ("bvo-ops", "Read Only"), ("bvo-ghosts", "No such role"))
on_sqlite = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)
"""For what has nothing to do with the kind of database."""


@pytest.fixture(scope="module")
def running() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
def provider(running: Provider) -> Provider:
    running.reset()
    return running


@pytest.fixture(scope="module")
def built(running: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """One app for each kind of database, which was started with this provider."""
    apps: list[Flask] = []

    @cache
    def build(databases: Databases) -> tuple[Flask, str]:
        url = databases.fresh()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in running.environment().items():
                patch.setenv(name, value)
            apps.append(create_app({"BVO_DATABASE_URL": url, "BVO_DATA_DIR": tmp_path_factory.mktemp("data")}))
        return apps[-1], url

    yield build
    for app in apps:
        disconnect(app)


@pytest.fixture
def app(provider: Provider, built: Callable[..., Any], databases: Databases) -> Flask:
    """As good as new: without users, and nothing fetched from the provider."""
    app, url = built(databases)
    disconnect(app)
    databases.renew(url)
    app.testing = True
    map_roles(app, ())
    return app


def map_roles(app: Flask, roles: tuple[tuple[str, str], ...] = MAPPING) -> None:
    known: providers.Provider = app.extensions["bvo_oidc"]
    app.extensions["bvo_oidc"] = providers.Provider(dataclasses.replace(known.configuration, roles=roles))


def begin(client: FlaskClient, **query: str) -> str:
    """Press the button on the login page; returns where the browser goes."""
    answer = client.get("/ui/oidc/login", query_string=query, headers=HTML)
    assert answer.status_code == 302, answer.text
    return answer.location


def end(client: FlaskClient, location: str) -> TestResponse:
    """Come back from the provider."""
    return client.get(location.removeprefix("http://localhost"), headers=HTML)


def sign_in(client: FlaskClient, provider: Provider, **query: str) -> TestResponse:
    return end(client, provider.decide(begin(client, **query)))


def signed_in(client: FlaskClient, provider: Provider, **query: str) -> dict[str, Any]:
    """Sign in; returns what the session says of itself."""
    answer = sign_in(client, provider, **query)
    assert answer.status_code == 302, answer.text
    me: dict[str, Any] = client.get("/api/auth/me").get_json()
    return me


def refused(answer: TestResponse, *words: str, status: int = 401) -> None:
    """The login page, with the reason, and nobody signed in."""
    assert answer.status_code == status, answer.text
    assert "<h1>Sign in</h1>" in answer.text
    told = html.unescape(answer.text.partition('role="alert">')[2].partition("</p>")[0])
    for word in words:
        assert word in told
    assert not any(line.startswith("bvo_session=") for line in answer.headers.getlist("Set-Cookie"))
    assert answer.headers["Cache-Control"] == "no-store"


def roles_of(me: dict[str, Any]) -> list[str]:
    return [role["name"] for role in me["roles"]]


def events(state: State) -> list[tuple[str, str, str]]:
    return [(row["action"], row["actor_username"], row["entity_name"]) for row in state.rows("events")]


# --- who comes in


def test_the_login_page_has_a_button_that_keeps_the_page_that_was_wanted(client: FlaskClient) -> None:
    page = client.get("/ui/login?next=/ui/jobs/?status%3Dfailed", headers=HTML).text
    assert 'href="/ui/oidc/login?next=/ui/jobs/%3Fstatus%3Dfailed">Sign in with Example Ltd</a>' in page


def test_the_first_sign_in_makes_a_user_without_a_password(
    client: FlaskClient, provider: Provider, state: State
) -> None:
    answer = sign_in(client, provider, next="/ui/jobs/?status=failed")
    assert (answer.status_code, answer.location) == (302, "/ui/jobs/?status=failed")
    me = client.get("/api/auth/me").get_json()
    assert (me["user"]["username"], me["user"]["email"], me["roles"]) == ("ada", "ada@example.com", [])
    assert client.get("/ui/", headers=HTML).status_code == 200
    (user,) = (row for row in state.rows("users") if row["username"] == "ada")
    assert (user["full_name"], user["password_hash"], user["is_service"]) == ("Ada Lovelace", None, False)
    assert events(state) == [
        ("user.create", "oidc", "ada"),
        ("user.identity_linked", "oidc", "ada"),
        ("auth.login", "ada", "ada"),
    ]
    assert state.rows("events")[-1]["details"] == {"provider": "oidc"}
    assert client.post("/ui/login", data={"username": "ada", "password": ""}).status_code == 401


def test_later_sign_ins_are_the_same_user_whatever_the_provider_calls_them(
    client: FlaskClient, provider: Provider, state: State
) -> None:
    first = signed_in(client, provider)
    provider.account |= {"preferred_username": "admin", "email": "admin@example.com"}
    assert signed_in(client, provider)["user"] == first["user"]
    provider.account |= {"sub": "another", "preferred_username": "dana", "email": "dana@example.com"}
    assert signed_in(client, provider)["user"]["username"] == "dana"
    assert len(state.rows("oidc_identities")) == 2


def test_the_first_sign_in_in_two_tabs_at_once_makes_one_user(app: Flask, provider: Provider, state: State) -> None:
    clients = [app.test_client() for _ in range(4)]
    ways_back = [provider.decide(begin(client)) for client in clients]
    with ThreadPoolExecutor(len(clients)) as pool:
        answers = list(pool.map(end, clients, ways_back))
    assert [answer.status_code for answer in answers] == [302] * 4
    assert [row["username"] for row in state.rows("users")] == ["admin", "ada"]


@on_sqlite
@pytest.mark.parametrize(
    ("claims", "username", "email"),
    [
        ({"preferred_username": "ada@corp.example"}, "ada@corp.example", "ada@example.com"),
        ({"preferred_username": None}, "ada@example.com", "ada@example.com"),
        ({"preferred_username": None, "email": None}, "248289761001", None),
        ({"preferred_username": "Zoë von Neumann"}, "Zo-von-Neumann", "ada@example.com"),
        ({"preferred_username": "../x" * 100}, ("x" + "..-x" * 100)[:150], "ada@example.com"),
        ({"email_verified": False}, "ada", None),
        ({"email": "nowhere", "name": "x" * 500}, "ada", None),
    ],
    ids=str,
)
def test_names_follow_the_rules_for_users(
    client: FlaskClient, provider: Provider, claims: dict[str, Any], username: str, email: str | None
) -> None:
    provider.account |= claims
    user = signed_in(client, provider)["user"]
    assert (user["username"], user["email"]) == (username, email)


def test_a_user_who_is_here_already_is_taken_over_by_nobody(
    app: Flask, admin: Api, client: FlaskClient, provider: Provider, state: State
) -> None:
    before = state.rows("users")
    for claims in ({"preferred_username": "admin"}, {"preferred_username": "dana", "email": "admin@example.com"}):
        if "email" in claims:
            admin.ok(admin.put("/api/access/users/1", {"email": "admin@example.com"}))
            before = state.rows("users")
        provider.account |= claims
        refused(sign_in(client, provider), "`bvo oidc link USERNAME 248289761001`")
        assert state.rows("users") == before
        assert state.rows("oidc_identities") == []
    failed = state.rows("events")[-1]
    assert (failed["type"], failed["entity_name"]) == ("user.login_failed", "dana")


def test_an_administrator_links_a_user_with_an_account(
    app: Flask, client: FlaskClient, provider: Provider, state: State
) -> None:
    with app.app_context():
        service.link("admin", provider.issuer, "248289761001")
        for name, reason in (("nobody", "There is no user"), ("ci", "service account")):
            if name == "ci":
                registry.current().service_of("user").create({"username": "ci", "is_service": True})
            with pytest.raises(LookupError, match=reason):
                service.link(name, provider.issuer, "248289761001")
    assert events(state)[0] == ("user.identity_linked", "system", "admin")
    assert state.rows("events")[0]["details"] == {"issuer": provider.issuer, "subject": "248289761001"}
    assert roles_of(signed_in(client, provider)) == ["Administrator"]


def test_a_disabled_user_stays_out(admin: Api, client: FlaskClient, provider: Provider, state: State) -> None:
    user = signed_in(client, provider)["user"]
    admin.ok(admin.put(f"/api/access/users/{user['id']}", {"is_active": False}))
    refused(sign_in(client, provider), "disabled")
    failed = state.rows("events")[-1]
    assert (failed["action"], failed["entity_name"]) == ("auth.login_failed", "ada")
    assert failed["details"] == {"provider": "oidc", "reason": service.DISABLED}


# --- roles


def test_groups_give_roles_and_take_them_away_again(
    app: Flask, admin: Api, client: FlaskClient, provider: Provider, state: State
) -> None:
    map_roles(app)
    role = admin.ok(admin.post("/api/access/roles", {"name": "Night shift", "permissions": []}))
    me = signed_in(client, provider)
    assert roles_of(me) == ["Read Only"]
    path = f"/api/access/users/{me['user']['id']}/roles"
    admin.ok(admin.post(path, {"role_ids": [2, role["id"]]}))
    provider.account["groups"] = ["bvo-admins", "bvo-ghosts", "others"]
    assert roles_of(signed_in(client, provider)) == ["Administrator", "Night shift"]
    assigned = state.rows("events")[-2]
    assert (assigned["action"], assigned["actor_username"]) == ("user.roles_assigned", "oidc")
    assert assigned["details"] == {
        "roles_before": ["Read Only", "Night shift"],
        "roles_after": ["Administrator", "Night shift"],
    }
    del provider.account["groups"]
    assert roles_of(signed_in(client, provider)) == ["Night shift"]
    recorded = len(state.rows("events"))
    signed_in(client, provider)
    assert len(state.rows("events")) == recorded + 1  # no change of roles is told where there was none


def test_who_has_no_group_of_the_mapping_stays_out_and_keeps_no_role(
    app: Flask, client: FlaskClient, provider: Provider, state: State
) -> None:
    map_roles(app)
    provider.account["groups"] = ["others"]
    refused(sign_in(client, provider), "None of your groups")
    assert len(state.rows("users")) == 1
    provider.account["groups"] = "bvo-ops"  # some providers send one group so
    session = app.test_client()
    assert roles_of(signed_in(session, provider)) == ["Read Only"]
    provider.account["groups"] = {"bvo-admins": True}
    refused(sign_in(client, provider), "None of your groups")
    assert session.get("/api/auth/me").get_json()["roles"] == []


def test_without_a_mapping_groups_give_nothing_and_take_nothing_away(
    app: Flask, admin: Api, client: FlaskClient, provider: Provider
) -> None:
    provider.account["groups"] = ["Administrator", "bvo-admins"]
    me = signed_in(client, provider)
    assert (me["roles"], me["permissions"]["flat"]) == ([], {})
    admin.ok(admin.post(f"/api/access/users/{me['user']['id']}/roles", {"role_ids": [2]}))
    assert roles_of(signed_in(client, provider)) == ["Read Only"]


def test_the_last_administrator_stays_one_and_is_told(
    app: Flask, admin: Api, client: FlaskClient, provider: Provider
) -> None:
    map_roles(app)
    provider.account["groups"] = ["bvo-admins"]
    signed_in(client, provider)
    admin.ok(admin.put("/api/access/users/1", {"is_active": False}))
    provider.account["groups"] = ["bvo-ops"]
    refused(sign_in(client, provider), "last administrator")


@on_sqlite
def test_what_the_id_token_leaves_out_is_asked_for(app: Flask, client: FlaskClient, provider: Provider) -> None:
    map_roles(app)
    provider.thin = True
    me = signed_in(client, provider)
    assert (me["user"]["username"], roles_of(me)) == ("ada", ["Read Only"])
    provider.userinfo = {"sub": "somebody-else"}
    refused(sign_in(client, provider), "somebody else")


# --- what is refused


def tampered(token: str) -> str:
    header, claims, signature = token.split(".")
    return f"{header}.{claims}.{'A' * 20}{signature[20:]}"


NOW = int(time.time())
FORGED: dict[str, Callable[[Provider], object]] = {
    "nonce": lambda provider: provider.claims.update(nonce="another"),
    "no nonce": lambda provider: provider.claims.update(nonce=None),
    "iss": lambda provider: provider.claims.update(iss="https://login.example.org"),
    "aud": lambda provider: provider.claims.update(aud=["another-client"]),
    "aud though azp is ours": lambda provider: provider.claims.update(aud="another-client", azp="bvo"),
    "aud without azp": lambda provider: provider.claims.update(aud=["bvo", "another-client"]),
    "azp": lambda provider: provider.claims.update(aud=["bvo", "another-client"], azp="another-client"),
    "exp": lambda provider: provider.claims.update(exp=NOW - 3600),
    "exp that is no number": lambda provider: provider.claims.update(exp="tomorrow"),
    "iat": lambda provider: provider.claims.update(iat=NOW + 3600),
    "no sub": lambda provider: provider.claims.update(sub=""),
    "at_hash": lambda provider: provider.claims.update(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "no signature": lambda provider: setattr(provider, "forge", unsigned),
    "HMAC": lambda provider: setattr(provider, "forge", lambda token: signed_with_the_public_key(token, provider.key)),
    "signature": lambda provider: setattr(provider, "forge", tampered),
    "another key of the same name": lambda provider: provider.rotate("first", publish=False),
    "unknown key": lambda provider: provider.rotate(publish=False),
    "no token": lambda provider: setattr(provider, "forge", lambda token: ""),
}


@on_sqlite
@pytest.mark.parametrize("forgery", FORGED)
def test_an_id_token_that_does_not_hold_lets_nobody_in(
    client: FlaskClient, provider: Provider, state: State, forgery: str
) -> None:
    FORGED[forgery](provider)
    refused(sign_in(client, provider), "Example Ltd sent an ID token that does not hold")
    assert len(state.rows("users")) == 1
    assert [row["action"] for row in state.rows("events")] == ["auth.login_failed"]


@on_sqlite
def test_clocks_may_differ_a_little(client: FlaskClient, provider: Provider) -> None:
    now = int(time.time())
    provider.claims = {"iat": now + 30, "exp": now - 30}
    signed_in(client, provider)


@on_sqlite
def test_new_keys_are_fetched_once_and_not_again_and_again(
    client: FlaskClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in(client, provider)
    signed_in(client, provider)
    assert (provider.calls["/keys"], provider.calls["/.well-known/openid-configuration"]) == (1, 1)
    provider.rotate()
    refused(sign_in(client, provider), "does not hold")  # the keys here are seconds old
    assert provider.calls["/keys"] == 1
    monkeypatch.setattr(providers, "FRESH_SECONDS", 0)
    signed_in(client, provider)
    assert provider.calls["/keys"] == 2
    provider.rotate("third", publish=False)
    refused(sign_in(client, provider), "does not hold")
    assert provider.calls["/keys"] == 3


@on_sqlite
def test_a_code_works_once(app: Flask, client: FlaskClient, provider: Provider) -> None:
    way_back = provider.decide(begin(client))
    kept = client.get_cookie("bvo_oidc")
    assert kept
    assert end(client, way_back).status_code == 302
    assert client.get_cookie("bvo_oidc") is None
    client.post("/api/auth/logout")
    refused(end(client, way_back), "did not begin in this browser")
    copied = app.test_client()
    copied.set_cookie("bvo_oidc", kept.value)
    refused(end(copied, way_back), "used before")


@on_sqlite
def test_an_answer_for_another_browser_lets_nobody_in(app: Flask, provider: Provider, state: State) -> None:
    mallory, victim = app.test_client(), app.test_client()
    way_back = provider.decide(begin(mallory))
    refused(end(victim, way_back), "did not begin in this browser")
    begin(victim)
    refused(end(victim, way_back), "did not begin in this browser")
    victim.set_cookie("bvo_oidc", "forged.cookie.value")
    refused(end(victim, way_back), "did not begin in this browser")
    assert provider.calls["/token"] == 0
    assert {row["action"] for row in state.rows("events")} == {"auth.login_failed"}


@on_sqlite
def test_a_sign_in_must_end_in_time(client: FlaskClient, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    way_back = provider.decide(begin(client))
    monkeypatch.setattr(attempts, "MAX_SECONDS", -1)
    refused(end(client, way_back), "more than ten minutes")


@on_sqlite
def test_an_answer_in_the_name_of_another_provider_is_refused(client: FlaskClient, provider: Provider) -> None:
    way_back = provider.decide(begin(client))
    refused(end(client, f"{way_back}&iss=https://login.example.org"), "another provider")


@on_sqlite
def test_whoever_cancels_comes_back_to_the_login_page(client: FlaskClient, provider: Provider, state: State) -> None:
    answer = end(client, provider.decide(begin(client, next="/ui/jobs/"), "cancel"))
    refused(answer, "You were not let in at Example Ltd, or cancelled there.")
    assert 'href="/ui/oidc/login?next=/ui/jobs/"' in answer.text
    assert "cancelled" in state.rows("events")[-1]["message"]


@on_sqlite
def test_what_a_provider_says_of_an_error_is_shown_as_text_or_not_at_all(client: FlaskClient) -> None:
    state = parse_qs(urlsplit(begin(client)).query)["state"][0]
    answer = client.get("/ui/oidc/callback", query_string={"state": state, "error": "<b>x</b>"}, headers=HTML)
    refused(answer, "Example Ltd answered with an error: unknown.")


@on_sqlite
@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:1", "/" + "x" * 3000],
)
def test_a_sign_in_leads_to_no_other_site(client: FlaskClient, provider: Provider, target: str) -> None:
    assert sign_in(client, provider, next=target).location == "/ui/"


@on_sqlite
def test_after_many_failures_an_address_waits(app: Flask, client: FlaskClient, provider: Provider) -> None:
    for _ in range(10):
        refused(client.get("/ui/oidc/callback", headers=HTML))
    way_back = provider.decide(begin(client))
    answer = end(client, way_back)
    refused(answer, "Too many attempts", status=429)
    assert 0 < int(answer.headers["Retry-After"]) <= 30
    with app.app_context(), transaction() as session:
        session.execute(delete(AttemptCount))
    for _ in range(12):
        signed_in(client, provider)


# --- the provider


@on_sqlite
def test_a_provider_that_is_down_is_told_on_the_login_page_and_found_again(
    client: FlaskClient, provider: Provider
) -> None:
    provider.failing = True
    refused(client.get("/ui/oidc/login?next=/ui/jobs/", headers=HTML), "Example Ltd can't be reached", status=503)
    provider.failing = False
    way_back = provider.decide(begin(client))
    provider.failing = True
    refused(end(client, way_back), "Example Ltd can't be reached", status=503)
    provider.failing = False
    signed_in(client, provider)


@on_sqlite
@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ({"issuer": "https://login.example.org"}, "it calls itself 'https://login.example.org'"),
        ({"authorization_endpoint": "http://login.example.org/authorize"}, "no usable authorization_endpoint"),
        ({"token_endpoint": None}, "no usable token_endpoint"),
        ({"userinfo_endpoint": "javascript:1"}, "no usable userinfo_endpoint"),
    ],
)
def test_a_provider_that_is_not_what_it_should_be_is_not_used(
    client: FlaskClient, provider: Provider, metadata: dict[str, Any], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    provider.metadata = metadata
    refused(client.get("/ui/oidc/login", headers=HTML), "not set up right", status=503)
    assert reason in caplog.text


@on_sqlite
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_the_client_shows_its_secret_as_the_provider_wants_it(
    client: FlaskClient, provider: Provider, method: str
) -> None:
    provider.metadata = {"token_endpoint_auth_methods_supported": [method]}
    signed_in(client, provider)
    assert provider.client.shown_by == method


@on_sqlite
def test_a_wrong_client_secret_is_told_to_the_operator(
    app: Flask, client: FlaskClient, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    known = app.extensions["bvo_oidc"].configuration
    app.extensions["bvo_oidc"] = providers.Provider(dataclasses.replace(known, client_secret="guessed"))
    refused(sign_in(client, provider), "not set up right", status=503)
    app.extensions["bvo_oidc"] = providers.Provider(known)
    assert "invalid_client" in caplog.text
    assert "guessed" not in caplog.text


@on_sqlite
def test_the_provider_gets_what_it_needs_and_no_more(admin: Api, client: FlaskClient, provider: Provider) -> None:
    asked = parse_qs(urlsplit(begin(client)).query)
    proofs = {"state", "nonce", "code_challenge", "code_challenge_method"}
    assert asked.keys() == {"response_type", "client_id", "redirect_uri", "scope"} | proofs
    assert asked["redirect_uri"] == ["http://localhost/ui/oidc/callback"]
    assert (asked["code_challenge_method"], asked["scope"]) == (["S256"], ["openid profile email"])
    admin.ok(admin.put("/api/settings/general", {"public_url": "https://bvo.example.com/"}))
    asked = parse_qs(urlsplit(begin(client)).query)
    assert asked["redirect_uri"] == ["https://bvo.example.com/ui/oidc/callback"]


@on_sqlite
def test_no_secret_is_logged_or_recorded(
    client: FlaskClient, provider: Provider, state: State, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    seen: list[str] = []
    provider.forge = lambda token: seen.append(token) or token  # type: ignore[func-returns-value]
    ways_back = [provider.decide(begin(client)), provider.decide(begin(client), "cancel")]
    codes = list(provider.codes)
    for way_back in ways_back:
        end(client, way_back)
    signed_in(client, provider)
    secrets = [CLIENT_SECRET, *seen, *codes, *provider.tokens]
    assert len(secrets) == 4
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("authlib.oauth2.")]
    everything = f"{ours} {state.rows('events')}"  # the provider is in this process, and logs what it likes
    assert [secret for secret in secrets if secret in everything] == []


@on_sqlite
def test_the_cookie_of_a_sign_in_is_for_this_server_alone(
    client: FlaskClient, provider: Provider, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in provider.environment().items():
        monkeypatch.setenv(name, value)
    production = make_app(BVO_ENV="production").test_client()
    for browser, start in ((client, "bvo_oidc="), (production, "__Host-bvo_oidc=")):
        answer = browser.get("/ui/oidc/login", headers=HTML)
        (cookie,) = answer.headers.getlist("Set-Cookie")
        assert cookie.startswith(start)
        assert {"HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=600"} <= set(cookie.split("; "))
        assert ("Secure" in cookie) is start.startswith("__Host-")


# --- how it is set up


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., configuration.Configuration | None]:
    def load(**values: str) -> configuration.Configuration | None:
        valid = {"ISSUER": "https://login.example.com/", "CLIENT_ID": "bvo", "CLIENT_SECRET": "hidden"}
        for name, value in {**valid, **values}.items():
            monkeypatch.setenv(f"BVO_OIDC_{name}", value)
        return configuration.load()

    return load


def test_the_configuration_has_defaults(configured: Callable[..., Any], tmp_path: Path) -> None:
    found = configured()
    assert (found.label, found.scopes, found.groups_claim, found.roles) == (
        "login.example.com", "openid profile email", "groups", ()
    )  # fmt: skip
    (tmp_path / "secret").write_text("of a file\n")
    found = configured(CLIENT_SECRET_FILE=str(tmp_path / "secret"), ROLES=" a = b = Read Only , c=Administrator,")
    assert found.client_secret == "of a file"
    assert found.roles == (("a = b", "Read Only"), ("c", "Administrator"))
    assert "of a file" not in repr(found)
    assert configured(ISSUER="") is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ISSUER": "http://login.example.com"}, "BVO_OIDC_ISSUER is 'http://login.example.com': use an address like"),
        ({"ISSUER": "login.example.com"}, "BVO_OIDC_ISSUER is"),
        ({"ISSUER": "https://[login"}, "BVO_OIDC_ISSUER is"),
        ({"CLIENT_ID": ""}, "BVO_OIDC_CLIENT_ID is not set"),
        ({"CLIENT_SECRET": ""}, "BVO_OIDC_CLIENT_SECRET is not set"),
        ({"CLIENT_SECRET_FILE": "/nowhere"}, "BVO_OIDC_CLIENT_SECRET_FILE points to /nowhere, which can't be read"),
        ({"SCOPES": "profile"}, "BVO_OIDC_SCOPES is 'profile': name openid among them"),
        ({"ROLES": "admins"}, "BVO_OIDC_ROLES has 'admins': use group=role"),
        ({"ROLES": "a=b,=c"}, "BVO_OIDC_ROLES has '=c'"),
    ],
)
def test_a_wrong_configuration_stops_the_start(
    configured: Callable[..., Any], tmp_path: Path, values: dict[str, str], message: str
) -> None:
    with pytest.raises(StartupError, match=f"^{message}"):
        configured(**values)
    with pytest.raises(StartupError, match=r"^BVO_OIDC_"):
        create_app({"BVO_DATA_DIR": tmp_path})


def test_a_missing_library_is_named(configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "authlib", None)
    with pytest.raises(StartupError, match=r"pip install 'bv-orchestrator\[oidc\]'"):
        configured()


def test_without_an_issuer_there_is_nothing_and_nothing_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys; from bvo import create_app; app = create_app({'BVO_DATA_DIR': sys.argv[1]});"
        "print([rule.rule for rule in app.url_map.iter_rules() if 'oidc' in rule.rule],"
        " {'authlib', 'joserfc', 'bvo_oidc.pages'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] set()"


@on_sqlite
def test_an_issuer_that_is_not_there_stops_no_start(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"ISSUER": "http://127.0.0.1:9", "CLIENT_ID": "bvo", "CLIENT_SECRET": "hidden"}.items():
        monkeypatch.setenv(f"BVO_OIDC_{name}", value)
    client = make_app().test_client()
    assert "Sign in with 127.0.0.1:9" in client.get("/ui/login", headers=HTML).text
    refused(client.get("/ui/oidc/login", headers=HTML), "can't be reached", status=503)


def test_the_migrations_make_the_table_of_the_model(app: Flask) -> None:
    with app.app_context():
        (branch,) = (branch for branch in migrations.branches() if branch.name == "oidc")
        assert branch.tables == {"oidc_identities"}
        migrations.check(branch)
