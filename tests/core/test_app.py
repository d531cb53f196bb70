"""The app as a whole: its front door, its health, its errors, what operators may set."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, Response, abort, redirect
from marshmallow import ValidationError
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import NotFound

import bvo
from bvo import access, logs, sessions, settings, stores
from bvo.access import public
from bvo.config import Config
from bvo.database import db, transaction
from bvo.errors import StartupError
from bvo.event_log import LoggedEvent
from bvo_access.models import User
from bvo_hookspecs import AuthProvider, HealthCheck, PackageStore, Principal, Seed, StartCheck
from support.api import Api
from support.plugins import Site

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


# --- the front door


def test_clients_are_greeted_with_the_version_and_browsers_sent_to_the_web_ui(anonymous: Api) -> None:
    assert anonymous.ok(anonymous.get("/")) == {"message": "BV Orchestrator", "version": bvo.__version__}
    page = anonymous.get("/", headers=HTML)
    assert (page.status_code, page.headers["Location"]) == (302, "/ui/")


def test_without_a_web_ui_browsers_are_greeted_as_clients_are(sqlite_app: Callable[..., Flask]) -> None:
    client = sqlite_app(BVO_DISABLED_PLUGINS="webui").test_client()
    assert client.get("/", headers=HTML).get_json()["version"] == bvo.__version__
    assert client.get("/api/nowhere", headers=HTML).mimetype == "application/problem+json"
    assert client.get("/nowhere", headers=HTML).mimetype == "application/problem+json"


def test_without_a_web_ui_no_plugin_has_a_page(
    sqlite_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    for name, value in {"ISSUER": "http://127.0.0.1:9", "CLIENT_ID": "bvo", "CLIENT_SECRET": "hidden"}.items():
        monkeypatch.setenv(f"BVO_OIDC_{name}", value)
    app = sqlite_app(BVO_DISABLED_PLUGINS="webui")
    pages = [rule for rule in app.url_map.iter_rules() if not rule.rule.startswith(("/api/", "/openapi.json"))]
    refused = [(rule, method) for rule in pages for method in sorted(rule.methods & {"GET", "POST"})]
    refused = [(rule, method) for rule, method in refused if rule.rule not in ("/", "/healthz")]
    assert {rule.rule for rule, _ in refused} >= {"/sdk-auth", "/ui/forgot", "/ui/profile", "/ui/oidc/login"}
    for rule, method in refused:
        with subtests.test(f"{method} {rule.rule}"):
            answer = app.test_client().open(re.sub("<int:[^>]*>|<[^>]*>", "1", rule.rule), method=method)
            assert answer.status_code == 404
            assert "The web UI is disabled here" in answer.get_json()["detail"]


def test_importing_the_package_imports_no_framework_and_flask_finds_the_app(tmp_path: Path) -> None:
    from flask.cli import ScriptInfo

    app = ScriptInfo(create_app=lambda: bvo.create_app({"BVO_DATA_DIR": tmp_path})).load_app()
    assert app.name == "bvo"


# --- health


def test_a_healthy_server_says_so_to_everybody(anonymous: Api) -> None:
    answer = anonymous.get("/healthz")
    assert answer.status_code == 200
    body = answer.get_json()
    assert (body["status"], body["version"]) == ("ok", bvo.__version__)
    assert body["checks"]["database"] == "ok"


def test_an_unhealthy_server_names_the_part_without_the_reason_and_asks_every_other(
    site: Site, make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    def breaks() -> None:
        db.session.execute(text("SELECT nothing FROM nowhere"))

    def asks() -> None:
        db.session.execute(text("SELECT 1"))

    checks = [HealthCheck(name="licence", check=breaks), HealthCheck(name="roof", check=asks)]
    site.plug("house", health_checks=checks)
    answer = make_app().test_client().get("/healthz")
    assert answer.status_code == 503
    body = answer.get_json()
    assert body["status"] == "unhealthy"
    assert (body["checks"]["licence"], body["checks"]["roof"], body["checks"]["database"]) == ("failed", "ok", "ok")
    assert "nowhere" not in answer.get_data(as_text=True)
    assert "'licence' of the plugin 'house' failed" in caplog.text
    assert "nowhere" in caplog.text


# --- errors


@pytest.fixture
def failing(site: Site, sqlite_app: Callable[..., Flask]) -> Api:
    """Clients of an app with routes that fail in every way."""

    def unreachable() -> None:
        raise OperationalError("SELECT", {}, Exception("10.0.0.7 does not answer"))

    def crash() -> None:
        secret = "geheim"  # noqa: F841 - must not show
        raise ZeroDivisionError("unspeakable")

    def not_text() -> None:
        b"\xff".decode()

    routes = {
        "unreachable": unreachable,
        "crash": crash,
        "not-text": not_text,
        "gone": lambda: abort(410, "It was here until May."),
        "elsewhere": lambda: redirect("/"),
        "ready-made": lambda: abort(Response("as it is", 418)),
    }
    blueprint = Blueprint("failing", __name__)
    for name, view in routes.items():
        blueprint.add_url_rule(f"/failing/{name}", endpoint=name, view_func=public(view))
    site.plug("failing", blueprints=[blueprint])
    return Api(sqlite_app().test_client())


@pytest.mark.parametrize(
    ("route", "status", "detail"),
    [
        ("unreachable", 503, "busy or can't be reached"),
        ("crash", 500, "It was logged; nothing was changed"),
        ("not-text", 400, "not UTF-8"),
        ("gone", 410, "It was here until May."),
    ],
)
def test_every_error_is_a_problem_that_says_what_to_do(failing: Api, route: str, status: int, detail: str) -> None:
    answer = failing.get(f"/failing/{route}")
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json")
    problem = answer.get_json()
    assert problem["status"] == status
    assert detail in problem["detail"]
    for secret in ("10.0.0.7", "unspeakable", "geheim"):
        assert secret not in answer.get_data(as_text=True)


def test_what_is_retried_says_when(failing: Api) -> None:
    assert failing.get("/failing/unreachable").headers["Retry-After"] == "2"


def test_the_reason_of_an_unexpected_error_is_in_the_log(failing: Api, caplog: pytest.LogCaptureFixture) -> None:
    failing.get("/failing/crash")
    assert "GET /failing/crash failed" in caplog.text
    assert "unspeakable" in caplog.text


def test_redirects_and_ready_made_answers_pass(failing: Api) -> None:
    assert failing.get("/failing/elsewhere").status_code == 302
    assert failing.get("/failing/ready-made").get_data(as_text=True) == "as it is"


def test_browsers_get_a_page_and_api_paths_never(failing: Api) -> None:
    assert failing.get("/failing/gone", headers=HTML).mimetype == "text/html"
    assert failing.get("/api/nowhere", headers=HTML).mimetype == "application/problem+json"


# --- settings


def test_a_setting_has_its_default_until_it_is_stored(app_context: Flask) -> None:
    assert settings.get("security.session_minutes") == 480
    with transaction() as session:
        settings.write(session, "security", {"session_minutes": 30})
    assert settings.get("security.session_minutes") == 30
    assert settings.read("security")["session_minutes"] == 30


def test_unknown_groups_and_keys_are_refused_with_those_that_exist(app_context: Flask) -> None:
    with pytest.raises(NotFound, match=r"Unknown settings group 'securty'. There are: .*security"):
        settings.read("securty")
    with pytest.raises(ValidationError, match="Unknown field"), transaction() as session:
        settings.write(session, "security", {"session_minute": 30})
    with pytest.raises(KeyError):
        settings.get("security.nothing")


def test_a_wrong_value_stores_nothing_of_the_group(app_context: Flask) -> None:
    with pytest.raises(ValidationError), transaction() as session:
        settings.write(session, "security", {"session_minutes": "soon"})
    assert settings.get("security.session_minutes") == 480


# --- stores


class Memory:
    def __init__(self, folder: Path) -> None:
        self.folder = folder


def test_the_store_is_chosen_by_name_and_gets_the_data_folder(
    site: Site, sqlite_app: Callable[..., Flask], tmp_path: Path
) -> None:
    site.plug("memory", package_stores=[PackageStore(name="memory", connect=Memory)])  # type: ignore[arg-type]
    with sqlite_app(BVO_PACKAGE_STORE="memory").app_context():
        store = stores.current().by_name["memory"]
    assert isinstance(store, Memory)
    assert store.folder == tmp_path / "data"


def test_an_unknown_store_stops_the_start_with_those_that_exist(sqlite_app: Callable[..., Flask]) -> None:
    with pytest.raises(StartupError, match="BVO_PACKAGE_STORE names tape, cloud; there are: folder, s3"):
        sqlite_app(BVO_PACKAGE_STORE="folder,tape,cloud")


# --- sessions


def audited() -> list[tuple[str, str, str]]:
    rows = db.session.scalars(select(LoggedEvent).order_by(LoggedEvent.id))
    return [(row.action, row.actor_username, row.entity_name) for row in rows]


def test_logging_in_is_audited_whether_it_worked_or_not(app_context: Flask) -> None:
    found = sessions.log_in("admin", "admin123")
    assert found is not None
    assert found.is_admin
    assert sessions.log_in("admin", "wrong") is None
    assert sessions.log_in("x" * 500, "wrong") is None
    assert audited() == [
        ("auth.login", "admin", "admin"),
        ("auth.login_failed", "anonymous", "admin"),
        ("auth.login_failed", "anonymous", "x" * 100),
    ]


def test_the_first_provider_that_knows_the_user_decides_and_one_that_fails_lets_nobody_in(
    site: Site, make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    def fails(name: str, password: str) -> None:
        raise ConnectionError("ldap.internal does not answer")

    def knows_ada(name: str, password: str) -> Principal | None:
        return Principal(kind="user", id=1, name="ada") if (name, password) == ("ada", "lovelace") else None

    site.plug(
        "directory",
        auth_providers=[AuthProvider(name="ldap", login=fails), AuthProvider(name="book", login=knows_ada)],
    )
    with make_app().app_context():
        found = sessions.log_in("ada", "lovelace")
        assert found is not None
        assert found.name == "ada"
        assert sessions.log_in("ada", "wrong") is None
    assert "'ldap' of the plugin 'directory' failed; it lets nobody in" in caplog.text


def test_a_session_lives_in_a_cookie_that_scripts_can_not_read(sqlite_app: Callable[..., Flask]) -> None:
    for env, name, secure in (("development", "bvo_session", False), ("production", "__Host-bvo_session", True)):
        app = sqlite_app(BVO_ENV=env)
        with app.test_request_context():
            response = Response()
            sessions.start(response, Principal(kind="user", id=1, name="admin"))
        (cookie,) = (line for line in response.headers.getlist("Set-Cookie") if line.startswith(name))
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Path=/" in cookie
        assert f"Max-Age={8 * 3600}" in cookie
        assert ("Secure" in cookie) is secure


def test_a_form_needs_the_csrf_token_of_its_session(sqlite_app: Callable[..., Flask]) -> None:
    app = sqlite_app()
    with app.test_request_context():
        response = Response()
        sessions.start(response, Principal(kind="user", id=1, name="admin"))
    (cookie,) = (line for line in response.headers.getlist("Set-Cookie") if line.startswith("bvo_session"))
    value = cookie.partition("=")[2].partition(";")[0]
    with app.test_request_context(headers={"Cookie": f"bvo_session={value}"}):
        assert access.authenticate()
        token = sessions.csrf_token()
    client = app.test_client()
    client.set_cookie("bvo_session", value)
    assert client.get("/api/auth/me").status_code == 200
    assert client.post("/api/robots", json={"name": "a"}).status_code == 403
    assert client.post("/api/robots", json={"name": "a"}, headers={"X-CSRF-TOKEN": token}).status_code == 201


def test_without_a_session_there_is_no_csrf_token(app: Flask) -> None:
    with app.test_request_context():
        assert access.authenticate() is None
        assert sessions.csrf_token() == ""


def test_logging_out_removes_the_cookie_and_is_audited(app: Flask) -> None:
    with app.test_request_context():
        response = Response()
        sessions.end(response)
        assert "bvo_session=;" in "".join(response.headers.getlist("Set-Cookie"))
        assert audited()[-1][0] == "auth.logout"


# --- logs


@pytest.fixture
def logged(logging_restored: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Configures logging for an environment, logs an error, and returns what was written."""

    def write(env: str) -> str:
        stream = io.StringIO()
        monkeypatch.setattr("sys.stderr", stream)
        logs.configure(Config.load({"BVO_ENV": env, "BVO_DATA_DIR": tmp_path}))
        password = "ge" + "heim"  # its value stands in no line of the source
        try:
            raise LookupError("it failed" if password else "")
        except LookupError:
            logging.getLogger("bvo.test").exception("Job %s failed", 7)
        return stream.getvalue()

    return write


