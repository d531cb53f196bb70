"""Changing rules, and raising and resolving what they find."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, UnprocessableEntity

from bvo import events, registry
from bvo.database import transaction, utcnow
from bvo.entities import Creates, Deletes, Service, Updates
from bvo_hookspecs import Finding

from . import conditions
from .models import OPEN, RESOLVED, Alert, AlertRule
from .schemas import AlertRuleIn, Parameters


class AlertRuleService(Creates[AlertRule], Updates[AlertRule], Deletes[AlertRule]):
    """Create, change, delete. A rule that does not watch any more resolves what it has raised."""

    empty_template = "bvo_alerts/rules_empty.html"

    form_begins_with = "condition"

    def form_schema(self, row: AlertRule | None, given: Mapping[str, Any]) -> Schema:
        """The condition is chosen first; then the fields that it wants, which can't be told where it is not loaded."""
        condition = conditions.known().get(row.condition if row else given.get("condition", ""))
        if condition is None:
            return _rest() if row else _choice()
        described = {"description": condition.help}
        asked = Parameters(condition.parameters, required=True, metadata=described)
        return AlertRuleIn.from_dict({"parameters": asked})(only=("name", "parameters", "is_active"))

    def create(self, data: Mapping[str, Any]) -> AlertRule:
        """Raises UnprocessableEntity for parameters that the condition refuses."""
        parameters = _checked(data["condition"], data.get("parameters") or {})
        return super().create({**data, "parameters": parameters})

    def update(self, row_id: int, data: Mapping[str, Any]) -> AlertRule:
        """Change it; where it watches something else then, it begins anew. Raises Conflict for another condition."""
        with transaction() as session:
            rule = self._locked(session, row_id)
            if data.get("condition", rule.condition) != rule.condition:
                raise Conflict("The condition of a rule can't change. Delete the rule, and create another one.")
            values = dict(data)
            if "parameters" in values:
                values["parameters"] = _checked(rule.condition, values["parameters"])
            if any(
                getattr(rule, name) != values.get(name, getattr(rule, name)) for name in ("parameters", "is_active")
            ):
                values |= {"watching_since": utcnow(), "checked_at": None, "last_error": None}
            if values.get("is_active") is False:
                resolve(session, open_alerts(session, row_id))
            return self.change(session, rule, values)

    def delete(self, row_id: int) -> None:
        """Delete it with its alerts, of which the event log still tells."""
        with transaction() as session:
            self._locked(session, row_id)
            resolve(session, open_alerts(session, row_id))
            super().delete(row_id)

    def _locked(self, session: Session, row_id: int) -> AlertRule:
        rule = self.get(row_id)
        session.refresh(rule, with_for_update=True)  # whoever judges it at the same time does so before, or not at all
        return rule


class AlertService(Service[Alert]):
    """Looking at alerts; only rules raise and resolve them."""

    empty_template = "bvo_alerts/alerts_empty.html"


def open_alerts(session: Session, rule_id: int) -> Iterable[Alert]:
    mine = select(Alert).where(Alert.rule_id == rule_id, Alert.status == OPEN)
    return session.scalars(mine.order_by(Alert.id)).all()


def raise_for(session: Session, rule: AlertRule, findings: Iterable[Finding]) -> None:
    """Open an alert for each of them, in the running transaction."""
    entity = registry.current().service(AlertService).entity
    for found in findings:
        alert = Alert(rule=rule, subject=found.subject, subject_name=found.name, message=found.message)
        session.add(alert)
        session.flush()
        events.emit("raised", entity, alert, message=f"{rule.name}: {alert.message}")


def resolve(session: Session, alerts: Iterable[Alert]) -> None:
    """End them, in the running transaction."""
    entity = registry.current().service(AlertService).entity
    for alert in alerts:
        before = events.snapshot(entity, alert)
        alert.status, alert.resolved_at = RESOLVED, utcnow()
        session.flush()
        message = f"{alert.rule.name}: resolved for {alert.subject_name}."
        events.emit("resolved", entity, alert, before=before, message=message)


def _choice() -> Schema:
    known = conditions.known()
    labels = [condition.label for condition in known.values()]
    choice = fields.String(required=True, validate=validate.OneOf(tuple(known), labels=labels))
    return Schema.from_dict({"condition": choice})()


def _rest() -> Schema:
    return AlertRuleIn(only=("name", "is_active"))


def _checked(name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    condition = conditions.known().get(name)
    if condition is None:
        raise Conflict(conditions.absent(name))
    try:
        return conditions.checked(condition, parameters)
    except ValidationError as error:
        refused = UnprocessableEntity()
        refused.data = {"messages": {"json": {"parameters": error.messages}}}  # type: ignore[attr-defined]
        raise refused from None
