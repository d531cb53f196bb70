"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, ValidationError, fields, validate

from bvo_events.schemas import EVENT_TYPES, EVENT_TYPES_OUT, FILTERS, FILTERS_OUT

from . import urls
from .models import STATES

HEADER = validate.Regexp(r"[A-Za-z0-9-]{1,100}\Z", error="Use letters, digits and dashes.")
VALUE = validate.Regexp(r"[ -~]{1,2000}\Z", error="Use printable ASCII characters, at most 2,000.")
OURS = ("content-type", "content-length", "host", "connection", "transfer-encoding", "user-agent")


def _url(url: str) -> None:
    try:
        urls.parse(url)
    except ValueError as error:
        raise ValidationError(str(error)) from None


def _free(headers: dict[str, str]) -> None:
    if taken := [name for name in headers if name.lower() in OURS or name.lower().startswith("webhook-")]:
        raise ValidationError(f"Leave out {', '.join(sorted(taken))}: the request has its own.")


class WebhookIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "Tickets"})
    url = fields.String(
        required=True,
        validate=(validate.Length(max=2000), _url),
        metadata={
            "description": "Where events are sent, by POST",
            "format": "uri",
            "example": "https://tickets.example.com/bvo",
        },
    )
    event_types = EVENT_TYPES
    filters = FILTERS
    headers = fields.Dict(
        keys=fields.String(validate=HEADER),
        values=fields.String(validate=VALUE),
        validate=(validate.Length(max=20), _free),
        metadata={
            "description": "Headers that are sent along. A value that is sent back as `***` stays as it is",
            "example": {"X-Team": "invoices"},
        },
    )
    concurrency = fields.Integer(
        strict=True,
        validate=validate.Range(1, 20),
        metadata={"description": "How many requests it takes at once; 4 where left out", "example": 4},
    )
    is_active = fields.Boolean()


class WebhookOut(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "Tickets"})
    url = fields.String(metadata={"example": "https://tickets.example.com/bvo"})
    event_types = EVENT_TYPES_OUT
    filters = FILTERS_OUT
    headers = fields.Dict(metadata={"description": "Their values are not shown", "example": {"X-Team": "***"}})
    concurrency = fields.Integer(metadata={"example": 4})
    is_active = fields.Boolean()
    disabled_reason = fields.String(allow_none=True, metadata={"description": "Why the server did it", "example": None})
    failing_since = fields.AwareDateTime(allow_none=True, metadata={"example": None})
    paused_until = fields.AwareDateTime(
        allow_none=True, metadata={"description": "After failures in a row it is left alone so long", "example": None}
    )
    old_secret_until = fields.AwareDateTime(
        allow_none=True, metadata={"description": "So long the secret before this one signs, too", "example": None}
    )
    secret = fields.String(
        metadata={
            "description": "Shown once, when the webhook is created or gets a new one",
            "example": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "x_optional": 201,
        }
    )
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class Attempt(Schema):
    """One request."""

    at = fields.String(metadata={"format": "date-time", "example": "2026-11-02T08:30:00+00:00"})
    status = fields.Integer(allow_none=True, metadata={"example": 503})
    error = fields.String(allow_none=True, metadata={"example": "It answered 503."})
    milliseconds = fields.Float(allow_none=True)


class Answer(Schema):
    """What the endpoint answered last: its headers, and how the body begins."""

    headers = fields.Dict(keys=fields.String(), values=fields.String(), metadata={"example": {"Server": "nginx"}})
    body = fields.String(metadata={"example": "ok"})


class OfWebhook(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "Tickets"})


class DeliveryOut(Schema):
    id = fields.Integer()
    webhook_id = fields.Integer()
    webhook = fields.Nested(OfWebhook)
    event_id = fields.String(metadata={"example": "01978f3a-5c00-7000-8000-0123456789ab"})
    event_type = fields.String(metadata={"example": "job.failed"})
    subject = fields.String(metadata={"description": "What the event is about", "example": "job/17"})
    status = fields.String(validate=validate.OneOf(STATES), metadata={"example": "delivered"})
    attempt = fields.Integer(metadata={"description": "How often it was sent, since it was last asked for"})
    attempts = fields.List(fields.Nested(Attempt), metadata={"description": "The last ones"})
    available_at = fields.AwareDateTime(metadata={"description": "When it was or is to be sent next"})
    response_status = fields.Integer(allow_none=True, metadata={"example": 200})
    response = fields.Nested(Answer, allow_none=True)
    error = fields.String(allow_none=True, metadata={"example": None})
    milliseconds = fields.Float(allow_none=True)
    created_at = fields.AwareDateTime()
    finished_at = fields.AwareDateTime(allow_none=True)


class ReplayIn(Schema):
    since = fields.AwareDateTime(
        required=True,
        metadata={"example": "2026-11-02T08:00:00Z"},
    )
