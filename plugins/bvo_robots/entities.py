"""The entity type `robot`."""

from __future__ import annotations

from marshmallow import fields, validate

from bvo.entities import equals, everything, flag, search
from bvo_hookspecs import Action, EntityType, EventType, Filter, NavItem

from .models import Robot
from .schemas import STATUSES, RobotIn, RobotOut
from .service import RobotService

SEEN = Filter(
    name="seen_only",
    field=fields.Boolean(
        metadata={"label": "Heard of before", "description": "Only those that were heard of at least once"}
    ),
    apply=lambda query, value: query.where(Robot.last_heartbeat.is_not(None)) if value else query,
)
ROBOT = EntityType(
    name="robot",
    plural="robots",
    label="Robot",
    model=Robot,
    read_schema=RobotOut,
    write_schema=RobotIn,
    service=RobotService,
    scope=everything,
    columns=("id", "name", "status", "machine_id", "current_job_id", "last_heartbeat"),
    filters=(
        search(Robot.name, Robot.machine_info),
        equals(Robot.status, fields.String(validate=validate.OneOf(STATUSES))),
        flag("draining_only", Robot.is_draining),
        SEEN,
    ),
    actions=(
        Action(name="heartbeat", label="Mark as online", applies=lambda robot: robot["status"] != "online"),
        Action(name="drain", label="Drain", applies=lambda robot: not robot["is_draining"]),
        Action(name="resume", label="Resume", applies=lambda robot: robot["is_draining"]),
    ),
    secrets=frozenset({"api_token"}),
    nav=NavItem(name="robots", label="Robots", order=40),
)

EVENT_TYPES = tuple(
    EventType(name=f"robot.{kind}", help=words, schema=RobotOut, example={"status": status})
    for kind, status, words in (
        ("registered", "online", "The robot was given a new token. The one before has ended."),
        ("online", "online", "The robot was heard of, for the first time or after a silence."),
        ("offline", "offline", "The robot was not heard of for `jobs.robot_offline_seconds`."),
    )
)
