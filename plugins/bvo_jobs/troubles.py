"""What is wrong with a job that has not ended: the numbers of the dashboard, and the filter `?trouble=` behind them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from marshmallow import fields, validate
from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from bvo.database import db, utcnow
from bvo_hookspecs import Filter
from bvo_robots.models import Robot

from .eligibility import READY, RUNNING
from .models import Job

LATE = timedelta(minutes=10)
"""A job that could run and was not claimed for so long is late."""
MOST = 1_000
"""Counted up to here: beyond it, a number says no more."""


def late() -> ColumnElement[bool]:
    return and_(READY, Job.created_at < utcnow() - LATE)


def stranded() -> ColumnElement[bool]:
    """Its robot is not there or takes nothing new, or where none was chosen, no robot is there."""
    away = or_(Robot.status != "online", Robot.is_draining)
    if db.session.scalar(select(Robot.id).where(~away).limit(1)) is None:
        return READY
    return and_(READY, Job.robot_id.is_not(None), Job.robot_id.in_(select(Robot.id).where(away)))


def overdue() -> ColumnElement[bool]:
    return and_(RUNNING, Job.deadline_at < utcnow())


CONDITIONS: dict[str, Callable[[], ColumnElement[bool]]] = {"late": late, "stranded": stranded, "overdue": overdue}

TROUBLE = Filter(
    name="trouble",
    field=fields.String(
        validate=validate.OneOf(tuple(CONDITIONS)),
        metadata={
            "description": "late: could run and waits for more than ten minutes; stranded: waits for a robot that is "
            "not there; overdue: runs past its deadline"
        },
    ),
    apply=lambda query, value: query.where(CONDITIONS[value]()),
)


def count(trouble: str) -> int:
    """How many jobs have this trouble, up to MOST + 1. Of those that wait, the late ones were made first."""
    if trouble == "late":
        oldest = select(Job.created_at).where(READY).order_by(Job.id).limit(MOST + 1).subquery().c
        return _counted(select(oldest.created_at).where(oldest.created_at < utcnow() - LATE))
    return _counted(select(Job.id).where(CONDITIONS[trouble]()).limit(MOST + 1))


def _counted(query: Select[Any]) -> int:
    return db.session.scalar(select(func.count()).select_from(query.subquery())) or 0
