"""What alerts may watch of robots: that one is offline for longer than it should."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema, fields, validate
from sqlalchemy import select

from bvo.database import db, utcnow
from bvo.entities import Reference
from bvo_hookspecs import AlertCondition, Finding

from .models import Robot


class OfflineIn(Schema):
    robot_id = Reference(
        "robot", allow_none=True, load_default=None, metadata={"description": "Left out: every robot, by itself"}
    )
    longer_than_minutes = fields.Integer(
        strict=True,
        load_default=10,
        validate=validate.Range(1, 60 * 24 * 365),
        metadata={"description": "Counted from when it was last heard of"},
    )


def offline(parameters: Mapping[str, Any], since: datetime) -> Iterator[Finding]:
    """The robots that are offline and were last heard of longer ago. One that was never heard of is none of them."""
    limit = utcnow() - timedelta(minutes=parameters["longer_than_minutes"])
    silent = select(Robot.id, Robot.name, Robot.last_heartbeat).where(
        Robot.status == "offline", Robot.last_heartbeat < limit
    )
    if parameters["robot_id"] is not None:
        silent = silent.where(Robot.id == parameters["robot_id"])
    for robot in db.session.execute(silent.order_by(Robot.id)):
        message = f"{robot.name} is offline. It was last heard of at {robot.last_heartbeat:%Y-%m-%d %H:%M} UTC."
        yield Finding(subject=f"robot/{robot.id}", name=robot.name, message=message)


CONDITION = AlertCondition(
    name="robot_offline",
    label="Robot offline",
    help="A robot is offline for longer than some minutes.",
    parameters=OfflineIn,
    find=offline,
)
