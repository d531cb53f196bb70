"""What schemathesis needs: an app with something of each kind in it, and requests that find some of it."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from schemathesis import Case, Response
from schemathesis.config import SchemathesisConfig
from schemathesis.generation import derive_operation_seed
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.generation.overrides import with_config_headers
from schemathesis.schemas import BaseSchema

from bvo import create_app, openapi, sessions
from bvo.database import db
from bvo.entities import MAX_ID
from bvo_hookspecs import Principal
from support.api import Api
from support.databases import Databases
from support.hooks import Mover
from support.watch import judge, silent
from support.work import Work

ROWS = 4
"""Most ids in a request are 1 to 4: some rows have them, some have not."""
FUZZER = "fuzzer"
_EARLIER = {
    "Idempotency-Key": re.compile("[!-~]{1,255}"),
    "If-Match": re.compile(".*"),
    "If-None-Match": re.compile(".*"),
}
PASSWORD = "correct horse"


@cache
def labels() -> dict[str, list[str]]:
    """For each kind of caller the operations to try, e.g. `GET /api/jobs`: robots have some, users the others.

    Nobody tries those that need proof. Schemathesis leaves out the description itself.
    """
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("BVO_")]:
            patched.delenv(name)  # pytest collects before any fixture has
        app = create_app({"BVO_DATABASE_URL": "sqlite://", "BVO_DATA_DIR": folder})
        document = openapi.describe(app)
    found: dict[str, list[str]] = {"administrator": [], "robot": [], "nobody": []}
    for path, operations in sorted(document["paths"].items()):
        for method in sorted(operations.keys() - {"parameters"}):
            security = operations[method]["security"]
            callers = ["robot" if {"robot": []} in security else "administrator", *(["nobody"] if security else [])]
            for caller in callers if path != "/openapi.json" else ():
                found[caller].append(f"{method.upper()} {path}")
    return found


class World:
    """An app with a row of each kind, and the headers of who calls it: an administrator, a robot, nobody."""

    def __init__(self, databases: Databases, folder: Path) -> None:
        self._databases, self._url = databases, databases.fresh()
        self.app = create_app({"BVO_DATABASE_URL": self._url, "BVO_DATA_DIR": folder})
        self.app.testing = True
        client = self.app.test_client()
        admin = Api(client, Authorization=f"Bearer {self._token(1)}")
        work = _fill(admin)
        fuzzer = _another_administrator(admin)
        for _ in range(ROWS):
            self._token(1)  # sessions that requests may end, so that they do not end their own
        self.headers: dict[str, dict[str, str]] = {
            "administrator": {"Authorization": f"Bearer {self._token(fuzzer)}"},
            "robot": {**work.api.headers, "X-Lease-Token": work.lease},
            "nobody": {},
        }
        self._disconnect()
        self._databases.save(self._url)

    def schema(self, config: dict[str, Any]) -> BaseSchema:
        """The description of the API, as schemathesis loads it from the app."""
        loaded = schemathesis.openapi.from_wsgi(
            "/openapi.json", self._buffered, config=SchemathesisConfig.from_dict(config)
        )
        loaded.hook("map_path_parameters")(_near)
        loaded.hook("map_body")(_near)
        return loaded

    def restore(self) -> None:
        """Bring everything back to where it was."""
        self._disconnect()
        self._databases.restore(self._url)

    def close(self) -> None:
        self._disconnect()

    def _buffered(self, environ: Any, start_response: Any) -> list[bytes]:
        """Reads every answer to its end, and closes its file: schemathesis does neither."""
        answer = self.app(environ, start_response)
        try:
            return [b"".join(answer)]
        finally:
            answer.close()  # type: ignore[attr-defined]

    def _token(self, user_id: int) -> str:
        with self.app.app_context():
            return sessions.issue(Principal(kind="user", id=user_id, name=f"user {user_id}")).access

    def _disconnect(self) -> None:
        with self.app.app_context():
            db.engine.dispose()


def try_out(schema: BaseSchema, label: str, test: Callable[[Case], int], *, thoroughly: bool = True) -> set[int]:
    """Call `test` with many requests for one operation: examples, every edge of its schema, and random ones.

    Returns what it has returned.

    Where not `thoroughly`, the random ones alone. (schemathesis' own way of making tests builds all requests while
    pytest collects, which takes each process ten seconds.)
    """
    operation = next(found for found in schema.get_all_operations() if found.ok().label == label).ok()
    settings = schema.config.get_hypothesis_settings(operation=operation, phase="fuzzing")
    modes = list(HypothesisTestMode) if thoroughly else [HypothesisTestMode.FUZZING]
    chosen = HypothesisTestConfig(
        project=schema.config,
        modes=modes,
        settings=settings,
        explicit_setting_names=schema.config.explicit_hypothesis_settings(operation=operation, phase="fuzzing"),
        override=with_config_headers(schema.config, operation=operation),
        seed=derive_operation_seed(schema.config.seed, label),
    )
    returned: set[int] = set()
    create_test(operation=operation, test_func=lambda case: returned.add(test(case)), config=chosen)()
    return returned


def try_in_turn(schema: BaseSchema, world: World, caller: str) -> set[tuple[str, int]]:
    """Make sequences in which requests use the ids of earlier answers; returns each operation with its statuses."""
    seen: set[tuple[str, int]] = set()
    headers = world.headers[caller]

    class Sequence(schema.as_state_machine()):  # type: ignore[misc]
        def setup(self) -> None:
            world.restore()

        def get_call_kwargs(self, case: Case) -> dict[str, Any]:
            return {"headers": headers}

        def before_call(self, case: Case) -> None:
            super().before_call(case)
            without_history(case)

        def after_call(self, response: Response, case: Case) -> None:
            super().after_call(response, case)
            seen.add((case.operation.label, response.status_code))

        def validate_response(self, response: Response, case: Case, *_: Any, **options: Any) -> None:
            if not has_empty_parameters(case):
                case.validate_response(response, headers=headers, transport_kwargs=options, recorder=self.recorder)

    Sequence.run(settings=schema.config.get_hypothesis_settings(phase="stateful"))
    return seen


def _fill(admin: Api) -> Work:
    """Something of each kind, used and unused. The robot holds job 1, which has a log, progress and an artifact."""
    work = Work(admin)
    work.log(1, "hello", progress={"fraction": 0.5, "message": "half"})
    work.artifact(b"content", "report.txt")
    admin.a_process("Unused")
    admin.a_package("spare")
    for path, body in (
        ("jobs", {"process_id": 1, "parameters": {"a": [1, None]}}),
        ("machines", {"name": "HOST-02"}),
        ("robots", {"name": "robot-2"}),
        ("assets", {"name": "erp-url", "type": "text", "value": "x"}),
        ("assets", {"name": "erp-login", "type": "credential", "username": "u", "password": "p"}),
        ("queues", {"name": "invoices"}),
        ("queues", {"name": "empty"}),
        ("queue-items", {"queue_id": 1, "reference": "INV-1", "payload": [1]}),
        ("webhooks", {"name": "Tickets", "url": "https://example.com", "event_types": ["webhook.*"]}),
        ("alert-rules", {"name": "Silent robots", "condition": "robot_offline"}),
        ("mail-notifications", {"name": "Jobs", "recipients": ["ops@example.com"], "event_types": ["job.failed"]}),
        ("api-tokens", {"name": "deployment", "scopes": ["jobs:view"]}),
        ("access/roles", {"name": "Nothing", "permissions": [{"artifact": "jobs", "can_view": True}]}),
        *(("access/users", {"username": f"user-{number}", "password": PASSWORD}) for number in range(1, ROWS + 1)),
    ):
        admin.ok(admin.post(f"/api/{path}", body))
    silent(admin.client.application, admin, "silent")
    judge(admin.client.application)
    Mover(admin.client.application).plan()  # a delivery of the webhook's own creation
    return work


def _another_administrator(admin: Api) -> int:
    """The one who calls: no id of a request leads to it, so that it is neither disabled nor gets another password."""
    made = admin.ok(admin.post("/api/access/users", {"username": FUZZER, "password": PASSWORD}))
    assert made["id"] > ROWS
    admin.ok(admin.post(f"/api/access/users/{made['id']}/roles", {"role_ids": [1]}))
    return int(made["id"])


def _near(context: Any, value: Any) -> Any:
    """Ids that rows may have: what schemathesis draws from two billion would hardly ever be one."""
    return _mapped(value)


def without_history(case: Case) -> Case:
    """The request without headers that tie it to an earlier one: a key used before, a state seen before."""
    for name, fitting in _EARLIER.items():
        if fitting.fullmatch(str((case.headers or {}).get(name, "\n"))):
            del case.headers[name]
    return case


def has_empty_parameters(case: Case) -> bool:
    """True where a query parameter, or its name, is empty: it counts as left out, whatever its type."""
    return any(name == "" or value in ("", [""]) for name, value in (case.query or {}).items())


def _mapped(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _mapped(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, name) for item in value]
    known = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_ID
    return 1 + value % ROWS if known and name.endswith(("_id", "_ids")) else value
