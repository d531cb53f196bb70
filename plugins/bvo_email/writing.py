"""Subject and text of a mail: by the templates of its notification, or else by those that stand here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from bvo import access, events, registry, settings
from bvo_events import catalogue
from bvo_events.cloud_events import matches
from bvo_events.service import as_told
from bvo_hookspecs import EntityType, Event, EventType

from .models import MailNotification
from .planning import TESTED
from .rendering import Template, TemplateFailed

MOST_EVENTS = 100
"""So many are told in full; of the others it is said how many there are."""
SUBJECT_MOST, TEXT_MOST = 200, 200_000
"""Characters of a mail."""
SUBJECT = """\
[{{ instance }}] {{ notification.name }}: \
{% if count == 1 and events %}{{ events[0].data.message }}\
{% else %}{{ count }} {{ "event" if count == 1 else "events" }}{% endif %}
"""
TEXT = """\
{% for event in events %}
{{ event.data.message }}
{% if event.data.entity.error_message|default("") %}
{{ event.data.entity.error_message|truncate(1000) }}
{% endif %}
{{ event.time[:10] }} {{ event.time[11:19] }} UTC, {{ event.type }}
{% if event.link %}
{{ event.link }}
{% endif %}

{% endfor %}
{% if more %}
{% if events %}
And {{ more }} more, which the audit log has.
{% else %}
{{ "It is" if more == 1 else "They are" }} not in the event log any more: it was kept for less time than this took.
{% endif %}

{% endif %}
{{ "-- " }}
{{ instance }} sends this for the e-mail notification "{{ notification.name }}".
{% if notification.link %}
{{ notification.link }}
{% endif %}
"""


@dataclass(frozen=True)
class Letter:
    """What a mail says."""

    subject: str
    text: str


def letter(notification: MailNotification, first: Sequence[Event], count: int) -> Letter:
    """The mail that tells the `first` of `count` events. Where a template fails, it says so, and loses nothing."""
    values = _values(notification, [_told(event) for event in first], count)
    tested = any(event.type == TESTED for event in first)  # its templates are for what it wants, not for this
    own = (None, None) if tested else (notification.subject_template, notification.text_template)
    subject, no_subject = _filled(own[0], SUBJECT, SUBJECT_MOST, values)
    text, no_text = _filled(own[1], TEXT, TEXT_MOST, values)
    for name, problem in (("text", no_text), ("subject", no_subject)):
        if problem:
            text = f"The template of the {name} failed, so this one has the usual {name}: {problem}\n\n{text}"
    return Letter(_one_line(subject), text)


def sample(notification: MailNotification) -> Letter | None:
    """How a mail would look; None where no event is known that it wants. Raises TemplateFailed."""
    for told in _samples(notification.event_types):
        values = _values(notification, [told], 1)
        subject = Template(notification.subject_template or SUBJECT, SUBJECT_MOST).render(values)
        return Letter(_one_line(subject), Template(notification.text_template or TEXT, TEXT_MOST).render(values))
    return None


def check(source: str, most: int, notification: MailNotification) -> None:
    """Try a template on each kind of event that the notification wants, and on many. Raises TemplateFailed."""
    template, told = Template(source, most), {}
    for told in _samples(notification.event_types):
        try:
            template.render(_values(notification, [told], 1))
        except TemplateFailed as error:
            raise TemplateFailed(f"For {told['type']}: {error}") from None
    if told:
        template.render(_values(notification, [told, told], MOST_EVENTS))


def _filled(own: str | None, usual: str, most: int, values: Mapping[str, Any]) -> tuple[str, str]:
    """What the template makes, or else the usual one, and what was wrong."""
    problem = ""
    if own:
        try:
            return Template(own, most).render(values), ""
        except TemplateFailed as error:
            problem = str(error)
    try:
        return Template(usual, most).render(values), problem
    except TemplateFailed:  # a long message
        return Template("{{ instance }}: {{ count }} events", most).render(values), problem


def _values(notification: MailNotification, told: list[dict[str, Any]], count: int) -> dict[str, Any]:
    """All that a template has."""
    return {
        "events": told,
        "count": count,
        "more": count - len(told),
        "notification": {"name": notification.name, "link": _link("mail_notification", str(notification.id))},
        "instance": settings.get("general.instance_name"),
    }


def _told(event: Event) -> dict[str, Any]:
    link = "" if event.after is None else _link(event.entity_type, event.entity_id)
    return {**as_told(event, settings.public_url()), "link": link}


def _link(entity_type: str, entity_id: str) -> str:
    """The address of a row's page; empty where it has none, or the settings do not say where this installation is."""
    kind, known = registry.current().get(EntityType, entity_type), settings.public_url()
    return f"{known}/ui/{kind.plural.replace('_', '-')}/{entity_id}" if kind and known and entity_id.isdecimal() else ""


def _samples(event_types: Sequence[str]) -> Iterator[dict[str, Any]]:
    """An event of each of these types."""
    for name, declared in sorted(registry.current().of(EventType).items()):
        if matches(event_types, name):
            told: dict[str, Any] = catalogue.schema(declared)["examples"][0]
            about, _, kind = name.partition(".")
            row, entity = told["data"]["entity"], registry.current().get(EntityType, about)
            if entity and "id" in row:
                words = events.words(kind, entity, SimpleNamespace(**row), access.principal())
                told["data"]["message"] = words["message"]
            yield {**told, "link": _link(*told["subject"].split("/"))}


def _one_line(text: str) -> str:
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())
