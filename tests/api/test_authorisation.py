"""Who may call which route: every rule of the app, as every kind of caller."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from bvo.access import Access
from support.api import Api
from support.problems import refused

PUBLIC = {
    "GET /",
    "GET /healthz",
    "GET /ui/login",
    "GET /ui/static/<path:name>",
    "GET /api/sdk/auth/status",
    "GET /docs",
    "GET /openapi.json",
    "POST /api/auth/forgot",
    "POST /api/auth/login",
    "POST /api/auth/register",
    "POST /api/auth/reset",
    "POST /api/runner/register-robot",
    "POST /api/sdk/auth/start",
    "POST /api/sdk/auth/status",
    "POST /ui/login",
}
"""Open to everyone. A new public route fails the test until it stands here."""

ANY_USER = {
    "GET /api/auth/me",
    "GET /sdk-auth",
    "GET /ui/",
    "GET /ui/<entity>/",
    "GET /ui/<entity>/<id>",
    "GET /ui/<entity>/<id>/head",
    "GET /ui/<entity>/<id>/panels/<name>",
    "POST /api/sdk/auth/confirm",
    "POST /api/sdk/auth/deny",
    "POST /sdk-auth",
    "POST /ui/<entity>/<id>/<action>",
    "POST /ui/logout",
}
"""For users whatever their roles; what the pages show is checked for each entity type inside."""

ROBOTS = {
    "GET /api/packages/<id>/download",
    "GET /api/runner/assets/<name>",
    "POST /api/runner/heartbeat",
    "POST /api/runner/jobs/<id>/artifacts",
    "POST /api/runner/jobs/<id>/log",
    "POST /api/runner/jobs/<id>/update",
    "POST /api/runner/next-job",
}
"""For robots alone."""

TOOLS = {"GET /api/assets", "GET /api/queues", "POST /api/queue-items"}
"""For users, and for tools with an SDK token."""


def routes(app: Flask) -> Iterator[tuple[str, str, str, Access]]:
    """Of each rule and method: its name above, method, a path that fits, and what its view declares."""
    for rule in app.url_map.iter_rules():
        access = getattr(app.view_functions[rule.endpoint], "bvo_access", None)
        assert isinstance(access, Access), f"{rule} declares no access"
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            name = f"{method} {re.sub(r'<int[^>]*:row_id>', '<id>', rule.rule)}"
            yield name, method, re.sub(r"<[^>]*>", "1", rule.rule), access


def test_every_route_lets_in_whom_it_declares_and_nobody_else(
    app: Flask, admin: Api, user_with: Callable[..., Api], subtests: pytest.Subtests
) -> None:
    anonymous, nobody, reader = Api(admin.client), user_with(), user_with()
    admin.ok(admin.post("/api/access/users/3/roles", {"role_ids": [2]}))  # Read Only
    admin.a_robot("robot-1")  # the one that a test of DELETE removes
    robot = admin.a_robot("robot-2")[1]
    seen = set()
    for name, method, path, access in routes(app):
        seen.add(name)

        def call(who: Api, method: str = method, path: str = path) -> tuple[int, str]:
            with who.client.open(path, method=method, headers={**who.headers, "Accept": "application/json"}) as answer:
                if answer.status_code in (401, 403):
                    return answer.status_code, refused(answer, answer.status_code)["detail"]
                assert answer.status_code < 500, answer.text
                return answer.status_code, ""

        with subtests.test(name):
            if name in PUBLIC:
                assert access.public
            elif name in ROBOTS:
                assert call(anonymous)[0] == 401
                for user in (nobody, reader, admin):
                    assert call(user) == (403, "A user may not call this; it is for: robot.")
                assert "may not call this" not in call(robot)[1]
            else:
                assert call(anonymous)[0] == 401
                kinds = "sdk, user" if name in TOOLS else "user"
                assert call(robot) == (403, f"A robot may not call this; it is for: {kinds}.")
                assert call(admin)[0] not in (401, 403)
                if name in ANY_USER:
                    continue
                permission = access.permission or ""
                assert permission, "without a permission it is open to every user: list it above, or require one"
                assert permission.endswith(":view") == (method == "GET")
                assert call(nobody) == (
                    403,
                    f"You lack the permission {permission}. Ask an administrator for a role that has it.",
                )
                assert (call(reader)[0] == 403) == (not permission.endswith(":view"))
    assert seen >= PUBLIC | ANY_USER | ROBOTS, "what does not exist any more need not be listed"
