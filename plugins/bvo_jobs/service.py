"""Jobs as operators see them: made, looked at, cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema
from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, NotFound

from bvo import access, events
from bvo.database import db, transaction, utcnow
from bvo.entities import Service, refuse_when_creating
from bvo_processes.models import Process
from bvo_robots.models import Robot

from . import attempts, forms, states
from .models import Job

OPTIONS = ("timeout_seconds", "max_attempts", "retry_delay_seconds")
"""How a job runs, where it does not say it itself: as its process says."""
AGAIN = (*OPTIONS, "parameters", "priority")
"""What a job has in common with the one that it repeats."""


class JobService(Service[Job]):
    """What operators do with jobs; `execution` has what robots do."""

    empty_template = "bvo_jobs/jobs_empty.html"

    form_begins_with = "process_id"

    def form_schema(self, row: Job | None, given: Mapping[str, Any]) -> Schema:
        """What the form asks for: each parameter by itself, where the process describes them."""
        return forms.schema_for(row, given, OPTIONS)

    def form_values(self, given: Mapping[str, str]) -> Mapping[str, Any]:
        """What the form of a new job has in it: what the job `retry_of` had, which is run again in another way."""
        origin = db.session.get(Job, int(given["retry_of"])) if given.get("retry_of", "").isdecimal() else None
        return {name: getattr(origin, name) for name in AGAIN} if origin else {}

    def form_applies(self, shown: Mapping[str, Any]) -> bool:
        return not states.is_final(shown["status"])

    def create(self, data: Mapping[str, Any]) -> Job:
        """Queue a job. It pins the process version and the package as they are now."""
        refuse_when_creating(data, "status", "result", "error_message")
        with transaction() as session:
            process = _runnable(session, data["process_id"])
            _check_robot(session, data.get("robot_id"))
            options = {name: data.get(name, getattr(process, name)) for name in OPTIONS}
            return self._add(session, process, {**options, **data})

    def retry(self, row_id: int) -> Job:
        """Queue the same again: a new job of the process as it is now, which names the one that it repeats."""
        with transaction() as session:
            origin = self.get(row_id)
            if not states.is_final(origin.status):
                raise Conflict(f"Job {origin.id} is {origin.status}. Only a job that has ended can be repeated.")
            process = _runnable(session, origin.process_id)
            again = {name: getattr(origin, name) for name in AGAIN}
            robot_id = origin.robot_id if origin.is_assigned else None
            return self._add(session, process, {**again, "robot_id": robot_id, "retried_from_id": origin.id})

    def _add(self, session: Session, process: Process, values: Mapping[str, Any]) -> Job:
        job = Job(
            process_version=process.version,
            script_path=process.script_path,
            package_id=process.package_id,
            package_name=process.package.name,
            package_version=process.package.version,
            package_sha256=process.package.sha256,
            is_assigned=values.get("robot_id") is not None,
            **{**values, "process_id": process.id},
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
            session.refresh(job, with_for_update={"of": Job})
            changed = {name: value for name, value in data.items() if value != getattr(job, name)}
            if not changed:
                return job
            _check_change(session, job, changed)
            before = events.snapshot(self.entity, job)
            for name, value in changed.items():
                setattr(job, name, value)
            job.is_assigned = job.robot_id is not None if "robot_id" in changed else job.is_assigned
            if job.status != before["status"]:
                _note_end(session, job, before["status"])
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
            session.refresh(job, with_for_update={"of": Job})  # a result at the same time waits, or was first
            before = events.snapshot(self.entity, job)
            states.check(job.status, states.CANCELED, states.OPERATOR)
            job.status, job.finished_at = states.CANCELED, utcnow()
            _note_end(session, job, before["status"])
            session.flush()
            events.emit("canceled", self.entity, job, before=before)
            return job


def _note_end(session: Session, job: Job, before: str) -> None:
    """Keep who cancelled the job, and that the attempt that ran it ends without its result."""
    canceled = job.status == states.CANCELED
    job.canceled_by = access.principal().name if canceled else None
    if before == states.RUNNING:
        attempts.note(session, job, attempts.CANCELED if canceled else attempts.SETTLED)


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
        states.check(job.status, status, states.OPERATOR)
    elif {"result", "error_message"} & set(changed):
        raise Conflict("A result belongs to a job that ends: send it with the status completed or failed.")
    if job.status != states.PENDING and {"robot_id", "parameters", "priority", *OPTIONS} & set(changed):
        raise Conflict(f"A robot works on job {job.id} already: only its status can change now.")
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
