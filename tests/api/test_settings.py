"""Settings: typed, checked, audited."""

from __future__ import annotations

from typing import Any

import pytest

from support.api import Api
from support.problems import refused
from support.state import State

BAD: list[tuple[str, Any, int, str]] = [
    ("jobs", {"lease_seconds": 1}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": "60"}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": True}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": 60.5}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": 10**30}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": None}, 422, "lease_seconds"),
    ("jobs", {"lease_seconds": 120, "heartbeat_seconds": 0}, 422, "heartbeat_seconds"),
    ("jobs", {"toast_seconds": 60}, 422, "toast_seconds: Unknown field"),
    ("jobs", [1], 422, "JSON object"),
    ("general", {"instance_name": ""}, 422, "instance_name"),
    ("general", {"instance_name": "nul\0"}, 422, "instance_name"),
    ("general", {"instance_name": "half \ud800 pair"}, 422, "instance_name"),
    ("toasters", {"a": 1}, 404, "general, jobs"),
]


def test_groups_have_defaults_until_a_value_is_stored(admin: Api) -> None:
    every = admin.ok(admin.get("/api/settings"))
    assert {"general", "security", "jobs", "email", "logging"} <= set(every)
    assert every["jobs"]["lease_seconds"] == 60
    changed = admin.ok(admin.put("/api/settings/jobs", {"lease_seconds": 120}))
    assert changed == {**every["jobs"], "lease_seconds": 120}
    assert admin.ok(admin.get("/api/settings/jobs")) == changed
    refused(admin.get("/api/settings/toasters"), 404, "general, jobs")


def test_bad_values_are_refused_and_none_is_stored(admin: Api, state: State, subtests: pytest.Subtests) -> None:
    for group, values, status, word in BAD:
        with subtests.test(f"{group} {values}"), state.unchanged():
            refused(admin.put(f"/api/settings/{group}", values), status, word)


def test_what_a_group_answers_can_be_sent_back_and_null_is_a_value(admin: Api) -> None:
    for group, values in admin.ok(admin.get("/api/settings")).items():
        assert admin.ok(admin.put(f"/api/settings/{group}", values)) == values
    for value in (True, None):
        assert admin.ok(admin.put("/api/settings/security", {"self_registration": value}))["self_registration"] is value


def test_a_change_is_audited_once_and_no_change_is_not(admin: Api, state: State) -> None:
    admin.ok(admin.put("/api/settings/jobs", {"lease_seconds": 120}))
    event = admin.ok(admin.get("/api/audit?entity_type=settings"))["items"][0]
    told = admin.ok(admin.get(f"/api/audit/{event['id']}"))
    assert (told["before_data"]["lease_seconds"], told["after_data"]["lease_seconds"]) == (60, 120)
    audited = len(state.rows("audit_events"))
    admin.ok(admin.put("/api/settings/jobs", {"lease_seconds": 120}))
    admin.ok(admin.put("/api/settings/jobs", {}))
    assert len(state.rows("audit_events")) == audited


def test_a_setting_holds_from_the_next_request(admin: Api) -> None:
    admin.ok(admin.put("/api/settings/jobs", {"lease_seconds": 120, "heartbeat_seconds": 7}))
    admin.a_job()
    _, robot = admin.a_robot()
    job = robot.ok(robot.post("/api/runner/next-job", {}))["job"]
    assert (job["lease_seconds"], job["heartbeat_seconds"]) == (120, 7)
