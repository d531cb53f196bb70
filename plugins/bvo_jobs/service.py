"""Jobs as operators see them: made, looked at, cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.exceptions import Conflict, NotFound

from bvo import events
from bvo.database import transaction, utcnow
from bvo.entities import Service
from bvo_processes.models import Process
from bvo_robots.models import Robot

from . import states
from .models import Job


class JobService(Service[Job]):
    """What operators do with jobs; `execution` has what robots do."""

    def create(self, data: Mapping[str, Any]) -> Job:
        """Queue a job. It pins the process version and the package as they are now."""
        with transaction() as session:
            process = _runnable(session, data["process_id"])
            if data.get("robot_id") and session.get(Robot, data["robot_id"]) is None:
                raise NotFound(f"Robot not found: there is none with the id {data['robot_id']}.")
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


def _runnable(session: Session, process_id: int) -> Process:
    process = session.get(Process, process_id)
    if process is None:
        raise NotFound(f"Process not found: there is none with the id {process_id}.")
    for thing, active in ((f"process {process.name}", process.is_active), ("package", process.package.is_active)):
        if not active:
            raise Conflict(f"The {thing} is not active. Activate it first.")
    return process
