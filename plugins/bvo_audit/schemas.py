"""What the API gives."""

from __future__ import annotations

from marshmallow import Schema, fields


class AuditRow(Schema):
    """An event in the list."""

    id = fields.Integer()
    timestamp = fields.AwareDateTime()
    actor_username = fields.String()
    action = fields.String()
    action_type = fields.String()
    entity_type = fields.String()
    entity_display = fields.String()
    entity_id = fields.String()
    entity_name = fields.String()
    message = fields.String()
    summary = fields.String(dump_default=None)


class AuditDetail(AuditRow):
    """An event with all that is known of it."""

    actor_kind = fields.String(metadata={"description": "user, token, sdk, robot or system"})
    actor_user_id = fields.Integer()
    ip_address = fields.String()
    user_agent = fields.String()
    before_data = fields.Raw()
    after_data = fields.Raw()
    metadata = fields.Raw(attribute="details")


class AuditPage(Schema):
    items = fields.List(fields.Nested(AuditRow))
    total = fields.Integer(metadata={"description": "Counted up to 10,001"})
    page = fields.Integer()
    page_size = fields.Integer()
