"""The figures of the overview. A day is a UTC day."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from bvo.database import db, utcnow
from bvo_jobs.models import Job
from bvo_processes.models import Process
from bvo_robots.models import Robot

ROBOTS, RECENT_JOBS = 50, 10


def overview() -> dict[str, Any]:
    """Summary, robots (the first 50 by id) and the ten latest jobs."""
    return {"summary": _summary(), "robots": _robots(), "recent_jobs": _recent_jobs()}


def _summary() -> dict[str, int]:
    midnight = utcnow().replace(hour=0, minute=0, second=0, microsecond=0)
    robots = _counts(select(Robot.status, func.count()).group_by(Robot.status))
    today = _counts(select(Job.status, func.count()).where(Job.created_at >= midnight).group_by(Job.status))
    processes = _counts(select(Process.is_active, func.count()).group_by(Process.is_active))
    return {
        "total_robots": sum(robots.values()),
        "online_robots": robots.get("online", 0),
        "offline_robots": robots.get("offline", 0),
        "jobs_today_total": sum(today.values()),
        "jobs_today_success": today.get("completed", 0),
        "jobs_today_failed": today.get("failed", 0),
        "running_jobs": db.session.scalar(select(func.count()).select_from(Job).where(Job.status == "running")) or 0,
        "total_processes": sum(processes.values()),
        "active_processes": processes.get(True, 0),
    }


def _counts(query: Any) -> dict[Any, int]:
    return dict(db.session.execute(query).all())


def _robots() -> list[dict[str, Any]]:
    running = select(Job.robot_id, Job.id, Process.name).join(Job.process).where(Job.status == "running")
    current = {robot: (job, process) for robot, job, process in db.session.execute(running)}
    rows = db.session.execute(
        select(Robot.id, Robot.name, Robot.status, Robot.last_heartbeat).order_by(Robot.id).limit(ROBOTS)
    )
    return [_robot(row._asdict(), *current.get(row.id, (None, None))) for row in rows]


def _robot(row: dict[str, Any], job: int | None, process: str | None) -> dict[str, Any]:
    return {**row, "current_job_id": job, "current_process_name": process}


def _recent_jobs() -> list[dict[str, Any]]:
    jobs = db.session.scalars(select(Job).order_by(Job.id.desc()).limit(RECENT_JOBS)).unique()
    return [
        {
            "id": job.id,
            "process_name": job.process.name,
            "robot_name": job.robot.name if job.robot else None,
            "status": job.status,
            "created_at": job.created_at,
            "started_at": job.started_at,
            "finished_at": job.finished_at,
            "duration_seconds": _seconds(job.started_at, job.finished_at),
        }
        for job in jobs
    ]


def _seconds(started: datetime | None, finished: datetime | None) -> int | None:
    return round((finished - started).total_seconds()) if started and finished else None
