"""Every plugin but the essential ones can be left out, and what remains works."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from bvo import migrations, plugins, registry, sessions
from bvo.worker import Worker
from bvo_hookspecs import Principal
from support.api import Api

OPTIONAL = sorted({plugin.name for plugin in plugins.load()} - plugins.ESSENTIAL)

NEED_MORE = {"/api/sdk/auth/status", "/sdk-auth"}
"""Parameters."""


@pytest.mark.parametrize("blocked", [*OPTIONAL, ",".join(OPTIONAL)])
def test_the_rest_answers_without(sqlite_app: Callable[..., Flask], blocked: str) -> None:
    app = sqlite_app(BVO_DISABLED_PLUGINS=blocked)
    left_out = {plugin.name for plugin in app.extensions["bvo"].plugins.all if plugin.state != "loaded"}
    assert set(blocked.split(",")) <= left_out <= set(OPTIONAL)
    with app.app_context():
        assert migrations.pending() == []
        migrations.seed()
        token = sessions.issue(Principal(kind="user", id=1, name="admin")).access
        served = {name for name in registry.current().artifacts() if name in left_out}
    assert served == set()

    admin = Api(app.test_client(), Authorization=f"Bearer {token}")
    readable = [rule.rule for rule in app.url_map.iter_rules() if not rule.arguments and "GET" in (rule.methods or ())]
    readable = [path for path in readable if path not in NEED_MORE]
    answers = {path: admin.get(path).status_code for path in readable}
    of_pages = (404,) if "webui" in left_out else (200, 302)
    broken = {
        path: status
        for path, status in answers.items()
        if status not in (of_pages if path.startswith("/ui/") else (200, 302))
    }
    assert broken == {}
    assert {"/healthz", "/api/auth/me", "/api/access/users", "/api/audit", "/api/settings"} <= set(answers)
    assert Worker(app).step() == 0
