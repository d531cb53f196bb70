"""The entity types `alert_rule` and `alert`."""

from __future__ import annotations

from marshmallow import fields, validate

from bvo.entities import equals, everything, flag, search
from bvo_hookspecs import EntityType, EventType, NavItem

from .models import OPEN, RESOLVED, STATES, Alert, AlertRule
from .schemas import AlertOut, AlertRuleIn, AlertRuleOut
from .service import AlertRuleService, AlertService

ALERT_RULE = EntityType(
    name="alert_rule",
    plural="alert_rules",
    label="Alert rule",
    model=AlertRule,
    read_schema=AlertRuleOut,
    write_schema=AlertRuleIn,
    service=AlertRuleService,
    scope=everything,
    columns=("id", "name", "watches", "is_active", "last_error"),
    filters=(search(AlertRule.name), flag("is_active", AlertRule.is_active)),
    nav=NavItem(name="alert_rules", label="Alert rules", order=84),
)
ALERT = EntityType(
    name="alert",
    plural="alerts",
    label="Alert",
    model=Alert,
    read_schema=AlertOut,
    service=AlertService,
    scope=everything,
    columns=("id", "subject_name", "message", "rule", "status", "raised_at", "resolved_at"),
    filters=(
        equals(Alert.status, fields.String(validate=validate.OneOf(STATES))),
        equals(Alert.rule_id, fields.Integer(validate=validate.Range(1, 2**31 - 1)), "alert_rule_id"),
        equals(Alert.subject, fields.String(metadata={"description": "Such as robot/3"})),
    ),
    nav=NavItem(name="alerts", label="Alerts", order=15),
)

EVENT_TYPES = (
    EventType(
        name="alert.raised",
        help="What a rule watches for has come to hold.",
        schema=AlertOut,
        example={"status": OPEN, "resolved_at": None},
    ),
    EventType(
        name="alert.resolved",
        help="It does not hold any more, or the rule does not watch any more.",
        schema=AlertOut,
        example={"status": RESOLVED, "resolved_at": "2026-11-02T08:30:00+00:00"},
    ),
)
