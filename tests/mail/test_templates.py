"""Templates of mails: what they may say, what they must not have, and that nothing is lost where one fails."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from bvo.database import transaction
from bvo_email import rendering
from bvo_email.models import MailNotification
from bvo_email.rendering import Template, TemplateFailed
from docs.markdown import ROOT
from mail.conftest import Notify
from support.api import Api
from support.postman import Postman
from support.problems import refused
from support.smtp import MailServer, text_of

PATH = "/api/mail-notifications"
BODY = {"name": "Queues", "recipients": ["ops@example.com"], "event_types": ["queue.updated"]}
EVENTS = [{"data": {"entity": {"name": "a", "items": "own"}, "message": "m" * 1000}} for _ in range(100)]


def rendered(source: str, **values: Any) -> str:
    return Template(source, 10_000).render(values)


def store(app: Flask, **templates: str) -> None:
    """As if they had been saved when they were still right."""
    with app.app_context(), transaction() as session:
        session.execute(update(MailNotification).values(**templates))


def test_templates_say_what_their_notification_wants(
    admin: Api, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    admin.ok(admin.put("/api/settings/general", {"public_url": "https://bvo.example.com"}))
    notify(
        name="Queues",
        subject_template="{{ count }} times {{ notification.name }}: {{ events[0].data.entity.name|upper }}",
        text_template="{% for event in events %}\n- {{ event.data.entity.name }}: {{ event.link }}\n{% endfor %}\n"
        "{{ more }} more at {{ instance }}",
    )
    postman.happen("orders", "Größe")
    postman.go()
    (message,) = mails.received
    assert message["Subject"] == "2 times Queues: ORDERS"
    assert text_of(message) == (
        "- orders: https://bvo.example.com/ui/queues/1\n- Größe: https://bvo.example.com/ui/queues/2\n"
        "0 more at BV Orchestrator\n"
    )


def test_the_templates_of_the_documentation_are_taken(admin: Api, notify: Notify) -> None:
    subject, text = re.findall(r"```jinja\n(.+?)```", (ROOT / "docs" / "email.md").read_text("utf-8"), re.DOTALL)
    notify("job.failed", subject_template=subject.strip())
    notify("*", text_template=text)


@pytest.mark.parametrize("field", ["subject_template", "text_template"])
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ events[0].data.entity.nmae }}", "For queue.updated: 'dict object' has no attribute 'nmae'"),
        ("{{ event.type }}", "'event' is undefined"),
        ("{% for event in events %}", "Line 1: Unexpected end of template"),
        ("{{ count|nonsense }}", "Line 1: No filter named 'nonsense'"),
        ("{{ config }}", "'config' is undefined"),
        ("{{ events.__class__ }}", "'list object' has no attribute '__class__'"),
        ("{{ notification.name.format(1) }}", "Call can't be used in a mail."),
        ("{% include 'webui/page.html' %}", "Include can't be used in a mail."),
        ("{{ 'x' * 1000000000 }}", "Mul can't be used in a mail."),
    ],
)
def test_a_template_that_fails_for_what_is_wanted_is_refused(
    admin: Api, notify: Notify, field: str, source: str, words: str
) -> None:
    problem = refused(admin.post(PATH, {**BODY, field: source}), 422, words)
    assert field in str(problem)
    assert admin.ok(admin.get(PATH)) == []
    made = notify()
    refused(admin.put(f"{PATH}/{made['id']}", {field: source}), 422, words)
    assert admin.ok(admin.get(f"{PATH}/{made['id']}"))[field] is None


def test_other_events_are_not_wanted_where_a_template_fails_for_them(admin: Api, notify: Notify) -> None:
    made = notify("job.failed", text_template="{{ events[0].data.entity.process.name }}")
    refused(admin.put(f"{PATH}/{made['id']}", {"event_types": ["job.failed", "robot.offline"]}), 422, "robot.offline")
    both = "{% for e in events %}{{ e.data.entity.process.name if 'process' in e.data.entity }}{% endfor %}"
    admin.ok(admin.put(f"{PATH}/{made['id']}", {"event_types": ["*"], "text_template": both}))


@pytest.mark.parametrize(
    "source", ["{{ events[0].data.entity.color }}", "{{ events[0].data.entity.name", "{{ 1 / 0 }}"]
)
def test_where_a_template_fails_the_usual_text_says_so_and_nothing_is_lost(
    app: Flask, notify: Notify, postman: Postman, mails: MailServer, source: str
) -> None:
    notify(name="Queues")
    store(app, subject_template=source, text_template=source)
    postman.happen("orders")
    postman.go()
    (message,) = mails.received
    assert message["Subject"] == "[BV Orchestrator] Queues: orders was changed."
    assert "The template of the text failed" in text_of(message)
    assert "The template of the subject failed" in text_of(message)
    assert "orders was changed." in text_of(message)


@pytest.mark.parametrize("own", [None, "{{ events[0].data.entity.name }}"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\u2028", "\x0b", "\x85"])
def test_no_header_can_be_smuggled_in_by_what_happens(
    notify: Notify, postman: Postman, mails: MailServer, end: str, own: str | None
) -> None:
    notify(name=f"Queues{end}Bcc: eve@example.com", subject_template=own, recipients=["a@example.com", "b@example.com"])
    postman.happen(f"red{end}Bcc: eve@example.com{end}{end}Text")
    postman.go()
    (message,) = mails.received
    assert message["Bcc"] is None
    assert "red Bcc: eve@example.com Text" in message["Subject"]
    assert mails.reached == [["a@example.com", "b@example.com"]]


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in events %}{% for b in events %}{% for c in events %}{% for d in events %}{% endfor %}{% endfor %}"
        "{% endfor %}{% endfor %}",
        "{% for a in events|tojson %}{% for b in events|tojson %}{% endfor %}{% endfor %}",
        "{% for a in events|tojson %}{{ a }}{% endfor %}",
        "{{ events|tojson|tojson|tojson|tojson|tojson|tojson }}",
        "{% set x = 'ab' %}{% set x = x ~ x %}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ 'x'|center(1000000000) }}",
        "{{ 'x'|replace('x', events|tojson) }}",
        "{{ range(1000000000)|last }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for e in events recursive %}{{ loop(events) }}{% endfor %}",
        "{{ events[0].data.message.ljust(1000000000) }}",
        "{{ " + "(" * 1990 + ")" * 1990 + " }}",
        "{{ " + "(" * 1990 + "1" + ")" * 1990 + " }}",
        "{% for e in events %}" * 60 + "{% endfor %}" * 60,
        "{{ " + "not " * 990 + "1 }}",
        "{{ " + "1~" * 1990 + "1 }}" + "{{ nothing }}",
        "{{ " + "9" * 3990 + " }}" + "{{ nothing }}",
        "{{ '\\N{nothing}' }}{{ nothing }}",
    ],
)
def test_a_template_ends_soon(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(TemplateFailed):
        rendered(source, events=EVENTS)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ events|attr('append') }}",
        "{{ self.blocks }}",
        "{{ events.append }}",
        "{{ cycler }}",
        "{{ lipsum.__globals__ }}",
        "{{ events[0]['__class__'] }}",
        "{{ loop }}",
        "{{ get_flashed_messages }}",
        "{{ request }}{{ g }}{{ session }}",
    ],
)
def test_a_template_reaches_nothing_but_what_it_is_given(source: str) -> None:
    with pytest.raises(TemplateFailed):
        rendered(source, events=EVENTS)


def test_a_field_comes_before_a_method_and_null_is_nothing() -> None:
    assert rendered("{{ events[0].data.entity.items }}", events=EVENTS) == "own"
    assert (
        rendered("{% for event in events[:2] %}{{ loop.index }}{{ ',' if not loop.last }}{% endfor %}", events=EVENTS)
        == "1,2"
    )
    assert rendered("{{ events[-1].data.entity.name }}", events=EVENTS) == "a"
    assert rendered("<{{ nothing }}>", nothing=None) == "<>"
