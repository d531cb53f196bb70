"""Records tell a plugin's author of a mistake where it was made."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from marshmallow.fields import String

import bvo_hookspecs as hooks
from bvo.registry import RECORDS
from bvo_hookspecs import spec
from support.things import PART, THING, PartService


def nothing(*_: Any) -> None:
    return None


VALID: dict[type[Any], dict[str, Any]] = {
    hooks.Action: {"name": "paint", "label": "Paint"},
    hooks.AlertCondition: {"name": "leak", "label": "Leak", "help": "Water.", "parameters": object, "find": nothing},
    hooks.Artifact: {"name": "walls", "label": "Walls"},
    hooks.AsgiMiddleware: {"name": "fast", "wrap": nothing},
    hooks.AuditSink: {"name": "file", "write": nothing},
    hooks.AuthProvider: {"name": "ldap", "login": nothing},
    hooks.CliCommand: {"name": "hello", "target": "acme.commands:hello", "help": "Greet."},
    hooks.DashboardCard: {"name": "card", "title": "", "template": "", "context": dict, "permission": "walls:view"},
    hooks.DetailPanel: {"name": "panel", "entity_type": "wall", "title": "", "template": "", "context": nothing},
    hooks.EncryptedColumn: {"name": "walls", "model": object, "column": "secret"},
    hooks.EntityType: {field.name: getattr(THING, field.name) for field in fields(THING)},
    hooks.EventType: {"name": "wall.built", "help": "A wall was built."},
    hooks.Filter: {"name": "colour", "field": None, "apply": nothing},
    hooks.Finding: {"subject": "wall/1", "name": "Tower", "message": "It leaks."},
    hooks.HealthCheck: {"name": "roof", "check": nothing},
    hooks.NavItem: {"name": "walls", "label": "Walls"},
    hooks.PackageStore: {"name": "folder", "connect": nothing},
    hooks.PeriodicTask: {"name": "sweep", "every": timedelta(seconds=1), "run": nothing},
    hooks.PluginInfo: {"name": "acme", "summary": ""},
    hooks.Seed: {"name": "walls", "run": nothing},
    hooks.Setting: {"name": "colour", "field": None, "default": "red", "help": "Of the walls"},
    hooks.SettingsGroup: {"name": "house", "label": "House"},
    hooks.StartCheck: {"name": "roof", "check": nothing},
    hooks.StoredBlobs: {"name": "walls", "model": object},
    hooks.WebhookEmitter: {"name": "http", "deliver": nothing},
}
NO_EVENTS: tuple[Any, ...] = ("job", "job.", ".done", "Job.done", "job.done.now", "job done", "job-x.done", 7)
NAMED_OTHERWISE = (hooks.CliCommand, hooks.EventType, hooks.Finding)
NAMED_BY_OTHERS = {hooks.Principal, hooks.Event}
"""Records that the core makes: their names are those of people and of rows."""


def test_every_record_of_the_contract_is_tested_here() -> None:
    records = {record for record in vars(hooks).values() if inspect.isclass(record) and is_dataclass(record)}
    assert records == set(VALID) | NAMED_BY_OTHERS


@pytest.mark.parametrize("kind", VALID, ids=lambda kind: kind.__name__)
def test_a_record_can_not_be_changed(kind: type[Any]) -> None:
    with pytest.raises(FrozenInstanceError):
        kind(**VALID[kind]).name = "other"


@pytest.mark.parametrize("name", ["", "Wall", "wall-e", "1wall", "wände", "a b", None])
@pytest.mark.parametrize(
    "kind", [kind for kind in VALID if kind not in NAMED_OTHERWISE], ids=lambda kind: kind.__name__
)
def test_a_name_is_a_lower_case_identifier(kind: type[Any], name: Any) -> None:
    with pytest.raises(ValueError, match=rf"{kind.__name__}\.name is .*: use lower-case letters"):
        kind(**VALID[kind] | {"name": name})


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (hooks.Action, {"operation": "paint"}, "operation 'paint' is none of view, create, edit, delete"),
        (hooks.AlertCondition, {"label": ""}, r"AlertCondition\.label is ''"),
        (hooks.AuthProvider, {"login": None}, "needs `authenticate`, `login`, or `login_page`"),
        (hooks.AuthProvider, {"login_page": "/saml"}, "a `login_page` that begins with /, and a `label`"),
        (hooks.AuthProvider, {"login_page": "https://x", "label": "X"}, "a `login_page` that begins with /"),
        (hooks.CliCommand, {"target": "acme.commands"}, "not of the form module.path:attribute"),
        (hooks.CliCommand, {"target": ":hello"}, "not of the form module.path:attribute"),
        (hooks.CliCommand, {"target": "acme:he llo"}, "not of the form module.path:attribute"),
        (hooks.EntityType, {"plural": "Things"}, r"EntityType\.plural is 'Things'"),
        (hooks.EntityType, {"views": {"show": nothing}}, r"views or principals \['show'\] are none of list, get"),
        (hooks.EntityType, {"write_schema": None}, "it needs a write_schema"),
        (hooks.EntityType, {"actions": (hooks.Action(name="burn", label=""),)}, "its service has no method burn"),
        *((hooks.EventType, {"name": name}, "use a form like job") for name in NO_EVENTS),
        (hooks.EventType, {"help": ""}, "'wall.built' needs a help text"),
        (hooks.Finding, {"subject": "x" * 201}, "give a text of 1 to 200 characters"),
        (hooks.Finding, {"message": None}, r"Finding\.message is None"),
        (hooks.PeriodicTask, {"every": timedelta(0)}, "at least 0.1 s is needed"),
        (hooks.PluginInfo, {"requires": ("Jobs",)}, r"PluginInfo\.requires is 'Jobs'"),
        (hooks.Setting, {"help": ""}, "'colour' needs a help text"),
        (hooks.Setting, {"secret": True}, "'colour' is secret: its default is None"),
        (hooks.Setting, {"secret": True, "field": String(allow_none=True)}, "its default is None"),
        (hooks.Setting, {"secret": True, "default": None, "field": String()}, "its field allows it"),
        (hooks.AuditSink, {"batch_size": 0}, "`batch_size` is 0, not 1 to 100"),
        (hooks.WebhookEmitter, {"batch_size": 101}, "`batch_size` is 101, not 1 to 100"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(kind: type[Any], values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**VALID[kind] | values)


def test_an_administrator_may_do_everything_and_others_what_they_were_granted() -> None:
    user = hooks.Principal(kind="user", id=1, name="ada", permissions=frozenset({"jobs:view"}))
    assert user.can("jobs:view")
    assert not user.can("jobs:edit")
    assert replace(user, is_admin=True).can("jobs:edit")


def test_an_entity_type_lies_at_its_plural_with_dashes_or_at_its_path() -> None:
    assert PART.url == "thing-parts"
    assert replace(PART, path="stock/parts").url == "stock/parts"


def test_an_entity_type_has_the_operations_that_its_service_has() -> None:
    class Creating(PartService):
        def create(self, data: Any) -> None: ...

    entity = replace(THING, service=Creating, actions=())
    assert [entity.has(operation) for operation in ("create", "update", "delete")] == [True, False, False]


def test_an_emitter_takes_every_event_and_an_action_every_row_where_nothing_else_is_said() -> None:
    assert hooks.WebhookEmitter(name="all", deliver=nothing).accepts("job.created")
    assert hooks.Action(name="paint", label="Paint").applies({})


def test_an_event_has_what_a_receiver_needs_and_nothing_is_left_to_guess() -> None:
    event = hooks.Event(
        id="1", type="job.created", action="job.create", action_type="created", occurred_at=datetime.now(UTC),
        actor_kind="system", actor_id=None, actor_name="system", entity_type="job", entity_label="Job", entity_id="1",
        entity_name="1", message="",
    )  # fmt: skip
    assert (event.before, event.after, event.metadata) == (None, None, {})


def test_the_core_collects_the_records_of_every_hook() -> None:
    specified = {name for name, value in vars(spec).items() if hasattr(value, "bvo_spec")}
    assert specified == set(RECORDS) | {"plugin_info", "cli_commands"}


def test_every_hook_says_what_it_is_for_and_takes_no_arguments() -> None:
    for name in RECORDS:
        hook = getattr(spec, name)
        assert (hook.__doc__ or "").strip(), name
        assert not inspect.signature(hook).parameters, name
        assert getattr(spec, name)() is None


def test_the_contract_imports_nothing_but_pluggy() -> None:
    command = [sys.executable, "-c", "import bvo_hookspecs, sys; print(*sys.modules)"]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"flask", "sqlalchemy", "marshmallow", "werkzeug", "click", "bvo"}
