"""Jobs as operators see them: made, looked at, cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, NotFound

from bvo import events
from bvo.database import transaction, utcnow
from bvo.entities import Service, refuse_when_creating
from bvo_processes.models import Process
from bvo_robots.models import Robot

from . import states
from .models import Job


class JobService(Service[Job]):
    """What operators do with jobs; `execution` has what robots do."""

    def create(self, data: Mapping[str, Any]) -> Job:
        """Queue a job. It pins the process version and the package as they are now."""
        refuse_when_creating(data, "status", "result", "error_message")
        with transaction() as session:
            process = _runnable(session, data["process_id"])
            _check_robot(session, data.get("robot_id"))
            job = Job(
                process=process,
                process_version=process.version,
                script_path=process.script_path,
                package_id=process.package_id,
                package_name=process.package.name,
                package_version=process.package.version,
                package_sha256=process.package.sha256,
                robot_id=data.get("robot_id"),
                parameters=data.get("parameters"),
            )
            session.add(job)
            session.flush()
            session.refresh(job)
            events.emit("created", self.entity, job)
            return job

    def update(self, row_id: int, data: Mapping[str, Any]) -> Job:
        """Change a pending job's robot or parameters, or settle a job by hand. What a job was made of never changes.

        Raises Conflict for what the job's state does not allow.
        """
        with transaction() as session:
            job = self.get(row_id)
            session.refresh(job, ["status"], with_for_update=True)
            changed = {name: value for name, value in data.items() if value != getattr(job, name)}
            if not changed:
                return job
            _check_change(session, job, changed)
            before = events.snapshot(self.entity, job)
            for name, value in changed.items():
                setattr(job, name, value)
            if states.is_final(job.status):
                job.finished_at = utcnow()
            session.flush()
            session.refresh(job, ["robot"])
            events.emit(job.status if "status" in changed else "updated", self.entity, job, before=before)
            return job

    def cancel(self, row_id: int) -> Job:
        """Cancel what has not ended. A robot that runs it is told to stop with its next heartbeat."""
        with transaction() as session:
            job = self.get(row_id)
            session.refresh(job, ["status"], with_for_update=True)  # a result at the same time waits, or was first
            before = events.snapshot(self.entity, job)
            states.check(job.status, states.CANCELED)
            job.status, job.finished_at = states.CANCELED, utcnow()
            session.flush()
            events.emit("canceled", self.entity, job, before=before)
            return job


def _check_change(session: Session, job: Job, changed: Mapping[str, Any]) -> None:
    """Raise Conflict where the job can't be changed so."""
    status = changed.get("status", job.status)
    if states.is_final(job.status):
        raise Conflict(f"Job {job.id} is {job.status} and can't change any more. Create a new one.")
    if "process_id" in changed:
        raise Conflict("A job's process can't change. Cancel it and create another one.")
    if status == states.RUNNING != job.status:
        raise Conflict("Only a robot starts a job. Leave it pending until one claims it.")
    if job.status != status:
        states.check(job.status, status)
    elif {"result", "error_message"} & set(changed):
        raise Conflict("A result belongs to a job that ends: send it with the status completed or failed.")
    if job.status != states.PENDING and {"robot_id", "parameters"} & set(changed):
        raise Conflict(f"A robot works on job {job.id} already: its robot and parameters can't change.")
    _check_robot(session, changed.get("robot_id"))


def _check_robot(session: Session, robot_id: int | None) -> None:
    if robot_id and session.get(Robot, robot_id) is None:
        raise NotFound(f"Robot not found: there is none with the id {robot_id}.")


def _runnable(session: Session, process_id: int) -> Process:
    process = session.get(Process, process_id)
    if process is None:
        raise NotFound(f"Process not found: there is none with the id {process_id}.")
    for thing, active in ((f"process {process.name}", process.is_active), ("package", process.package.is_active)):
        if not active:
            raise Conflict(f"The {thing} is not active. Activate it first.")
    return process