def test_production_logs_one_json_object_for_each_line(logged: Callable[[str], str]) -> None:
    entry: dict[str, Any] = json.loads(logged("production"))
    assert (entry["event"], entry["level"], entry["logger"]) == ("Job 7 failed", "error", "bvo.test")
    assert "LookupError: it failed" in entry["exception"]
    assert entry["timestamp"].endswith("Z")


def test_development_logs_readable_lines(logged: Callable[[str], str]) -> None:
    written = logged("development")
    assert "Job 7 failed" in written
    assert "LookupError: it failed" in written
    assert "\x1b[" not in written


@pytest.mark.parametrize("env", ["development", "production"])
def test_no_traceback_shows_the_values_of_variables(logged: Callable[[str], str], env: str) -> None:
    assert "geheim" not in logged(env)


# --- seeds and start checks


def test_seeds_run_in_the_order_of_requires(site: Site, sqlite_app: Callable[..., Flask]) -> None:
    from bvo import migrations

    ran: list[str] = []
    site.plug("after", requires=["before"], seeds=[Seed(name="walls", run=lambda: ran.append("walls"))])
    site.plug("before", seeds=[Seed(name="floor", run=lambda: ran.append("floor"))])
    with sqlite_app().app_context():
        migrations.seed()
    assert ran == ["floor", "walls"]


def test_a_start_check_learns_whether_others_can_reach_the_address(
    site: Site, sqlite_app: Callable[..., Flask]
) -> None:
    from bvo.cli import serve

    asked: list[bool] = []
    site.plug("checks", start_checks=[StartCheck(name="address", check=asked.append)])
    with sqlite_app().app_context():
        for user in db.session.query(User):
            assert user.username == "admin"
        for host in ("127.0.0.1", "127.1.2.3", "::1", "localhost"):
            serve._check_start(host)
        assert asked == [True] * 4
        for host in ("0.0.0.0", "::", "192.0.2.1", "bvo.example.com"):  # noqa: S104 - that it is seen as public
            with pytest.raises(StartupError, match="bvo users create-admin --username admin"):
                serve._check_start(host)
