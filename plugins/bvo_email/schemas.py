"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validate

from bvo_events.schemas import EVENT_TYPES, EVENT_TYPES_OUT, FILTERS, FILTERS_OUT
from bvo_settings.groups import one_line

SUBJECT_LENGTH, TEXT_LENGTH = 500, 4_000
"""Of templates, in characters."""
DAY_MINUTES = 24 * 60


def _each_once(recipients: list[str]) -> None:
    seen: set[str] = set()
    for recipient in recipients:
        if recipient.lower() in seen:
            raise ValidationError(f"Name {recipient} once.")
        seen.add(recipient.lower())


def _ascii(recipient: str) -> None:
    if not recipient.isascii():
        raise ValidationError("Use ASCII characters, of a domain its form that begins with xn--: mail servers want it.")


class NotificationIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "Failed jobs"})
    recipients = fields.List(
        fields.Email(validate=(validate.Length(max=254), one_line, _ascii)),
        required=True,
        validate=(validate.Length(1, 50), _each_once),
        metadata={
            "description": "Who gets the mails. They do not see each other",
            "example": ["ops@example.com", "ada@example.com"],
        },
    )
    event_types = EVENT_TYPES
    filters = FILTERS
    digest_minutes = fields.Integer(
        strict=True,
        validate=validate.Range(0, DAY_MINUTES),
        metadata={
            "description": "What happens within so many minutes comes in one mail; 0, as where it is left out: at once",
            "example": 60,
        },
    )
    subject_template = fields.String(
        allow_none=True,
        validate=(validate.Length(1, SUBJECT_LENGTH), one_line),
        metadata={
            "description": "The subject, as a Jinja2 template; left out: the name, and what happened",
            "example": "{{ count }} failed",
        },
    )
    text_template = fields.String(
        allow_none=True,
        validate=validate.Length(1, TEXT_LENGTH),
        metadata={
            "description": "The text, as a Jinja2 template; left out: what happened, with links",
            "example": "{% for event in events %}{{ event.data.message }} {{ event.link }}{% endfor %}",
        },
    )
    is_active = fields.Boolean()


class NotificationOut(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "Failed jobs"})
    recipients = fields.List(fields.String(metadata={"example": "ops@example.com"}))
    event_types = EVENT_TYPES_OUT
    filters = FILTERS_OUT
    digest_minutes = fields.Integer(metadata={"example": 60})
    subject_template = fields.String(allow_none=True, metadata={"example": None})
    text_template = fields.String(allow_none=True, metadata={"example": None})
    is_active = fields.Boolean()
    last_sent_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "When the mail server took one last", "example": None}
    )
    failing_since = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Since then the mail server has taken none", "example": None}
    )
    last_error = fields.String(
        allow_none=True, metadata={"description": "What it said last, where not everybody got a mail", "example": None}
    )
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()
