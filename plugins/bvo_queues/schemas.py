"""What the API takes and gives."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate

from bvo.database import utcnow
from bvo.entities import Forgiving, is_storable

from . import states

ID = validate.Range(1, 2**31 - 1)
CHANGING = {"x_only": "update"}
MAX_BULK = 10_000
"""How many items one request may bring."""
LEASE = {"description": "What the claim of the item gave", "example": "bvol_0123456789abcdef"}
ANY = {"description": "Any JSON value", "example": {"amount": 99.5}}


class JsonValue(fields.Raw):
    """Any JSON value. A string that holds JSON is taken as that JSON: clients of the reference send it so.

    What no database could keep stays the string that it came in.
    """

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Any:
        if isinstance(value, str):
            try:
                parsed = json.loads(value)
            except (ValueError, RecursionError):
                return value
            return parsed if is_storable(parsed) else value
        return value


def _in_future(moment: datetime) -> None:
    if moment <= utcnow():
        raise ValidationError("It lies in the past. Send a later one, or leave it out.")


class QueueIn(Schema):
    name = fields.String(required=True, validate=validate.Length(1, 200), metadata={"example": "invoices"})
    description = fields.String(allow_none=True, validate=validate.Length(max=2000))
    is_active = fields.Boolean(metadata={"description": "Whether it takes new items; those that it has are worked off"})
    max_retries = fields.Integer(
        validate=validate.Range(0, 100),
        metadata={
            "description": "How often an item is tried again after application failures; 2 where left out: 3 attempts"
        },
    )
    retry_delay_seconds = fields.Integer(
        validate=validate.Range(0, 86_400),
        metadata={"description": "Wait before the first retry, twice as long before each further one; 60 if left out"},
    )
    lease_seconds = fields.Integer(
        validate=validate.Range(15, 86_400),
        metadata={"description": "For so long a job holds an item without renewing it; 300 where left out"},
    )
    unique_references = fields.Boolean(
        metadata={"description": "Whether a second item with the same reference is refused (409)"}
    )


class QueueOut(Schema):
    id = fields.Integer()
    name = fields.String(metadata={"example": "invoices"})
    description = fields.String(allow_none=True, metadata={"example": "Invoices to be booked"})
    is_active = fields.Boolean()
    max_retries = fields.Integer()
    retry_delay_seconds = fields.Integer(metadata={"example": 60})
    lease_seconds = fields.Integer(metadata={"example": 300})
    unique_references = fields.Boolean()
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class NewItem(Schema):
    """What an item is made of, but for its queue."""

    reference = fields.String(allow_none=True, validate=validate.Length(max=200), metadata={"example": "INV-4711"})
    priority = fields.Integer(
        validate=validate.Range(-1_000_000, 1_000_000),
        metadata={"description": "Higher comes first; 0 where left out", "example": 0},
    )
    payload: fields.Raw = JsonValue(allow_none=True, metadata=ANY)
    defer_until = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Not claimed before; left out or past: at once", "example": None}
    )
    deadline_at = fields.AwareDateTime(
        allow_none=True,
        validate=_in_future,
        metadata={
            "description": "An item that is not completed by then becomes abandoned, with error_code `expired`",
            "example": None,
        },
    )


class QueueItemIn(NewItem):
    queue_id = fields.Integer(validate=ID, metadata={"example": 1})
    queue_name = fields.String(metadata={"description": "Instead of queue_id"})
    status = fields.String(validate=validate.OneOf(states.STATES), metadata=CHANGING)
    result = JsonValue(allow_none=True, metadata=CHANGING)
    error_message = fields.String(allow_none=True, validate=validate.Length(max=10_000), metadata=CHANGING)


class QueueItemForm(QueueItemIn):
    """What the web UI's form for a new item asks for: the queue first."""

    class Meta:
        fields = ("queue_id", "reference", "payload", "priority", "defer_until", "deadline_at")

    queue_id = fields.Integer(required=True, validate=ID)


