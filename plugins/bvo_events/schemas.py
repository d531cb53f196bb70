"""What the API takes and gives."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from bvo.entities.routes import MAX_PAGE_SIZE

LATEST = "latest"
PATTERN = r"(\*|[a-z][a-z0-9_]*\.(\*|[a-z][a-z0-9_]*))"
PATTERNS = rf"({PATTERN}(,{PATTERN})*)?$"


def _plain(filters: dict[str, Any]) -> None:
    for path, wanted in filters.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values or any(isinstance(value, list | dict) for value in values):
            raise ValidationError(f"Give {path} a text, a number, true, false or null, or a list of them.")


EVENT_TYPES = fields.List(
    fields.String(validate=validate.Regexp(rf"{PATTERN}\Z", error="Use job.completed, job.* or *.")),
    required=True,
    validate=validate.Length(1, 100),
    metadata={"description": "Types of events, or patterns such as job.*", "example": ["job.failed", "robot.*"]},
)
"""What somebody is told of, with FILTERS, as `bvo_events.wanted` reads them; the fields of those who tell others."""
EVENT_TYPES_OUT = fields.List(fields.String(metadata={"example": "job.failed"}))
_SHOWN = {
    "description": "Fields of the row and the value, or the values, that they must have",
    "example": {"process.name": "Daily report"},
}
FILTERS = fields.Dict(
    keys=fields.String(validate=validate.Length(1, 200)), validate=(validate.Length(max=20), _plain), metadata=_SHOWN
)
FILTERS_OUT = fields.Dict(metadata=_SHOWN)


class PullIn(Schema):
    after = fields.String(
        load_default="0",
        validate=validate.Regexp(
            r"(0|[1-9]\d{0,17}|latest)$", error="Use the `next` of the answer before, 0, or latest."
        ),
        metadata={
            "description": f"The place to go on from: `next` of the answer before. 0: the oldest event that is kept;"
            f" {LATEST}: the end of the log",
            "example": "0",
        },
    )
    types = fields.String(
        load_default="",
        validate=[
            validate.Length(max=1000),
            validate.Regexp(PATTERNS, error="Use types such as job.completed, or patterns such as job.*"),
        ],
        metadata={
            "description": "Only events of these types, with commas between them; left out: of every type",
            "example": "job.*,robot.offline",
        },
    )
    page_size = fields.Integer(load_default=100, validate=validate.Range(1, MAX_PAGE_SIZE))


class Actor(Schema):
    """Who did it."""

    kind = fields.String(metadata={"description": "`user`, `token`, `sdk`, `robot` or `system`", "example": "user"})
    id = fields.Integer(allow_none=True, metadata={"example": 3})
    name = fields.String(metadata={"example": "ada"})


class EventData(Schema):
    """What has happened."""

    entity = fields.Dict(
        metadata={"description": "The row as the API shows it, after the change; of what was deleted, as it was"}
    )
    previous = fields.Dict(
        allow_none=True,
        metadata={
            "description": "What the change has changed, as it was; null where there was nothing",
            "example": None,
        },
    )
    metadata = fields.Dict(metadata={"description": "What else is told of this type"})
    actor = fields.Nested(Actor)
    message = fields.String(metadata={"description": "The same in words", "example": "A sentence for people."})
    omitted = fields.List(
        fields.String(),
        metadata={"description": "What was left out of a long event, such as `entity.result`", "example": []},
    )


class CloudEvent(Schema):
    """An event in the structure of CloudEvents 1.0."""

    specversion = fields.String(validate=validate.Equal("1.0"), metadata={"example": "1.0"})
    id = fields.String(metadata={"description": "Sorts by time", "example": "01978f3a-5c00-7000-8000-0123456789ab"})
    source = fields.String(metadata={"description": "The setting public_url", "example": "https://bvo.example.com"})
    type = fields.String(metadata={"example": "job.completed"})
    subject = fields.String(metadata={"description": "What it is about", "example": "job/17"})
    time = fields.String(metadata={"format": "date-time", "example": "2026-11-02T08:30:00Z"})
    datacontenttype = fields.String(metadata={"example": "application/json"})
    dataschema = fields.String(
        metadata={
            "description": "The JSON Schema of this type, where public_url is set",
            "example": "https://bvo.example.com/api/events/types/job.completed/v1",
            "x_optional": True,
        }
    )
    data = fields.Nested(EventData)


class PullOut(Schema):
    """Events, oldest first."""

    events = fields.List(fields.Nested(CloudEvent))
    next = fields.String(metadata={"description": "Where to go on from: the next `after`", "example": "4711"})
    more = fields.Boolean(metadata={"description": "There are more by now: ask again at once"})


class TypeOut(Schema):
    """An event type."""

    type = fields.String(metadata={"example": "job.completed"})
    description = fields.String(metadata={"description": "When it happens", "example": "The job ended well."})
    plugin = fields.String(metadata={"description": "Who declares it", "example": "jobs"})
    version = fields.Integer(
        metadata={"description": "Raised when something is taken out of it, or changes its meaning", "example": 1}
    )
    schema = fields.String(
        metadata={"description": "Where its JSON Schema is", "example": "/api/events/types/job.completed/v1"}
    )
