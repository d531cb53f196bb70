"""Robots: made by an operator or by registering, seen by their heartbeats, known by their tokens."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from werkzeug.exceptions import Unauthorized, UnprocessableEntity
from werkzeug.wrappers import Request

from bvo import clock, events, registry, settings, tokens
from bvo.database import db, transaction, utcnow
from bvo.entities import Creates, Deletes, Updates
from bvo_hookspecs import Principal
from bvo_machines.models import Machine

from .models import Robot

TOKEN_HEADER = "X-Robot-Token"  # noqa: S105 - the header's name


class RobotService(Creates[Robot], Updates[Robot], Deletes[Robot]):
    """Create, change and delete; a deleted robot's token ends at once."""

    empty_template = "bvo_robots/robots_empty.html"

    def create(self, data: Mapping[str, Any]) -> Robot:
        """The row carries `api_token` this once; afterwards only its digest is known."""
        token = tokens.new("bvor")
        with transaction():
            _check_machine(data)
            robot = super().create({**_with_credential(data, data["name"]), "api_token_hash": tokens.digest(token)})
        robot.api_token = token  # type: ignore[attr-defined]
        return robot

    def update(self, row_id: int, data: Mapping[str, Any]) -> Robot:
        with transaction():
            _check_machine(data)
            robot = self.get(row_id)
            return super().update(row_id, _with_credential(data, robot.name, robot.credential_asset_id))

    def heartbeat(self, row_id: int) -> Robot:
        """Mark the robot as online by hand. It keeps no job: only a runner's own heartbeats do."""
        self.beat(row_id, None)
        return self.get(row_id)

    def drain(self, row_id: int) -> Robot:
        """Let the robot end what it runs, and give it nothing new."""
        return self._set_draining(row_id, draining=True)

    def resume(self, row_id: int) -> Robot:
        """Give the robot work again."""
        return self._set_draining(row_id, draining=False)

    def rotate_token(self, robot: Robot) -> str:
        """Give the robot a new token; the old one ends."""
        token = tokens.new("bvor")
        with transaction() as session:
            robot.api_token_hash = tokens.digest(token)
            session.add(robot)
            session.flush()
            events.emit("registered", self.entity, robot)
        return token

    def beat(self, robot_id: int, machine_info: str | None) -> None:
        """Note that the robot is alive. Coming online is an event; staying so is not."""
        with transaction() as session:
            robot = self.get(robot_id)
            came_online = robot.status != "online"
            robot.status, robot.last_heartbeat = "online", utcnow()
            robot.machine_info = machine_info or robot.machine_info
            _touch_machine(robot)
            session.flush()
            if came_online:
                events.emit("online", self.entity, robot)

    def _set_draining(self, row_id: int, *, draining: bool) -> Robot:
        with transaction() as session:
            return self.change(session, self.get(row_id), {"is_draining": draining})


def authenticate(request: Request) -> Principal | None:
    """The robot of an `X-Robot-Token`. Raises Unauthorized for a token that no robot has."""
    token = request.headers.get(TOKEN_HEADER)
    if not token:
        return None
    query = select(Robot.id, Robot.name).where(Robot.api_token_hash == tokens.digest(token))
    found = db.session.execute(query).one_or_none()
    if found is None:
        raise Unauthorized("This robot token is not valid. Register the robot again with its machine key.")
    return Principal(kind="robot", id=found.id, name=found.name)


def mark_offline() -> None:
    """Mark the robots, and then the machines, that were not heard of for `jobs.robot_offline_seconds`."""
    entity = registry.current().service(RobotService).entity
    limit = utcnow() - timedelta(seconds=settings.get("jobs.robot_offline_seconds"))
    with transaction() as session:
        silent = (Robot.status == "online", Robot.last_heartbeat < limit)
        found = list(session.scalars(select(Robot).where(*silent).limit(100).with_for_update(skip_locked=True)))
        if clock.guard.jumped():
            return
        for robot in found:
            robot.status = "offline"
            session.flush()
            events.emit("offline", entity, robot)
        session.execute(
            update(Machine)
            .where(Machine.status == "connected", Machine.last_seen_at < limit)
            .values(status="disconnected")
            .execution_options(synchronize_session=False)
        )


def hear_anew() -> None:
    """Take the robots and machines that are there as heard of now, after the wall clock has jumped."""
    with transaction() as session:
        for model, column, there in (
            (Robot, "last_heartbeat", Robot.status == "online"),
            (Machine, "last_seen_at", Machine.status == "connected"),
        ):
            heard = update(model).where(there).values({column: utcnow()})
            session.execute(heard.execution_options(synchronize_session=False))


def fleet() -> dict[str, Any]:
    """For the dashboard: how many robots there are in each status, and those seen last."""
    counts = dict(db.session.execute(select(Robot.status, func.count()).group_by(Robot.status)).all())
    latest = select(Robot).order_by(Robot.last_heartbeat.desc().nulls_last(), Robot.id).limit(8)
    return {
        "online": counts.get("online", 0),
        "offline": counts.get("offline", 0),
        "robots": db.session.scalars(latest).all(),
    }


def _with_credential(data: Mapping[str, Any], name: str, asset_id: int | None = None) -> dict[str, Any]:
    """The robot's columns; a given `credential` is kept as a credential asset, a new one or that with `asset_id`."""
    values = dict(data)
    credential = values.pop("credential", None)
    if credential is None:
        return values
    assets = registry.current().service_of("asset")
    if assets is None:
        raise UnprocessableEntity("A credential needs the plugin `assets`, which is not loaded.")
    if asset_id:
        assets.update(asset_id, credential)
        return values
    made = assets.create({"name": f"{values.get('name', name)} (robot)", "type": "credential", **credential})
    return {**values, "credential_asset_id": made.id}


def _touch_machine(robot: Robot) -> None:
    if robot.machine_id and (machine := db.session.get(Machine, robot.machine_id)):
        machine.status, machine.last_seen_at = "connected", utcnow()


def _check_machine(data: Mapping[str, Any]) -> None:
    machine_id = data.get("machine_id")
    if machine_id is not None and db.session.get(Machine, machine_id) is None:
        raise UnprocessableEntity(f"There is no machine with the id {machine_id}. Create one first.")
