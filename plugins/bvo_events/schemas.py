"""What the API takes and gives."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from bvo.entities.routes import MAX_PAGE_SIZE

from .cloud_events import example
from .service import LATEST

_PATTERN = r"(\*|[a-z][a-z0-9_]*\.(\*|[a-z][a-z0-9_]*))"
PATTERNS = rf"({_PATTERN}(,{_PATTERN})*)?$"


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


class PullOut(Schema):
    """Events, oldest first."""

    events = fields.List(
        fields.Raw(metadata={"type": "object"}),
        metadata={"description": "In the structure of CloudEvents 1.0", "example": [example()]},
    )
    next = fields.String(metadata={"description": "Where to go on from: the next `after`", "example": "4711"})
    more = fields.Boolean(metadata={"description": "There are more by now: ask again at once"})
