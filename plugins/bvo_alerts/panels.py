"""The panels of a rule and of an alert, and the dashboard's card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import select

from bvo.database import db
from bvo.entities import row_of
from bvo.forms import Form
from bvo_hookspecs import DashboardCard, DetailPanel

from . import conditions
from .models import OPEN, Alert, AlertRule

SHOWN = 10


def watch_panel(rule_id: int) -> dict[str, Any]:
    """What the rule watches, in the words of its form."""
    rule = db.session.get_one(AlertRule, rule_id)
    condition = conditions.known().get(rule.condition)
    return {"rule": rule, "help": condition.help if condition else "", "parameters": list(_parameters(rule))}


def raised_panel(rule_id: int) -> dict[str, Any]:
    """The alerts of a rule: the newest ones, first those that are open."""
    mine = select(Alert).where(Alert.rule_id == rule_id).order_by(Alert.status, Alert.id.desc())
    found = db.session.scalars(mine.limit(SHOWN + 1)).all()
    return {"rule_id": rule_id, "alerts": found[:SHOWN], "more": len(found) > SHOWN, "live": True}


def alert_panel(alert_id: int) -> dict[str, Any]:
    alert = db.session.get_one(Alert, alert_id)
    return {"alert": alert, "about": row_of(alert.subject), "live": alert.status == OPEN}


def open_card() -> dict[str, Any]:
    """Those raised last, of those that are open."""
    latest = select(Alert).where(Alert.status == OPEN).order_by(Alert.id.desc()).limit(SHOWN + 1)
    found = db.session.scalars(latest).all()
    ruled = bool(found) or db.session.scalar(select(AlertRule.id).limit(1)) is not None
    return {"alerts": found[:SHOWN], "more": len(found) > SHOWN, "ruled": ruled}


def _parameters(rule: AlertRule) -> Iterator[dict[str, Any]]:
    """Those that are given, as their form shows them: choices and rows by name."""
    condition = conditions.known().get(rule.condition)
    if condition is None:
        return
    for control in Form.of(condition.parameters(), values=rule.parameters).controls:
        labels = dict(control.options)
        texts = [labels.get(text) or text for text in control.texts]
        entity = control.entity.name if control.entity else ""
        if texts:
            yield {"control": control, "texts": texts, "entity": entity, "value": rule.parameters.get(control.key)}


PANELS = (
    DetailPanel(
        name="rule_watch",
        entity_type="alert_rule",
        title="What it watches",
        template="bvo_alerts/watch_panel.html",
        context=watch_panel,
        order=10,
        covers=("condition", "watches", "parameters", "is_active", "last_error"),
    ),
    DetailPanel(
        name="rule_alerts",
        entity_type="alert_rule",
        title="Its alerts",
        template="bvo_alerts/raised_panel.html",
        context=raised_panel,
        order=20,
        permission="alerts:view",
    ),
    DetailPanel(
        name="alert_state",
        entity_type="alert",
        title="What is wrong",
        template="bvo_alerts/alert_panel.html",
        context=alert_panel,
        order=10,
        covers=("rule", "condition", "subject", "subject_name", "message", "raised_at", "resolved_at"),
    ),
)
CARD = DashboardCard(
    name="open_alerts",
    title="Open alerts",
    template="bvo_alerts/open_card.html",
    context=open_card,
    permission="alerts:view",
    order=5,
)
