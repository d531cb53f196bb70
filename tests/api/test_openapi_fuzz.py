"""The API against its own description: what schemathesis makes of it, valid and not, as three kinds of callers.

In every run the same requests, on SQLite; `--fuzz-examples` makes random ones, on both databases: see tests/README.md.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from schemathesis import Case
from schemathesis.schemas import BaseSchema

from bvo import throttle
from support.databases import Databases
from support.fuzzing import World, has_empty_parameters, labels, try_in_turn, try_out, without_history

EXAMPLES = 10
"""Random requests for each operation, beside the examples and all the edges of its schema."""

COMMON = "a password may be one of those that are tried first"
UNKNOWN = "an id in the body may be that of no row"
DEEP = "a page, times its size, may lie behind the rows that are counted"
CONDITIONS = "a condition is one of a plugin, and its parameters are those that it wants"
TEMPLATES = "a recipient is named once, in ASCII, and a template has to be one, which what is wanted fills in"
URL = "a URL has to begin with http or https, and to name a host"
LISTS = (
    *("access/roles", "access/users", "alert-rules", "alerts", "api-tokens", "assets", "audit", "jobs", "machines"),
    *("mail-notifications", "packages", "processes", "queue-items", "queues", "robots", "sessions"),
    *("webhook-deliveries", "webhooks"),
)
MAY_BE_REFUSED = {
    "POST /api/access/roles": "the artifacts are those of the plugins, each once",
    "PUT /api/access/roles/{row_id}": "the artifacts are those of the plugins, each once",
    "POST /api/access/users": COMMON,
    "PUT /api/access/users/{row_id}": COMMON,
    "POST /api/access/users/{row_id}/roles": UNKNOWN,
    "POST /api/alert-rules": f"{CONDITIONS}; {UNKNOWN}",
    "PUT /api/alert-rules/{row_id}": f"{CONDITIONS}; {UNKNOWN}",
    "POST /api/api-tokens": f"the scopes are permissions that there are; {UNKNOWN}",
    "POST /api/assets": f"a value has to fit the asset's type; {UNKNOWN}",
    "PUT /api/assets/{row_id}": f"a type can't change, and a value has to fit it; {UNKNOWN}",
    "POST /api/auth/forgot": COMMON,
    "POST /api/auth/register": COMMON,
    "POST /api/auth/reset": COMMON,
    "POST /api/mail-notifications": TEMPLATES,
    "PUT /api/mail-notifications/{row_id}": TEMPLATES,
    "POST /api/packages/upload": "random bytes are no zip",
    "POST /api/processes": f"a script has to be one of the package; {UNKNOWN}",
    "PUT /api/processes/{row_id}": f"a script has to be one of the package; {UNKNOWN}",
    "POST /api/queue-items": f"a deadline lies in the future; {UNKNOWN}",
    "POST /api/queue-items/bulk": f"a deadline lies in the future; {UNKNOWN}",
    "PUT /api/queue-items/{row_id}": f"a deadline lies in the future; {UNKNOWN}",
    "POST /api/runner/queues/{name}/items": "a deadline lies in the future",
    "POST /api/robots": UNKNOWN,
    "PUT /api/robots/{row_id}": UNKNOWN,
    "PUT /api/settings/{group}": "each group has values of its own",
    "POST /api/settings/email/test": "no mail server is set",
    "POST /api/webhooks": URL,
    "PUT /api/webhooks/{row_id}": URL,
    **{f"GET /api/{path}": DEEP for path in LISTS},
}
"""Where a body or a query that fits its schema may be answered with 422, and why: what a schema can't say."""

NEVER_SUCCEEDS = {
    "POST /api/auth/refresh": "nobody guesses a refresh token",
    "POST /api/auth/reset": "nobody guesses a link",
    "POST /api/packages/upload": "random bytes are no zip",
    "POST /api/runner/jobs/{row_id}/stopped": "the job of the robot is not cancelled",
    **dict.fromkeys(
        (f"POST /api/runner/queue-items/{{row_id}}/{part}" for part in ("renew", "complete", "fail", "release")),
        "nobody guesses the lease of an item",
    ),
    "POST /api/settings/email/test": "no mail server is set",
    "POST /api/sdk/auth/confirm": "nobody guesses the id of a login",
    "POST /api/sdk/auth/deny": "nobody guesses the id of a login",
}
"""What no random request can do, and why: each other operation has to succeed now and then."""

