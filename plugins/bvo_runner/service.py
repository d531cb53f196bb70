"""How a runner gets its robot, and proves that a message is that robot's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from werkzeug.exceptions import Forbidden, Unauthorized

from bvo import access, registry, settings
from bvo.database import db, transaction
from bvo_hookspecs import Principal
from bvo_jobs import execution
from bvo_jobs.asks import CONFIRM, Claimed
from bvo_machines.models import Machine
from bvo_machines.service import find_by_key
from bvo_robots.models import Robot
from bvo_robots.service import RobotService

HOW_TO_GET_A_KEY = (
    "Send the machine's key as X-Machine-Key (`bvo runner --machine-key …`)."
    " It is shown once, when the machine is created."
)


def register(name: str, machine_info: str | None, machine_key: str | None) -> dict[str, Any]:
    """Make the robot `name`, or give it a new token. An existing robot's token is never told: it is replaced.

    Raises Unauthorized without proof, and Forbidden where the robot belongs to another machine.
    """
    machine = _machine(machine_key)
    access.act_as(Principal(kind="robot", id=None, name=name))
    with transaction():
        robot = db.session.scalars(select(Robot).where(Robot.name == name)).one_or_none()
        robot, token = _renewed(robot, machine) if robot else _created(name, machine)
        _robots().beat(robot.id, machine_info)
        return {"robot_id": robot.id, "api_token": token, "name": robot.name}


def robot_id(claimed: int | None) -> int:
    """The id of the robot behind the token. Raises Forbidden where the message names another one."""
    own = access.principal().id
    if own is None or claimed not in (None, own):
        raise Forbidden(f"robot_id does not match token: the token is that of the robot {own}.")
    return own


def heartbeat(robot: int, machine_info: str | None, leases: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Note that the robot is alive, keep its leases, and tell it which of its jobs to stop."""
    _robots().beat(robot, machine_info)
    tokens = None if leases is None else {lease["job_id"]: lease["lease_token"] for lease in leases}
    return told_of_leases(execution.renew(robot, tokens), settings.read("jobs"))


def told_of_leases(states: Mapping[int, str], values: Mapping[str, Any]) -> dict[str, Any]:
    """What the runner gets to know of its leases, and of the `values` of the settings of jobs."""
    until = {"valid": {"lease_seconds": values["lease_seconds"]}}
    leases = [{"job_id": job, "state": state, **until.get(state, {})} for job, state in states.items()]
    return {"status": "ok", "heartbeat_seconds": _beat_seconds(values), "leases": leases}


def next_job(robot: int, *, confirms: bool, key: str | None) -> dict[str, Any]:
    """What a runner gets for `next-job`."""
    return told(execution.claim(robot, confirms=confirms, key=key))


def told(claimed: Claimed | None) -> dict[str, Any]:
    """What the runner gets to know of its job, or that there is none."""
    if claimed is None:
        return {"job": None}
    job = claimed.job
    process = {
        "id": job.process_id,
        "name": job.process.name,
        "script_path": job.script_path,
        "package_id": job.package_id,
    }
    package = {
        "id": job.package_id,
        "name": job.package_name,
        "version": job.package_version,
        "sha256": job.package_sha256,
    }
    return {
        "job": {
            "id": job.id,
            "status": job.status,
            "parameters": job.parameters,
            "attempt": job.attempt,
            "lease_token": claimed.lease_token,
            "lease_seconds": claimed.settings["lease_seconds"],
            "heartbeat_seconds": _beat_seconds(claimed.settings),
            "confirm_seconds": None if job.confirmed_at else int(CONFIRM.total_seconds()),
            "timeout_seconds": job.timeout_seconds,
            "process": process,
            "package": package,
        }
    }


def _beat_seconds(values: Mapping[str, Any]) -> int:
    """How often a robot beats: often enough that it may miss one or two."""
    return int(min(values["heartbeat_seconds"], values["lease_seconds"] // 3))


def _machine(key: str | None) -> Machine | None:
    if key:
        if machine := find_by_key(key):
            return machine
        raise Unauthorized(f"The machine key is not valid. {HOW_TO_GET_A_KEY}")
    if registry.current().config.development and access.from_this_machine():
        return None
    raise Unauthorized(f"A machine key is needed. {HOW_TO_GET_A_KEY}")


def _renewed(robot: Robot, machine: Machine | None) -> tuple[Robot, str]:
    if machine is None:
        raise Unauthorized(f"A robot named {robot.name!r} exists already. {HOW_TO_GET_A_KEY}")
    if robot.machine_id != machine.id:
        raise Forbidden(
            f"The robot {robot.name!r} is not one of this machine. Choose another name, or let an operator link it."
        )
    return robot, _robots().rotate_token(robot)


def _created(name: str, machine: Machine | None) -> tuple[Robot, str]:
    robot = _robots().create({"name": name, "machine_id": machine.id if machine else None})
    return robot, robot.api_token  # type: ignore[attr-defined]


def _robots() -> RobotService:
    return registry.current().service(RobotService)
