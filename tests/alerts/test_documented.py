"""The examples of docs/alerts.md do what they say."""

from __future__ import annotations

import json
import re
from types import ModuleType

import pytest
from flask import Flask

from alerts.conftest import Leaks
from bvo_hookspecs import AlertCondition
from docs.markdown import ROOT, code, section, tables
from support.api import Api
from support.watch import a_rule, judge

DOCUMENT = ROOT / "docs" / "alerts.md"


def example(name: str) -> str:
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_every_condition_is_in_the_table_with_its_parameters(app: Flask) -> None:
    (rows,) = tables(section(DOCUMENT, "## What can be watched"))
    conditions: dict[str, AlertCondition] = app.extensions["bvo"].of(AlertCondition)
    assert sorted(code(name) for name, *_ in rows) == sorted(conditions)
    for name, _, parameters in rows:
        fields = conditions[code(name)].parameters().fields
        named = [word for word in re.findall(r"`(\w+)`", parameters) if word in fields]
        assert named == list(fields)
        for field, default in re.findall(r"`(\w+)` \(`?(\w+)`?\)", parameters):
            assert str(fields[field].load_default) == default


def test_the_rule_is_one(admin: Api) -> None:
    admin.a_process()
    rule = json.loads(example("rule"))
    made = admin.ok(admin.post("/api/alert-rules", rule))
    assert made["parameters"] == {**rule["parameters"], "time": "06:00:00"}


def test_the_condition_is_one(app: Flask, admin: Api, leaks: Leaks, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("acme_disks")
    exec(example("condition"), module.__dict__)  # noqa: S102 - the documentation's own code
    condition = module.DISK_FULL
    records = app.extensions["bvo"].records[AlertCondition]
    monkeypatch.setitem(records, condition.name, [(records["leak"][0][0], condition)])
    a_rule(admin, "disk_full", percent=1)
    usage = type("usage", (), {"used": 95, "total": 100})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    judge(app)
    (alert,) = admin.ok(admin.get("/api/alerts"))
    assert (alert["subject"], alert["message"]) == ("disk//", "/ is 95 % full.")
