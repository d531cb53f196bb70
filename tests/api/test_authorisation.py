"""Who may call which route: every rule of the app, as every kind of caller."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
import pytest
from flask import Flask
from sqlalchemy import update

from bvo import session_store
from bvo.access import Access
from bvo.database import transaction, utcnow
from bvo.session_store import SDK
from bvo_hookspecs import Principal
from bvo_hookspecs.entities import OPERATIONS
from bvo_sdk import tokens as sdk_tokens
from bvo_tokens.models import ApiToken
from conftest import token_of
from support.api import Api
from support.problems import refused
from support.state import State
from support.work import Work, claim

PUBLIC = {
    "GET /",
    "GET /healthz",
    "GET /ui/forgot",
    "GET /ui/logged-out",
    "GET /ui/login",
    "GET /ui/reset",
    "GET /ui/static/<path:name>",
    "GET /api/sdk/auth/status",
    "GET /docs",
    "GET /openapi.json",
    "POST /api/auth/forgot",
    "POST /api/auth/login",
    "POST /api/auth/refresh",
    "POST /api/auth/register",
    "POST /api/auth/reset",
    "POST /api/runner/register-robot",
    "POST /api/sdk/auth/start",
    "POST /api/sdk/auth/status",
    "POST /ui/forgot",
    "POST /ui/login",
    "POST /ui/reset",
}
"""Open to everyone. A new public route fails the test until it stands here."""

ANY_USER = {
    "DELETE /api/auth/sessions/<id>",
    "GET /api/auth/sessions",
    "GET /sdk-auth",
    "GET /ui/",
    "GET /ui/<entity>/",
    "GET /ui/<entity>/bulk",
    "GET /ui/<entity>/export.csv",
    "GET /ui/<entity>/rows",
    "GET /ui/<entity>/<id>",
    "GET /ui/<entity>/<id>/edit",
    "GET /ui/<entity>/<id>/live",
    "GET /ui/<entity>/new",
    "GET /ui/<entity>/suggestions",
    "GET /ui/cards",
    "GET /ui/palette",
    "GET /ui/profile",
    "GET /ui/search",
    "GET /ui/styleguide",
    "POST /api/auth/logout",
    "POST /api/sdk/auth/confirm",
    "POST /api/sdk/auth/deny",
    "POST /sdk-auth",
    "POST /ui/<entity>/<id>/<action>",
    "POST /ui/<entity>/<id>/edit",
    "POST /ui/<entity>/bulk",
    "POST /ui/<entity>/new",
    "POST /ui/logout",
    "POST /ui/profile/password",
    "POST /ui/profile/sessions/<id>/end",
}
"""For users whatever their roles; what the pages show is checked for each entity type inside."""

ROBOTS = {
    "GET /api/packages/<id>/download",
    "GET /api/runner/assets/<path:name>",
    "POST /api/runner/heartbeat",
    "POST /api/runner/jobs/<id>/artifacts",
    "POST /api/runner/jobs/<id>/log",
    "POST /api/runner/jobs/<id>/release",
    "POST /api/runner/jobs/<id>/stopped",
    "POST /api/runner/jobs/<id>/update",
    "POST /api/runner/next-job",
    "POST /api/runner/queue-items/<id>/complete",
    "POST /api/runner/queue-items/<id>/fail",
    "POST /api/runner/queue-items/<id>/release",
    "POST /api/runner/queue-items/<id>/renew",
    "POST /api/runner/queues/<path:name>/items",
    "POST /api/runner/queues/<path:name>/next",
}
"""For robots alone."""

TOOLS = {"GET /api/assets", "GET /api/queues", "POST /api/queue-items", "POST /api/queue-items/bulk"}
"""For users and API tokens with the permission, and for tools with an SDK token."""

ANY_TOKEN = {"GET /api/auth/me"}
"""For users and API tokens, whatever they may do."""

PEOPLE = {
    "GET /ui/event-types",
    "GET /ui/event-types/<name>",
    "GET /ui/plugins",
    "GET /ui/settings",
    "GET /ui/settings/<group>",
    "POST /api/api-tokens",
    "POST /ui/settings/<group>",
    "POST /ui/settings/email/test",
    "POST /ui/webhooks/<id>/replay",
}
"""For users with the permission, and for no API token."""

END_SESSIONS = {
    "DELETE /api/auth/sessions/<id>",
    "DELETE /api/sessions/<id>",
    "POST /api/access/users/<id>/end_sessions",
    "POST /api/auth/logout",
    "POST /ui/logout",
    "POST /ui/profile/password",
    "POST /ui/profile/sessions/<id>/end",
}
"""They may end the sessions of those who call afterwards, who log in anew for each of them."""

OF_A_JOB: dict[str, Callable[[], dict[str, Any]]] = {
    "GET /api/packages/<id>/download": dict,
    "GET /api/runner/assets/<path:name>": dict,
    "POST /api/runner/jobs/<id>/artifacts": lambda: {"data": {"file": (io.BytesIO(b"x"), "a.txt")}},
    "POST /api/runner/jobs/<id>/log": lambda: {"json": {"sequence": 1, "text": "x"}},
    "POST /api/runner/jobs/<id>/update": lambda: {"json": {"status": "completed"}},
}
"""Of the routes for robots those for the one that runs the job, with what they take. The last one ends the job."""

OF_A_JOB_THAT_IS_OVER = {"POST /api/runner/jobs/<id>/release", "POST /api/runner/jobs/<id>/stopped"}
"""For the robot that runs it, or ran it; shown where cancelling and giving up are tested."""

GUARD = re.compile(
    "Not authenticated|A [a-z]+ may not call this|You lack the permission|.*(expired|revoked|disabled|ended)"
)
"""How those are refused who are not let in; a service may have reasons of its own, once it is asked."""

OF_ANY_JOB = {"POST /api/runner/queues/<path:name>/items", "POST /api/runner/queues/<path:name>/next"}
"""For every robot that runs a job, under the lease of that job: shown where queue items are tested."""

OF_AN_ITEM: dict[str, dict[str, Any]] = {
    "POST /api/runner/queue-items/<id>/renew": {},
    "POST /api/runner/queue-items/<id>/fail": {"error_message": "x", "retry_after_seconds": 0},
    "POST /api/runner/queue-items/<id>/release": {},
    "POST /api/runner/queue-items/<id>/complete": {},
}
"""Of the routes for robots those for the job that holds the queue item, with what they take beside its lease."""


@dataclass(frozen=True)
class Caller:
    """Somebody who calls every route: `refusal` has words of the 401 that those get who are nobody here."""

    api: Api
    kind: str = ""
    may: Callable[[str], bool] = lambda permission: False
    refusal: str = ""
    log_in: Callable[[], Api] | None = None


@pytest.fixture
def callers(app: Flask, admin: Api, user_with: Callable[..., Api]) -> dict[str, Caller]:
    nobody, reader, disabled = user_with(), user_with(), user_with()
    admin.ok(admin.post("/api/access/users/3/roles", {"role_ids": [2]}))  # Read Only
    admin.ok(admin.put("/api/access/users/4", {"is_active": False}))
    artifacts = app.extensions["bvo"].artifacts()
    every = [f"{artifact}:{operation}" for artifact in artifacts for operation in OPERATIONS]
    admin.a_robot("robot-1")
    api_token(admin, "first", every)  # like the first robot: what a DELETE with the id 1 removes

    def bearer(token: str) -> Api:
        return Api(admin.client, Authorization=f"Bearer {token}")

    def log_in(user_id: int) -> Callable[[], Api]:
        return lambda: bearer(token_of(app, user_id))

    def tool(hours: int) -> Api:
        with app.app_context():
            user = Principal(kind="user", id=1, name="admin")
            return bearer(sdk_tokens.issue(session_store.begin(user, SDK, timedelta(hours=hours))))

    everything, expired, revoked = (api_token(admin, name, every) for name in ("everything", "expired", "revoked"))
    other = api_token(admin, "something else", ["settings:create"])  # which no route asks for
    with app.app_context(), transaction() as session:
        session.execute(update(ApiToken).where(ApiToken.id == expired["id"]).values(expires_at=utcnow()))
    assert admin.delete(f"/api/api-tokens/{revoked['id']}").status_code == 204
    return {
        "nobody at all": Caller(Api(admin.client), refusal="Not authenticated"),
        "a session that has expired": Caller(bearer(expired_session(app)), refusal="session has expired"),
        "a session that was ended": Caller(disabled, refusal="session was ended"),
        "the session of a disabled user": Caller(log_in(4)(), refusal="disabled", log_in=log_in(4)),
        "an API token that has expired": Caller(bearer(expired["token"]), refusal="API token has expired"),
        "an API token that was revoked": Caller(bearer(revoked["token"]), refusal="revoked"),
        "an SDK token that has expired": Caller(tool(-1), refusal="SDK token has expired"),
        "a robot": Caller(admin.a_robot("robot-2")[1], "robot"),
        "a user without roles": Caller(nobody, "user", log_in=log_in(2)),
        "a user who may look": Caller(
            reader, "user", lambda permission: permission.endswith(":view"), log_in=log_in(3)
        ),
        "an administrator": Caller(admin, "user", lambda permission: True, log_in=log_in(1)),
        "an API token for something else": Caller(bearer(other["token"]), "token"),
        "an API token for everything": Caller(bearer(everything["token"]), "token", lambda permission: True),
        "a tool": Caller(tool(1), "sdk", sdk_tokens.ALLOWED.__contains__, log_in=lambda: tool(1)),
    }


def api_token(giver: Api, name: str, scopes: list[str]) -> dict[str, Any]:
    token: dict[str, Any] = giver.ok(giver.post("/api/api-tokens", {"name": name, "scopes": scopes}))
    return token


def may_look(permission: str) -> bool:
    return permission.endswith(":view")


def expired_session(app: Flask) -> str:
    claims = jwt.decode(token_of(app, 1), options={"verify_signature": False})
    return jwt.encode({**claims, "exp": utcnow() - timedelta(seconds=1)}, app.config["JWT_SECRET_KEY"])


def routes(app: Flask) -> Iterator[tuple[str, str, str, Access]]:
    """Of each rule and method: its name above, method, a path that fits, and what its view declares."""
    for rule in app.url_map.iter_rules():
        access = getattr(app.view_functions[rule.endpoint], "bvo_access", None)
        assert isinstance(access, Access), f"{rule} declares no access"
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            name = f"{method} {re.sub(r'<int[^>]*:row_id>', '<id>', rule.rule)}"
            yield name, method, re.sub(r"<[^>]*>", "1", rule.rule), access


def let_in(name: str) -> str:
    """The kinds of callers that a route is for, as its refusals name them."""
    if name in ROBOTS:
        return "robot"
    if name in ANY_USER | PEOPLE:
        return "user"
    return "sdk, token, user" if name in TOOLS else "token, user"


def expected(caller: Caller, name: str, permission: str | None) -> tuple[int | None, str]:
    """The status with which the caller is refused at the door, None for who is let in; and what the answer says."""
    if caller.refusal:
        return 401, caller.refusal
    if caller.kind not in let_in(name).split(", "):
        return 403, f"A {caller.kind} may not call this; it is for: {let_in(name)}."
    if permission and not caller.may(permission):
        return 403, f"You lack the permission {permission}. Ask an administrator for a role that has it."
    return None, ""


def call(who: Api, method: str, path: str) -> tuple[int, str]:
    """The status, and what a refusal says."""
    with who.client.open(path, method=method, headers={**who.headers, "Accept": "application/json"}) as answer:
        if answer.status_code in (401, 403):
            return answer.status_code, refused(answer, answer.status_code)["detail"]
        assert answer.status_code < 500, answer.text
        return answer.status_code, ""


def test_every_route_lets_in_whom_it_declares_and_nobody_else(
    app: Flask, callers: dict[str, Caller], subtests: pytest.Subtests
) -> None:
    seen = set()
    for name, method, path, access in sorted(routes(app), key=lambda route: route[0] in END_SESSIONS):
        seen.add(name)
        if name in PUBLIC:
            assert access.public, name
            continue
        with subtests.test(name):
            if name in ANY_USER | ANY_TOKEN | ROBOTS:
                assert access.permission is None
            else:
                assert access.permission, "it is open to everyone who is somebody: list it above, or ask for more"
                assert access.permission.endswith(":view") == (method == "GET")
            for who, caller in callers.items():
                api = caller.log_in() if caller.log_in and name in END_SESSIONS else caller.api
                status, detail = call(api, method, path)
                wanted, words = expected(caller, name, access.permission)
                assert (status if GUARD.match(detail) else None) == wanted, f"{who}: {status} {detail}"
                assert words in detail, who
    assert seen >= PUBLIC | ANY_USER | ANY_TOKEN | TOOLS | PEOPLE | ROBOTS, "what does not exist need not be listed"


def test_what_belongs_to_a_job_is_for_the_robot_that_runs_it(work: Work, state: State) -> None:
    """The other robot has a job of its own, and has got hold of this one's lease."""
    assert {
        name for name in ROBOTS if "<" in name
    } == OF_A_JOB_THAT_IS_OVER | OF_ANY_JOB | OF_AN_ITEM.keys() | OF_A_JOB.keys()
    admin, job = work.admin, work.job
    admin.ok(
        admin.post("/api/assets", {"name": "1", "type": "text", "value": "x", "process_ids": [job["process"]["id"]]})
    )
    other = admin.a_robot("robot-2")[1]
    admin.a_job(admin.a_process("Other"))
    leases = (claim(other)["lease_token"], work.lease, "")
    assert (job["id"], job["package"]["id"]) == (1, 1)
    for name, body in OF_A_JOB.items():
        method, path = re.sub(r"<[^>]*>", "1", name).split()

        def status(robot: Api, lease: str, method: str = method, path: str = path, body: Any = body) -> int:
            headers = {**robot.headers, "X-Lease-Token": lease}
            with robot.client.open(path, method=method, headers=headers, **body()) as answer:
                return int(answer.status_code)

        for lease in leases:
            with state.denied():
                assert status(other, lease) in (403, 404, 409), name
        assert status(work.api, work.lease) in (200, 201), name


def test_what_belongs_to_a_queue_item_is_for_the_job_that_holds_it(work: Work, state: State) -> None:
    """The other robot has a job of its own, and has got hold of this one's leases: of its job, and of its item."""
    admin = work.admin
    admin.ok(admin.post("/api/queues", {"name": "q"}))
    admin.ok(admin.post("/api/queue-items", {"queue_name": "q"}))
    other = admin.a_robot("robot-2")[1]
    admin.a_job(admin.a_process("Other"))
    leases = (claim(other)["lease_token"], work.lease, "")

    def post(robot: Api, path: str, lease: str, body: dict[str, Any]) -> Any:
        return robot.post(path, body, headers={"X-Lease-Token": lease})

    item: Any = None
    for name, body in OF_AN_ITEM.items():  # the next one is the same again, but where it was only renewed
        item = work.api.ok(post(work.api, "/api/runner/queues/q/next", work.lease, {}))["item"] or item
        path, sent = name.replace("<id>", "1").split()[1], {**body, "item_lease": item["item_lease"]}
        for lease in leases:
            with state.unchanged():
                assert post(other, path, lease, sent).status_code == (409 if lease else 422), name
        assert post(work.api, path, work.lease, sent).status_code == 200, name
