"""Jobs as operators and robots see them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask

from bvo import registry
from bvo.database import transaction
from bvo_jobs.service import JobService
from support.api import Api, zipped
from support.problems import refused
from support.state import State
from support.work import Work, claim

BAD_INPUT: list[tuple[dict[str, Any], int, str]] = [
    ({"process_id": 99}, 404, "99"),
    ({"process_id": 0}, 422, "process_id"),
    ({"process_id": -1}, 422, "process_id"),
    ({"process_id": 2**31}, 422, "process_id"),
    ({"process_id": None}, 422, "process_id"),
    ({"robot_id": 99}, 404, "99"),
    ({"robot_id": 2**31}, 422, "robot_id"),
    ({"robot_id": 0}, 422, "robot_id"),
    ({"parameters": [1]}, 422, "parameters"),
    ({"parameters": "{}"}, 422, "parameters"),
    ({"process_id": 1, "status": "completed"}, 422, "Leave out status"),
    ({"attempt": 7}, 422, "attempt: Unknown field"),
]


def test_a_job_goes_from_pending_to_completed(admin: Api) -> None:
    created = admin.a_job(parameters={"foo": "bar"})
    assert created["status"] == "pending"
    _, as_robot = admin.a_robot()

    job = claim(as_robot)
    assert job["id"] == created["id"]
    assert job["parameters"] == {"foo": "bar"}
    assert job["package"]["sha256"] == created["package_sha256"]
    running = admin.ok(admin.get(f"/api/jobs/{job['id']}"))
    assert (running["status"], running["robot"]["current_job_id"]) == ("running", job["id"])

    outcome = {"status": "completed", "result": {"return_code": 0}, "logs": "the end"}
    lease = {"X-Lease-Token": job["lease_token"]}
    as_robot.ok(as_robot.post(f"/api/runner/jobs/{job['id']}/update", outcome, headers=lease))
    ended = admin.ok(admin.get(f"/api/jobs/{job['id']}"))
    assert ended["status"] == "completed"
    assert ended["result"] == {"return_code": 0, "logs": "the end"}
    assert ended["robot"]["current_job_id"] is None


def test_a_job_keeps_what_it_was_made_of(admin: Api) -> None:
    process = admin.a_process("P", **{"main.py": "1"})
    job = admin.a_job(process)
    newer = admin.ok(admin.upload(zipped({"other.py": ""}), "p_2.0.0.zip"))
    admin.ok(admin.put(f"/api/processes/{process['id']}", {"package_id": newer["id"], "script_path": "other.py"}))
    claimed = claim(admin.a_robot()[1])
    assert (claimed["process"]["script_path"], claimed["package"]["version"]) == ("main.py", "1.0.0")
    assert claimed["package"]["sha256"] == job["package_sha256"] != newer["sha256"]
    assert admin.ok(admin.get(f"/api/jobs/{job['id']}"))["process_version"] == 1


def test_bad_input_makes_no_job(admin: Api, state: State, subtests: pytest.Subtests) -> None:
    good = {"process_id": admin.a_process()["id"]}
    for bad, status, word in BAD_INPUT:
        with subtests.test(str(bad)), state.unchanged():
            refused(admin.post("/api/jobs", {**good, **bad}), status, word)


def test_what_is_not_active_is_not_run(admin: Api, state: State) -> None:
    process = admin.a_process()
    for path in (f"/api/processes/{process['id']}", f"/api/packages/{process['package_id']}"):
        admin.ok(admin.put(path, {"is_active": False}))
        with state.unchanged():
            refused(admin.post("/api/jobs", {"process_id": process["id"]}), 409, "Activate it first")
        admin.ok(admin.put(path, {"is_active": True}))


def test_the_oldest_job_that_a_robot_may_run_comes_first(admin: Api) -> None:
    (first, as_first), (_, as_second) = admin.a_robot("robot-1"), admin.a_robot("robot-2")
    process = admin.a_process()
    jobs = [admin.a_job(process, robot_id=first["id"]), admin.a_job(process), admin.a_job(process)]
    assert [claim(robot)["id"] for robot in (as_second, as_first)] == [jobs[1]["id"], jobs[0]["id"]]
    assert claim(as_first) is None  # it holds one


def test_jobs_are_filtered_by_status_process_and_robot(admin: Api) -> None:
    process, other = admin.a_process("One"), admin.a_process("Two")
    robot, as_robot = admin.a_robot()
    running, pending, second = admin.a_job(process), admin.a_job(process), admin.a_job(other)
    claim(as_robot)
    for query, found in (
        ("status=running", [running]),
        (f"process_id={process['id']}", [pending, running]),
        (f"status=pending&process_id={other['id']}", [second]),
        (f"robot_id={robot['id']}", [running]),
    ):
        assert [job["id"] for job in admin.ok(admin.get(f"/api/jobs?{query}"))] == [job["id"] for job in found]
    refused(admin.get("/api/jobs?status=nope"), 422, "status")


def test_a_canceled_job_is_never_run(admin: Api, state: State) -> None:
    job = admin.a_job()
    canceled = admin.ok(admin.post(f"/api/jobs/{job['id']}/cancel"))
    assert (canceled["status"], canceled["started_at"]) == ("canceled", None)
    assert canceled["finished_at"] is not None
    with state.unchanged():
        refused(admin.post(f"/api/jobs/{job['id']}/cancel"), 409, "canceled")
        refused(admin.post("/api/jobs/99/cancel"), 404, "Job not found")
    assert claim(admin.a_robot()[1]) is None


def test_a_robot_is_told_to_stop_a_canceled_job_and_its_result_comes_too_late(work: Work) -> None:
    assert work.beat() == "valid"
    work.admin.ok(work.admin.post(f"/api/jobs/{work.job['id']}/cancel"))
    assert work.beat() == "stop"
    refused(work.finish(), 409, "canceled", "Stop")
    refused(work.log(1, "late"), 409, "Stop")
    refused(work.artifact(b"late", "late.txt"), 409, "Stop")
    assert work.now()["status"] == "canceled"


def test_a_result_that_comes_during_a_cancel_does_not_undo_it(app: Flask, work: Work) -> None:
    """On PostgreSQL both could read `running`; on SQLite the writers queue anyway."""
    canceling, proceed = threading.Event(), threading.Event()

    def cancel() -> None:
        with app.app_context(), transaction():
            registry.current().service(JobService).cancel(work.job["id"])
            canceling.set()
            proceed.wait(5)

    thread = threading.Thread(target=cancel)
    thread.start()
    assert canceling.wait(5)
    threading.Timer(0.3, proceed.set).start()
    refused(work.finish(), 409, "canceled")
    thread.join(5)
    assert work.now()["status"] == "canceled"


def test_the_log_is_read_piece_by_piece_until_the_job_has_ended(work: Work) -> None:
    path = f"/api/jobs/{work.job['id']}/log"
    work.api.ok(work.log(1, "one\n"))
    first = work.admin.ok(work.admin.get(path))
    assert first == {"text": "one\n", "next": 1, "finished": False}
    work.api.ok(work.log(2, "two\n"))
    work.api.ok(work.finish())
    assert work.admin.ok(work.admin.get(f"{path}?after={first['next']}"))["text"] == "two\n"
    assert work.admin.ok(work.admin.get(f"{path}?after=2")) == {"text": "", "next": 2, "finished": True}
    for after in ("-1", "x", str(2**31), "9" * 30):
        refused(work.admin.get(f"{path}?after={after}"), 422, "after")


def test_artifacts_are_downloads_that_no_browser_shows(work: Work) -> None:
    kept = work.api.ok(work.artifact(b"<script>alert(1)</script>", "out/page.html"))
    listed = work.admin.ok(work.admin.get(f"/api/jobs/{work.job['id']}/artifacts"))
    assert [(row["name"], row["size_bytes"], row["sha256"]) for row in listed] == [
        ("out/page.html", 25, kept["sha256"])
    ]
    with work.admin.get(f"/api/jobs/{work.job['id']}/artifacts/{kept['id']}") as download:
        assert download.data == b"<script>alert(1)</script>"
    assert download.headers["Content-Disposition"] == "attachment; filename=page.html"
    assert download.mimetype == "application/octet-stream"
    assert download.headers["X-Content-Type-Options"] == "nosniff"


def test_an_artifact_belongs_to_its_job_alone(work: Work) -> None:
    kept = work.api.ok(work.artifact(b"x", "x.txt"))
    other = work.admin.a_job({"id": work.job["process"]["id"]})
    refused(work.admin.get(f"/api/jobs/{other['id']}/artifacts/{kept['id']}"), 404, "Artifact not found")
    refused(work.admin.get(f"/api/jobs/99/artifacts/{kept['id']}"), 404, "Job not found")
    refused(work.admin.get(f"/api/jobs/{work.job['id']}/artifacts/99"), 404, "Artifact not found")


# --- changing a job by hand


def test_a_pending_job_can_be_given_to_a_robot_and_other_parameters(admin: Api) -> None:
    job, (robot, _) = admin.a_job(), admin.a_robot()
    path = f"/api/jobs/{job['id']}"
    changed = admin.ok(admin.put(path, {"robot_id": robot["id"], "parameters": {"n": 1}}))
    assert (changed["robot"]["name"], changed["parameters"], changed["status"]) == ("robot-1", {"n": 1}, "pending")
    refused(admin.put(path, {"robot_id": 99}), 404, "99")
    refused(admin.put(path, {"process_id": job["process_id"] + 1}), 409, "process can't change")


def test_a_status_change_by_hand_follows_the_transition_table(admin: Api, work: Work) -> None:
    pending = f"/api/jobs/{admin.a_job(admin.a_process('Other'))['id']}"
    refused(admin.put(pending, {"status": "running"}), 409, "Only a robot starts a job")
    refused(admin.put(pending, {"status": "completed"}), 409, "pending can't become completed")
    assert admin.ok(admin.put(pending, {"status": "canceled"}))["finished_at"] is not None
    refused(admin.put(pending, {"status": "pending"}), 409, "can't change any more")

    running = f"/api/jobs/{work.job['id']}"
    refused(admin.put(running, {"parameters": {"n": 2}}), 409, "A robot works on job")
    refused(admin.put(running, {"result": {"n": 2}}), 409, "belongs to a job that ends")
    settled = admin.ok(admin.put(running, {"status": "failed", "error_message": "settled by hand"}))
    assert (settled["status"], settled["error_message"]) == ("failed", "settled by hand")
    refused(work.finish(), 409)


def test_a_change_that_changes_nothing_is_accepted_and_not_audited(admin: Api) -> None:
    job = admin.a_job(parameters={"n": 1})
    before = len(admin.ok(admin.get("/api/audit"))["items"])
    body = {"process_id": job["process_id"], "parameters": {"n": 1}, "status": "pending"}
    admin.ok(admin.put(f"/api/jobs/{job['id']}", body))
    assert len(admin.ok(admin.get("/api/audit"))["items"]) == before
