"""A robot's panels, and the robots of a machine."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bvo import trail
from bvo.database import db
from bvo_hookspecs import DetailPanel
from bvo_machines.models import Machine

from .models import Robot

MAX_ROBOTS = 100
CONNECTIONS = {
    "robot.online": ("Came online", "online"),
    "robot.offline": ("Fell silent", "lost"),
    "robot.registered": ("Registered again, with a new token", "new"),
    "robot.create": ("Created", "new"),
}


def state_panel(robot_id: int) -> dict[str, Any]:
    robot = db.session.get_one(Robot, robot_id)
    machine = db.session.get(Machine, robot.machine_id) if robot.machine_id else None
    return {"robot": robot, "machine": machine}


def connections_panel(robot_id: int) -> dict[str, Any]:
    """When it came and went, newest first, as the audit log tells; not shown to those who may not read it."""
    events = [event for event in trail.of("robot", robot_id) if event.action in CONNECTIONS][::-1]
    steps = [{"words": CONNECTIONS[event.action], "at": event.timestamp, "actor": event} for event in events]
    return {"steps": steps, "hidden": not steps}


def robots_panel(machine_id: int) -> dict[str, Any]:
    """The robots that run on a machine."""
    on_it = select(Robot).where(Robot.machine_id == machine_id).order_by(Robot.name).limit(MAX_ROBOTS + 1)
    found = db.session.scalars(on_it).all()
    return {"robots": found[:MAX_ROBOTS], "more": len(found) > MAX_ROBOTS}


PANELS = (
    DetailPanel(
        name="state",
        entity_type="robot",
        title="State",
        template="bvo_robots/state_panel.html",
        context=state_panel,
        order=10,
        covers=("machine_id", "machine_info", "last_heartbeat", "is_draining", "current_job_id"),
    ),
    DetailPanel(
        name="connections",
        entity_type="robot",
        title="Connections",
        template="bvo_robots/connections_panel.html",
        context=connections_panel,
        order=40,
    ),
    DetailPanel(
        name="robots",
        entity_type="machine",
        title="Robots",
        template="bvo_robots/robots_panel.html",
        context=robots_panel,
        order=10,
        permission="robots:view",
        covers=("robot_count",),
    ),
)
