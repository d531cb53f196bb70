"""Judging rules: what they find now, beside what they have raised. Runs in every worker; no leader."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import ColumnElement, Row, or_, select, update
from sqlalchemy.orm import Session

from bvo import clock, isolation
from bvo.database import db, transaction, utcnow
from bvo.entities import is_storable
from bvo.forms.form import messages_of
from bvo.observers import ObserverFailed, Observers
from bvo.problems import field_errors
from bvo_hookspecs import AlertCondition, Finding

from . import conditions, service
from .models import AlertRule

EVERY = timedelta(seconds=15)
AWAY = timedelta(minutes=1)
"""Where nobody has judged for so long, the server was away: then robots may have as long to come back."""
MOST_OPEN = 1_000
"""So many alerts of one rule are open at once."""
AT_ONCE = 200
"""So many are raised, or resolved, in one transaction, since others wait for it; the rest is when it is due again."""
MOST_FOUND = 10_000
"""Whoever finds more has made a mistake."""
LONGEST_ERROR = 1_000

JUDGED = (AlertRule.id, AlertRule.condition, AlertRule.parameters, AlertRule.watching_since, AlertRule.checked_at)
"""What is known of a rule while it is judged: it may be changed meanwhile."""
Judged = Row[tuple[int, str, dict[str, Any], datetime, datetime | None]]
Found = Mapping[str, Finding]

observers = Observers()


def evaluate() -> None:
    """Judge the rules that are due. Of several workers, each rule has one."""
    due = select(AlertRule.id, AlertRule.checked_at, AlertRule.condition).where(*_due(utcnow())).order_by(AlertRule.id)
    for rule_id, checked_at, condition in db.session.execute(due).all():
        if isolation.serves(_owner(condition)):
            away = checked_at is not None and checked_at < utcnow() - AWAY
            rule = _claim(rule_id, AWAY - EVERY if away else timedelta(0))
            if rule is not None and not away:
                _judge(rule)


def wait_for_others() -> None:
    """Do nothing, while the wall clock has just jumped and others still count anew what conditions ask for."""


def _owner(condition: str) -> str:
    """The plugin in whose worker process the condition is asked; our own where no plugin that is loaded has it."""
    owned = conditions.owned(condition)
    return owned[0].name if owned else "alerts"


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Also one that was judged well after now, before the clock was set back."""
    checked_at = AlertRule.checked_at
    due = or_(checked_at.is_(None), checked_at <= now - EVERY, checked_at > now + AWAY)
    return AlertRule.is_active.is_(True), due


def _claim(rule_id: int, later: timedelta) -> Judged | None:
    """The rule, which nobody else judges before it is due again, or so much later; None where it is not due by now."""
    now = utcnow()
    claimed = update(AlertRule).where(AlertRule.id == rule_id, *_due(now))
    with transaction() as session:
        return session.execute(_quietly(claimed, checked_at=now + later).returning(*JUDGED)).one_or_none()


def _judge(rule: Judged) -> None:
    found, error = _find(rule)
    with transaction() as session:
        mine = select(AlertRule).where(AlertRule.id == rule.id, AlertRule.checked_at == rule.checked_at)
        row = session.scalar(mine.with_for_update().execution_options(populate_existing=True))
        if row is None or clock.guard.jumped():
            return  # it was changed, another worker has begun, or it was judged by a time that is not
        if found is not None:
            error = _compare(session, row, found)
        if error != row.last_error:
            session.execute(_quietly(update(AlertRule).where(AlertRule.id == row.id), last_error=error))


def _quietly(statement: Any, **values: Any) -> Any:
    """The statement with these values, which are no change that anybody has made."""
    kept = statement.values(**values, updated_at=AlertRule.updated_at)
    return kept.execution_options(synchronize_session=False)


def _find(rule: Judged) -> tuple[Found | None, str | None]:
    """What it finds, by subject; or None, and why."""
    owned = conditions.owned(rule.condition)
    if owned is None:
        return None, conditions.absent(rule.condition)
    plugin, condition = owned
    try:
        parameters = condition.parameters().load(rule.parameters)
        return observers.attempt(plugin.info, condition.name, _asked, condition, parameters, rule.watching_since), None
    except ValidationError as error:
        return None, f"Its parameters do not fit any more: {_words(error)}"[:LONGEST_ERROR]
    except ObserverFailed as failed:
        return None, str(failed)[:LONGEST_ERROR]


def _words(error: ValidationError) -> str:
    return "; ".join(f"{name}: {' '.join(words)}" for name, words in field_errors(messages_of(error)).items())


def _asked(condition: AlertCondition, parameters: Mapping[str, Any], since: datetime) -> Found:
    found = list(islice(condition.find(parameters, since), MOST_FOUND + 1))
    if len(found) > MOST_FOUND:
        raise ValueError(f"it holds for more than {MOST_FOUND:,}")
    for each in found:
        if not isinstance(each, Finding):
            raise TypeError(f"it found {each!r:.100} where a Finding belongs")
        if not is_storable([each.subject, each.name, each.message]):
            raise ValueError(f"{each!r:.100} has a character that no database keeps")
    return {each.subject: each for each in found}


def _compare(session: Session, rule: AlertRule, found: Found) -> str | None:
    """Resolve what is not found any more and raise what is new; returns what is to be said where not all of it is."""
    raised = {alert.subject: alert for alert in service.open_alerts(session, rule.id)}
    gone = [alert for subject, alert in raised.items() if subject not in found][:AT_ONCE]
    service.resolve(session, gone)
    new = (each for subject, each in found.items() if subject not in raised)
    service.raise_for(session, rule, islice(new, min(AT_ONCE, MOST_OPEN - len(raised) + len(gone))))
    if len(found) <= MOST_OPEN:
        return None
    return f"It holds for {len(found):,} now, and {MOST_OPEN:,} alerts of a rule are open at most. Watch less."
