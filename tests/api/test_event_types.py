"""The catalogue of event types: what is recorded was declared, and has the structure that its schema says."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import getitem
from typing import Any

import pytest
from flask import Flask
from jsonschema import Draft202012Validator

from bvo import create_app, events, registry
from bvo.database import transaction
from bvo_hookspecs import EventType
from docs.markdown import ROOT, code, section, tables
from support.api import Api
from support.problems import refused


def validator(api: Api, event_type: str, version: int = 1) -> Draft202012Validator:
    schema = api.ok(api.get(f"/api/events/types/{event_type}/v{version}"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_catalogue_has_what_plugins_declare_and_what_follows_from_entity_types(admin: Api) -> None:
    found = {row["type"]: row for row in admin.ok(admin.get("/api/events/types"))}
    assert found["job.completed"] == {
        "type": "job.completed",
        "description": "The job ended well.",
        "plugin": "jobs",
        "version": 1,
        "schema": "/api/events/types/job.completed/v1",
    }
    assert (found["robot.deleted"]["plugin"], found["access.denied"]["plugin"]) == ("robots", "core")
    assert list(found) == sorted(found)
    assert not {"job.deleted", "audit_event.created", "package_version.created"} & found.keys()


def test_every_example_is_valid_by_its_schema(admin: Api) -> None:
    for row in admin.ok(admin.get("/api/events/types")):
        checks = validator(admin, row["type"])
        example = checks.schema["examples"][0]
        checks.validate(example)
        assert (example["type"], example["dataschema"]) == (row["type"], f"https://bvo.example.com{row['schema']}")


def test_an_example_shows_what_is_special_about_its_type_and_no_secret(admin: Api) -> None:
    completed = validator(admin, "job.completed").schema["examples"][0]
    assert completed["data"]["entity"]["status"] == "completed"
    robot = validator(admin, "robot.created").schema
    assert "api_token" not in robot["properties"]["data"]["properties"]["entity"]["properties"]
    assigned = validator(admin, "user.roles_assigned").schema["properties"]["data"]["properties"]["metadata"]
    assert set(assigned["properties"]) == {"roles_before", "roles_after"}


@pytest.mark.parametrize(
    ("path", "value"),
    [("id", None), ("type", "job.failed"), ("data.actor", None), ("data.entity.status", "sleeping")],
)
def test_a_schema_refuses_what_is_none_of_its_events(admin: Api, path: str, value: Any) -> None:
    checks = validator(admin, "job.completed")
    event = checks.schema["examples"][0]
    assert checks.is_valid(event)
    *parents, name = path.split(".")
    part = reduce(getitem, parents, event)
    part[name] = value
    if value is None:
        del part[name]
    assert not checks.is_valid(event)


def test_an_event_leads_to_the_schema_of_its_type_where_the_address_is_known(admin: Api) -> None:
    admin.ok(admin.post("/api/machines", {"name": "HOST-1", "mode": "runner"}))
    asked = "/api/events?types=machine.*,settings.*"
    assert "dataschema" not in admin.ok(admin.get(asked))["events"][0]
    admin.ok(admin.put("/api/settings/general", {"public_url": "https://bvo.example.com/"}))
    told = admin.ok(admin.get(asked))["events"]
    assert [event["dataschema"] for event in told] == [
        "https://bvo.example.com/api/events/types/machine.created/v1",
        "https://bvo.example.com/api/events/types/settings.updated/v1",
    ]


def test_what_is_not_there_is_not_found(admin: Api) -> None:
    refused(admin.get("/api/events/types/job.eaten/v1"), 404, "no plugin declares 'job.eaten'")
    refused(admin.get("/api/events/types/job.completed/v2"), 404, "version of job.completed is 1")


def test_who_may_not_read_the_log_may_not_read_the_catalogue(user_with: Callable[..., Api]) -> None:
    for path in ("/api/events/types", "/api/events/types/job.completed/v1"):
        refused(user_with().get(path), 403, "events:view")
        user_with("events:view").ok(user_with("events:view").get(path))


def test_what_no_plugin_declares_is_not_recorded(app_context: Flask) -> None:
    told = {"entity_type": "wall", "entity_label": "Wall", "entity_id": "1", "entity_name": "tower", "message": "?"}
    with (
        pytest.raises(LookupError, match=r"No plugin declares the event type 'wall.eaten'.*event_types"),
        transaction(),
    ):
        events.record(type="wall.eaten", **told)


def test_the_documentation_lists_every_type(tmp_path: Any) -> None:
    app = create_app({"BVO_DATABASE_URL": "sqlite://", "BVO_DATA_DIR": tmp_path})
    with app.app_context():
        known = sorted(registry.current().of(EventType).values(), key=lambda declared: declared.name)
    (rows,) = tables(section(ROOT / "docs" / "events.md", "## What may happen"))
    assert [(code(name), words, when) for name, words, when in rows] == [
        (known_.name, f"`{known_.action or known_.name}`, `{known_.action_type}`", known_.help) for known_ in known
    ]