ROWS = {"PUT /api/access/roles/{row_id}": 3, "PUT /api/jobs/{row_id}": 2}
"""Where the first row, which most requests are for, allows hardly any change: one that does."""

GENERATION = {
    "allow-x00": False,  # a text with NUL is refused, and no schema says so of each text
    "with-security-parameters": False,  # who calls is what the test says
    "database": "none",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames:
        kinds = ["sqlite", "postgres"] if metafunc.config.getoption("fuzz_examples") else ["sqlite"]
        metafunc.parametrize("kind", kinds, scope="module")
    if "label" in metafunc.fixturenames:
        metafunc.parametrize("label", labels()[metafunc.function.__name__.rpartition("_")[2]])


@pytest.fixture(scope="module")
def world(kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    databases: Databases = request.getfixturevalue(kind)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(throttle, "attempt", lambda *counters: None)  # else every login would soon be a 429
        world = World(databases, tmp_path_factory.mktemp("world"))
        yield world
        world.close()


@pytest.fixture(scope="module")
def described(world: World, pytestconfig: pytest.Config) -> BaseSchema:
    """The API's description, as schemathesis read it."""
    examples, seed = pytestconfig.getoption("fuzz_examples"), pytestconfig.getoption("fuzz_seed")
    if not examples:
        return world.schema(configuration(max_examples=EXAMPLES, deterministic=True))
    schema = world.schema(
        {
            **configuration(max_examples=examples, deterministic=False),
            "analysis": {"constants": {"enabled": True}},
            "seed": seed or random.SystemRandom().getrandbits(32),
        }
    )
    print(f"\nagain with: --fuzz-examples {examples} --fuzz-seed {schema.config.seed}")  # noqa: T201
    return schema


def configuration(max_examples: int, *, deterministic: bool) -> dict[str, Any]:
    accepted = {"expected-statuses": ["2xx", "3xx", "401", "403", "404", "409", "422"]}
    return {
        "generation": {**GENERATION, "max-examples": max_examples, "deterministic": deterministic},
        "operations": [
            *({"include-name": label, "checks": {"positive_data_acceptance": accepted}} for label in MAY_BE_REFUSED),
            *({"include-name": label, "parameters": {"path.row_id": row}} for label, row in ROWS.items()),
        ],
        "phases": {"stateful": {"generation": {"max-examples": 5 * max_examples}, "max-steps": 6}},
        "suppress-health-check": ["all"],
        "analysis": {"constants": {"enabled": False}},  # a change of the code changes no request
    }


def status_of(world: World, caller: str, case: Case) -> int:
    """Send a request, check the answer against the description, and bring back what a success has changed."""
    headers, case = world.headers[caller], without_history(case)
    send = case.call if has_empty_parameters(case) else case.call_and_validate
    status: int = send(headers=headers).status_code
    assert status < 500 or status == 503
    if case.method != "GET" and status < 400:
        world.restore()
    return status


def test_the_api_answers_as_it_says_to_an_administrator(world: World, described: BaseSchema, label: str) -> None:
    answers = try_out(described, label, partial(status_of, world, "administrator"))
    assert min(answers) < 400 or label in NEVER_SUCCEEDS


def test_the_api_answers_as_it_says_to_a_robot(world: World, described: BaseSchema, label: str) -> None:
    answers = try_out(described, label, partial(status_of, world, "robot"))
    assert min(answers) < 400 or label in NEVER_SUCCEEDS


def test_the_api_refuses_as_it_says_to_nobody(world: World, described: BaseSchema, label: str) -> None:
    answers = try_out(described, label, partial(status_of, world, "nobody"), thoroughly=False)
    assert min(answers) >= 400


def test_what_was_created_is_there_and_what_was_deleted_is_not(world: World, described: BaseSchema) -> None:
    seen = try_in_turn(described, world, "administrator")
    created = {label.removeprefix("POST ") for label, status in seen if status == 201}
    deleted = {label.removeprefix("DELETE ").removesuffix("/{row_id}") for label, status in seen if status == 204}
    assert created & deleted, "which ones depends on what operations there are"


def test_each_exemption_is_of_an_operation_that_there_is() -> None:
    assert {*MAY_BE_REFUSED, *NEVER_SUCCEEDS, *ROWS} <= {label for found in labels().values() for label in found}
