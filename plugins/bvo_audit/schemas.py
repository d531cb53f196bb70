"""What the API gives."""

from __future__ import annotations

from marshmallow import Schema, fields


class AuditRow(Schema):
    """An event in the list."""

    id = fields.Integer()
    timestamp = fields.AwareDateTime(metadata={"label": "When"})
    actor_username = fields.String(metadata={"label": "Who", "example": "ada"})
    action = fields.String(metadata={"label": "Exact action", "example": "job.canceled"})
    action_type = fields.String(metadata={"label": "Action", "example": "status_changed"})
    entity_type = fields.String(metadata={"example": "job"})
    entity_display = fields.String(metadata={"label": "Of what", "example": "Job"})
    entity_id = fields.String(metadata={"example": "17"})
    entity_name = fields.String(metadata={"label": "Name", "example": "Daily report #17"})
    message = fields.String(
        metadata={"label": "What happened", "example": 'Job "Daily report #17": canceled. By User ada.'}
    )
    summary = fields.String(dump_default=None, allow_none=True, metadata={"example": None})


class AuditDetail(AuditRow):
    """An event with all that is known of it."""

    actor_kind = fields.String(metadata={"description": "user, token, sdk, robot or system", "example": "user"})
    actor_user_id = fields.Integer(allow_none=True)
    ip_address = fields.String(allow_none=True, metadata={"example": "192.0.2.7"})
    user_agent = fields.String(allow_none=True, metadata={"example": "bvo-client/1.0"})
    before_data = fields.Raw(
        allow_none=True,
        metadata={
            "type": "object",
            "description": "Of a change, the fields that changed, as they were; of what was deleted, all of them",
            "example": {"status": "pending"},
        },
    )
    after_data = fields.Raw(allow_none=True, metadata={"type": "object", "example": {"status": "canceled"}})
    metadata = fields.Raw(attribute="details", allow_none=True, metadata={"type": "object", "example": None})


class AuditPage(Schema):
    """A part of the log. The Link header leads to the next one."""

    items = fields.List(fields.Nested(AuditRow))
    total = fields.Integer(metadata={"description": "Counted up to 10,001, and back to searched_to"})
    page = fields.Integer()
    page_size = fields.Integer()
    searched_to = fields.AwareDateTime(
        allow_none=True,
        metadata={
            "description": "Set where not the whole log was looked through, but only what happened since then:"
            " follow the Link header to go on, or narrow the list by time"
        },
    )
