"""Forms from schemas: which control fits a field, and what comes back from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema, ValidationError, fields, validate
from werkzeug.datastructures import MultiDict

from bvo.forms import Form, Overtaken
from bvo.forms.json_schema import check, schema_of
from support.browser import Browser, Sheet
from support.plugins import Site
from support.things import make_tables


class Inner(Schema):
    name = fields.String(required=True)
    size = fields.Integer(load_default=3)


class Everything(Schema):
    text = fields.String(validate=validate.Length(max=20))
    long = fields.String(validate=validate.Length(max=5000))
    whole = fields.Integer(validate=validate.Range(1, 9))
    part = fields.Float()
    exact = fields.Decimal()
    yes = fields.Boolean()
    maybe = fields.Boolean(allow_none=True)
    day = fields.Date()
    at = fields.AwareDateTime()
    local = fields.NaiveDateTime()
    clock = fields.Time()
    one = fields.String(validate=validate.OneOf(("a", "b"), labels=("First", "Second")))
    number = fields.Integer(validate=validate.OneOf((1, 2)))
    some = fields.List(fields.String(validate=validate.OneOf(("a", "b"))))
    scopes = fields.List(fields.String(), validate=validate.ContainsOnly(("jobs:view", "jobs:edit", "robots:view")))
    lines = fields.List(fields.Integer())
    tree = fields.Dict()
    raw = fields.Raw()
    secret = fields.String(load_only=True)
    inner = fields.Nested(Inner, allow_none=True)


UTC_AT = dt.datetime(2026, 11, 1, 8, 0, tzinfo=dt.UTC)
CASES: list[tuple[str, str, list[str], Any]] = [
    ("text", "text", ["  x "], "x"),
    ("long", "textarea", ["a\r\nb "], "a\nb "),
    ("whole", "number", ["7"], 7),
    ("part", "number", ["1.5"], 1.5),
    ("exact", "number", ["1.5"], Decimal("1.5")),
    ("yes", "checkbox", ["true"], True),
    ("yes", "checkbox", [], False),
    ("maybe", "select", ["false"], False),
    ("day", "date", ["2026-11-01"], dt.date(2026, 11, 1)),
    ("at", "datetime-local", ["2026-11-01T08:00"], UTC_AT),
    ("local", "datetime-local", ["2026-11-01T08:00:05"], dt.datetime(2026, 11, 1, 8, 0, 5)),  # noqa: DTZ001
    ("clock", "time", ["08:00"], dt.time(8)),
    ("one", "select", ["b"], "b"),
    ("number", "select", ["2"], 2),
    ("some", "checkboxes", ["a", "b"], ["a", "b"]),
    ("scopes", "matrix", ["jobs:view"], ["jobs:view"]),
    ("lines", "lines", ["1\r\n\r\n 2 "], [1, 2]),
    ("tree", "json", ['{"a": [1]}'], {"a": [1]}),
    ("raw", "json", ["[1, null]"], [1, None]),
    ("secret", "password", [" x "], " x "),
]


def entered(form: Form, **sent: list[str]) -> Form:
    return form.entered(MultiDict([(name, text) for name, texts in sent.items() for text in texts]))


@pytest.mark.parametrize(("name", "kind", "sent", "value"), CASES)
def test_every_field_has_its_control(name: str, kind: str, sent: list[str], value: Any) -> None:
    form = Form.of(Everything())
    control = form.control(name)
    assert control is not None
    assert control.kind == kind
    assert entered(form, **{name: sent}).data().get(name) == value


def test_what_a_control_shows_comes_back_as_the_same_value() -> None:
    shown = {name: value for name, kind, _, value in CASES if kind != "password"}
    dumped = Everything().dump(shown)
    form = Form.of(Everything(), values=dumped)
    sent = {control.name: list(control.texts) for control in form.every() if "." not in control.name}
    assert {name: value for name, value in entered(form, **sent).data().items() if name in shown} == shown


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("whole", "x"),
        ("whole", "1.5"),
        ("whole", "10"),
        ("whole", "9" * 5000),
        ("part", "nan"),
        ("at", "2026-13-01T00:00"),
        ("one", "c"),
        ("some", "c"),
        ("scopes", "jobs:delete"),
        ("lines", "1\nx"),
        ("tree", "[]"),
        ("tree", "{"),
        ("raw", "1e999"),
        ("text", "\0"),
    ],
)
def test_what_does_not_fit_is_said_beside_its_control(name: str, sent: str) -> None:
    form = entered(Form.of(Everything()), **{name: [sent]})
    with pytest.raises(ValidationError) as refused:
        form.data()
    assert [control.name for control in form.refused(refused.value).wrong] == [name]


def test_a_group_is_left_out_where_nothing_is_filled_in() -> None:
    form = Form.of(Everything())
    assert "inner" not in entered(form).data()
    sent = entered(form, **{"inner.name": ["x"], "inner.size": ["4"]})
    assert sent.data()["inner"] == {"name": "x", "size": 4}
    size = form.control("inner.size")
    assert size is not None
    assert size.texts == ("3",)


def test_of_a_form_that_edits_only_what_was_touched_counts() -> None:
    form = Form.of(Everything(), values={"text": "old", "whole": 3, "maybe": True}, editing=True)
    sent = entered(form, seen=[form.sent_along["seen"]], text=["old"], whole=["4"], maybe=[""])
    assert sent.data() == {"whole": 4, "maybe": None}
    form_now = Form.of(Everything(), values={"text": "theirs", "whole": 5, "maybe": True}, editing=True)
    with pytest.raises(Overtaken) as overtaken:
        sent.check_current(form_now)
    both = {control.name: control for control in overtaken.value.form.every()}
    assert (both["text"].texts, both["text"].theirs) == (("theirs",), None)
    assert (both["whole"].texts, both["whole"].theirs) == (("4",), ("5",))
    sent.check_current(form)


@pytest.mark.parametrize("seen", ["", "[]", "{", "null", '{"text": 1}'])
def test_what_is_no_memory_of_a_form_does_no_harm(seen: str) -> None:
    form = entered(Form.of(Everything(), values={"text": "old"}, editing=True), seen=[seen], text=["new"])
    assert form.data()["text"] == "new"


def test_json_schema_that_says_nothing_useful_is_left_to_json() -> None:
    assert schema_of({}) is None
    assert schema_of({"properties": {"a": {}}}, {"b": 1}) is None
    made = schema_of({"properties": {"a": {}, "b": {"type": "string", "pattern": "("}, "c": {"enum": [1, "x"]}}})
    assert made is not None
    assert made().load({"a": {"any": 1}, "b": "x", "c": 1}) == {"a": {"any": 1}, "b": "x", "c": 1}


def test_json_schema_with_a_pattern_searches() -> None:
    made = schema_of({"properties": {"a": {"type": "string", "pattern": "b+"}}})
    assert made is not None
    assert made().load({"a": "abc"}) == {"a": "abc"}
    with pytest.raises(ValidationError):
        made().load({"a": "ac"})


@pytest.mark.parametrize("wrong", [[], {"type": "array"}, {"properties": []}, {"properties": {"a": []}}])
def test_what_describes_no_object_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="object"):
        check(wrong)


def test_a_third_partys_type_has_its_forms_without_a_line_of_html(site: Site, make_app: Callable[..., Flask]) -> None:
    site.declare("support.things", entry_point="things")
    app = make_app()
    with app.app_context():
        make_tables()
    browser = Browser(app.test_client())
    browser.log_in()
    sheet = browser.form("/ui/things/new")
    assert sheet.sends["colour"] == "grey"
    assert sheet.attributes["pin"]["type"] == "password"
    assert browser.send(sheet, name="cup", pin="1234", done="true").location == "/ui/things/1"
    sheet = browser.form("/ui/things/1/edit")
    assert "1234" not in sheet.page
    browser.send(sheet, colour="red")
    assert "red" in browser.get("/ui/things/1").text
    again = Sheet(browser.fill("/ui/things/new", 409, name="cup").text)
    assert "already exists" in again.texts["problems"]
    browser.get("/ui/thing-parts/new", 404)