class QueueItemOut(Schema):
    id = fields.Integer()
    queue_id = fields.Integer()
    reference = fields.String(allow_none=True, metadata={"example": "INV-4711"})
    status = fields.String(validate=validate.OneOf(states.STATES))
    priority = fields.Integer(metadata={"example": 0})
    payload = fields.Raw(allow_none=True, metadata=ANY)
    available_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Not claimed before; null: at once", "example": None}
    )
    deadline_at = fields.AwareDateTime(
        allow_none=True, metadata={"description": "Abandoned where it is not completed by then", "example": None}
    )
    result = fields.Raw(allow_none=True, metadata={"description": "Any JSON value", "example": None})
    failure_kind = fields.String(
        allow_none=True,
        validate=validate.OneOf(states.KINDS),
        metadata={"description": "Of its last failure", "example": None},
    )
    error_code = fields.String(
        allow_none=True,
        metadata={"description": "expired, lease_lost, job_ended, or what the script said", "example": None},
    )
    error_message = fields.String(allow_none=True, metadata={"example": None})
    attempt = fields.Integer(metadata={"description": "How often a job has taken it", "example": 0})
    retries = fields.Integer(metadata={"description": "How often it was tried again", "example": 0})
    locked_by_robot_id = fields.Integer(allow_none=True, metadata={"example": None})
    locked_at = fields.AwareDateTime(allow_none=True, metadata={"example": None})
    job_id = fields.Integer(
        allow_none=True, metadata={"description": "The job that works on it, or did last", "example": None}
    )
    job_attempt = fields.Integer(allow_none=True, metadata={"example": None})
    created_at = fields.AwareDateTime()
    updated_at = fields.AwareDateTime()


class BulkIn(Schema):
    queue_id = fields.Integer(validate=ID, metadata={"example": 1})
    queue_name = fields.String(metadata={"description": "Instead of queue_id"})
    items = fields.List(
        fields.Nested(NewItem),
        required=True,
        validate=validate.Length(1, MAX_BULK),
        metadata={"example": [{"reference": "INV-4711", "payload": {"amount": 99.5}}]},
    )


class BulkOut(Schema):
    count = fields.Integer()
    ids = fields.List(fields.Integer(), metadata={"description": "In the order of the items"})


class RobotMessage(Forgiving):
    """Runners are older or newer than the server: what one side does not know, it leaves alone."""

    class Meta:
        unknown = EXCLUDE


class JobItemIn(RobotMessage, NewItem):
    """An item that a running job adds. Its payload is what the script says, also where that is a string with JSON."""

    payload = fields.Raw(allow_none=True, metadata=ANY)


class NextIn(RobotMessage):
    """Nothing: who asks, and for which job, stands in the headers."""


class HeldIn(RobotMessage):
    item_lease = fields.String(required=True, metadata=LEASE)


class CompleteIn(HeldIn):
    result = fields.Raw(allow_none=True, load_default=None, metadata=ANY)


class FailIn(HeldIn):
    kind = fields.String(
        load_default=states.APPLICATION,
        validate=validate.OneOf(states.KINDS),
        metadata={"description": "application: it is tried again; business: it never is"},
    )
    error_message = fields.String(
        required=True, validate=validate.Length(max=10_000), metadata={"example": "The shop does not answer"}
    )
    error_code = fields.String(
        allow_none=True, load_default=None, validate=validate.Length(max=100), metadata={"example": "shop_down"}
    )
    retry_after_seconds = fields.Integer(
        allow_none=True,
        load_default=None,
        validate=validate.Range(0, 30 * 86_400),
        metadata={"description": "How long to wait before the next attempt; left out: as the queue says"},
    )


class ClaimedItem(Schema):
    """An item as the job that works on it gets it."""

    id = fields.Integer()
    reference = fields.String(allow_none=True, metadata={"example": "INV-4711"})
    priority = fields.Integer(metadata={"example": 0})
    payload = fields.Raw(allow_none=True, metadata=ANY)
    retries = fields.Integer(metadata={"example": 0})
    attempt = fields.Integer()
    item_lease = fields.String(metadata={**LEASE, "description": "To be sent along with everything about the item"})
    lease_seconds = fields.Integer(
        metadata={"description": "For so long it holds, unless it is renewed", "example": 300}
    )
    deadline_at = fields.AwareDateTime(allow_none=True, metadata={"example": None})


class NextOut(Schema):
    item = fields.Nested(ClaimedItem, allow_none=True, metadata={"description": "null where nothing is ready"})


class RenewedOut(Schema):
    lease_seconds = fields.Integer(metadata={"example": 300})


class SettledOut(Schema):
    status = fields.String(
        validate=validate.OneOf(states.STATES),
        metadata={"description": "Of the item now: after a failure `new` where it is tried again"},
    )


class AddedOut(Schema):
    id = fields.Integer()
