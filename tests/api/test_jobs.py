"""Jobs as operators and robots see them."""

from __future__ import annotations

from support.api import Api


def claim(robot: Api, **body: object) -> dict:
    return robot.ok(robot.post("/api/runner/next-job", body))["job"]


def test_a_job_goes_from_pending_to_completed(admin: Api) -> None:
    created = admin.a_job(parameters={"foo": "bar"})
    assert created["status"] == "pending"
    robot, as_robot = admin.a_robot()

    job = claim(as_robot, robot_id=robot["id"])
    assert job["id"] == created["id"]
    assert job["parameters"] == {"foo": "bar"}
    assert job["package"]["sha256"] == created["package_sha256"]
    running = admin.ok(admin.get(f"/api/jobs/{job['id']}"))
    assert (running["status"], running["robot"]["current_job_id"]) == ("running", job["id"])

    outcome = {"status": "completed", "result": {"return_code": 0}, "logs": "the end"}
    as_robot.ok(as_robot.post(f"/api/runner/jobs/{job['id']}/update", outcome, headers=lease(job)))
    ended = admin.ok(admin.get(f"/api/jobs/{job['id']}"))
    assert ended["status"] == "completed"
    assert ended["result"] == {"return_code": 0, "logs": "the end"}
    assert ended["robot"]["current_job_id"] is None


def lease(job: dict) -> dict[str, str]:
    return {"X-Lease-Token": job["lease_token"]}
