"""The overview's figures."""

from __future__ import annotations

from datetime import timedelta

from flask import Flask
from sqlalchemy import update

from bvo.database import transaction, utcnow
from bvo_jobs.models import Job
from support.api import Api
from support.work import Work


def test_an_empty_installation_has_zeros(admin: Api) -> None:
    overview = admin.ok(admin.get("/api/dashboard/overview"))
    assert set(overview["summary"].values()) == {0}
    assert (overview["robots"], overview["recent_jobs"]) == ([], [])


def test_jobs_robots_and_processes_are_counted(work: Work) -> None:
    admin, process = work.admin, {"id": work.job["process"]["id"]}
    work.beat()
    admin.a_robot("robot-2")
    admin.a_job(process)
    admin.ok(admin.put(f"/api/processes/{admin.a_process('Other')['id']}", {"is_active": False}))
    overview = admin.ok(admin.get("/api/dashboard/overview"))
    assert overview["summary"] == {
        "total_robots": 2,
        "online_robots": 1,
        "offline_robots": 1,
        "jobs_today_total": 2,
        "jobs_today_success": 0,
        "jobs_today_failed": 0,
        "running_jobs": 1,
        "total_processes": 2,
        "active_processes": 1,
    }
    assert overview["robots"][0]["current_job_id"] == work.job["id"]
    assert overview["robots"][0]["current_process_name"] == "Demo"
    work.api.ok(work.finish())
    overview = admin.ok(admin.get("/api/dashboard/overview"))
    assert (overview["summary"]["jobs_today_success"], overview["summary"]["running_jobs"]) == (1, 0)
    assert overview["recent_jobs"][1]["duration_seconds"] is not None


def test_jobs_of_yesterday_are_not_todays(app: Flask, admin: Api) -> None:
    admin.a_job()
    with app.app_context(), transaction() as session:
        session.execute(update(Job).values(created_at=utcnow() - timedelta(days=1)))
    overview = admin.ok(admin.get("/api/dashboard/overview"))
    assert overview["summary"]["jobs_today_total"] == 0
    assert len(overview["recent_jobs"]) == 1
