"""The API of runners: who they are, and what they may say about which job."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, BinaryIO

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from bvo_jobs import output
from bvo_runner import api as runner_api
from support.api import Api
from support.problems import refused
from support.state import State
from support.work import Work, claim

ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


def register(client: Api, name: str, key: str = "", **options: Any) -> Any:
    headers = {"X-Machine-Key": key} if key else {}
    return client.post("/api/runner/register-robot", {"name": name}, headers=headers, **options)


@pytest.fixture
def key(admin: Api) -> str:
    return str(admin.ok(admin.post("/api/machines", {"name": "HOST-1"}))["machine_key"])


# --- registering


def test_a_machine_key_makes_a_robot_and_renews_its_token(admin: Api, anonymous: Api, key: str) -> None:
    first = anonymous.ok(register(anonymous, "robot-1", key, environ_base=ELSEWHERE))
    again = anonymous.ok(register(anonymous, "robot-1", key, environ_base=ELSEWHERE))
    assert first["robot_id"] == again["robot_id"]
    refused(anonymous.as_robot(first["api_token"]).post("/api/runner/heartbeat", {}), 401, "Register")
    anonymous.ok(anonymous.as_robot(again["api_token"]).post("/api/runner/heartbeat", {}))
    robot = admin.ok(admin.get(f"/api/robots/{first['robot_id']}"))
    assert (robot["name"], robot["status"], robot["machine_id"]) == ("robot-1", "online", 1)


def test_without_proof_nobody_registers(anonymous: Api, key: str, state: State) -> None:
    with state.unchanged():
        refused(register(anonymous, "robot-1", environ_base=ELSEWHERE), 401, "X-Machine-Key")
        refused(register(anonymous, "robot-1", key + "x"), 401, "X-Machine-Key")
        refused(register(anonymous, "robot-1", "\xff"), 401, "X-Machine-Key")
        refused(register(anonymous, "", key), 422, "name")
        refused(register(anonymous, "x" * 201, key), 422, "name")
        refused(anonymous.post("/api/runner/register-robot", {}, headers={"X-Machine-Key": key}), 422, "name")


def test_on_a_loopback_address_of_a_development_server_a_new_name_needs_no_proof(
    anonymous: Api, make_app: Callable[..., Flask]
) -> None:
    anonymous.ok(register(anonymous, "robot-1"))
    refused(register(anonymous, "robot-1"), 401, "exists already")
    refused(register(anonymous, "robot-2", environ_base={"REMOTE_ADDR": "unix"}), 401, "X-Machine-Key")
    production = Api(make_app(BVO_ENV="production", BVO_SECRET_KEY="x" * 48).test_client())
    refused(register(production, "robot-2"), 401, "X-Machine-Key")


def test_a_robot_of_another_machine_can_not_be_taken_over(admin: Api, anonymous: Api, key: str, state: State) -> None:
    anonymous.ok(register(anonymous, "robot-1", key))
    other = admin.ok(admin.post("/api/machines", {"name": "HOST-2"}))["machine_key"]
    with state.denied():
        refused(register(anonymous, "robot-1", other), 403, "not one of this machine")


def test_a_robot_of_no_machine_can_not_be_taken_over(admin: Api, anonymous: Api, key: str) -> None:
    admin.ok(admin.post("/api/robots", {"name": "made-by-an-operator"}))
    refused(register(anonymous, "made-by-an-operator", key), 403, "let an operator link it")


def test_the_key_of_a_deleted_machine_is_worth_nothing(admin: Api, anonymous: Api, key: str) -> None:
    assert admin.delete("/api/machines/1").status_code == 204
    refused(register(anonymous, "robot-1", key), 401, "X-Machine-Key")


# --- identity


def test_a_robot_speaks_for_itself_only(work: Work, state: State) -> None:
    other, as_other = work.admin.a_robot("robot-2")
    with state.denied():
        refused(work.api.post("/api/runner/heartbeat", {"robot_id": other["id"]}), 403, "does not match")
        refused(work.api.post("/api/runner/next-job", {"robot_id": other["id"]}), 403, "does not match")
        for part, body in (("update", {"status": "completed"}), ("log", {"sequence": 1, "text": "x"})):
            refused(as_other.post(f"{work.path}/{part}", body), 404, "Job not found")
            refused(as_other.post(f"{work.path}/{part}", body, headers={"X-Lease-Token": work.lease}), 404)
        refused(as_other.post(f"{work.path}/artifacts"), 404, "Job not found")


def test_a_wrong_token_is_told_from_a_missing_one(anonymous: Api) -> None:
    refused(anonymous.post("/api/runner/heartbeat", {}), 401, "Not authenticated")
    for token in ("bvor_wrong", "\xff", "x" * 5000):
        refused(anonymous.as_robot(token).post("/api/runner/heartbeat", {}), 401, "not valid")


# --- results


def test_a_result_may_be_sent_again_and_another_one_not(work: Work, state: State) -> None:
    work.api.ok(work.finish(result={"a": 1}, logs="the end"))
    with state.unchanged():
        work.api.ok(work.finish(logs="the end", result={"a": 1}))
        refused(work.finish(result={"a": 2}, logs="the end"), 409, "completed")
        refused(work.finish(status="failed"), 409, "completed")
    assert work.now()["result"] == {"a": 1, "logs": "the end"}


def test_a_result_under_another_lease_is_refused(work: Work, state: State) -> None:
    with state.unchanged():
        refused(work.finish(lease="bvol_stale"), 409, "no longer held")
        body = {"status": "completed", "lease_token": "bvol_stale"}
        refused(work.api.post(f"{work.path}/update", body), 409, "no longer held")


def test_the_lease_may_stand_in_the_body_or_be_left_out(admin: Api) -> None:
    _, as_robot = admin.a_robot()
    process = admin.a_process()
    for body in ({"lease_token": None}, {}):
        admin.a_job(process)
        job = claim(as_robot)
        sent = {"lease_token": job["lease_token"]} if body else {}
        as_robot.ok(as_robot.post(f"/api/runner/jobs/{job['id']}/update", {"status": "failed", **sent}))


def test_a_bad_result_is_refused_and_the_job_goes_on(work: Work, state: State, subtests: pytest.Subtests) -> None:
    for bad, word in (
        ({"status": "done"}, "completed, failed"),
        ({"status": "running"}, "completed, failed"),
        ({"result": [1]}, "result"),
        ({"error_message": {}}, "error_message"),
    ):
        with subtests.test(str(bad)), state.unchanged():
            refused(work.finish(**bad), 422, word)
    assert work.now()["status"] == "running"


def test_what_no_database_can_keep_is_replaced_in_what_a_script_left(work: Work) -> None:
    half, nan = "\ud800", float("nan")
    work.api.ok(work.log(1, f"a\0b{half}c", progress={"fraction": 0.5, "message": "50\0%"}))
    work.api.ok(work.finish(result={"output": ["\0", half, nan], "k\0": 1}, error_message="\0", logs=half))
    job = work.now()
    assert job["progress"] == {"fraction": 0.5, "message": "50\ufffd%"}
    assert job["error_message"] == "\ufffd"
    assert job["result"] == {"output": ["\ufffd", "\ufffd", None], "k\ufffd": 1, "logs": "\ufffd"}
    log = work.admin.ok(work.admin.get(f"/api/jobs/{work.job['id']}/log"))
    assert log["text"] == "a\ufffdb\ufffdc"


# --- heartbeat and claims


def test_a_heartbeat_tells_of_each_lease_whether_it_holds(work: Work) -> None:
    other = work.admin.a_job({"id": work.job["process"]["id"]})
    leases = [
        {"job_id": work.job["id"], "lease_token": work.lease},
        {"job_id": other["id"], "lease_token": work.lease},
        {"job_id": 99, "lease_token": "\ud800"},
    ]
    answer = work.api.ok(work.api.post("/api/runner/heartbeat", {"leases": leases}))
    states = {lease["job_id"]: lease["state"] for lease in answer["leases"]}
    assert states == {work.job["id"]: "valid", other["id"]: "lost", 99: "lost"}


def test_a_heartbeat_keeps_the_lease(work: Work, state: State) -> None:
    before = state.rows("jobs")[0]["lease_expires_at"]
    assert work.beat() == "valid"
    renewed = state.rows("jobs")[0]["lease_expires_at"]
    work.api.ok(work.api.post("/api/runner/heartbeat", {}))  # an older runner, which knows no leases
    assert before < renewed < state.rows("jobs")[0]["lease_expires_at"]


def test_bad_heartbeats_are_refused(work: Work, state: State, subtests: pytest.Subtests) -> None:
    lease = {"job_id": 1, "lease_token": "x"}
    for bad, word in (
        ({"robot_id": 0}, "robot_id"),
        ({"leases": "x"}, "leases"),
        ({"leases": [{**lease, "job_id": 2**31}]}, "leases.0.job_id"),
        ({"leases": [{"job_id": 1}]}, "leases.0.lease_token"),
        ({"leases": [lease] * 101}, "leases"),
        ({"machine_info": "x" * 501}, "machine_info"),
    ):
        with subtests.test(str(bad)[:60]), state.unchanged():
            refused(work.api.post("/api/runner/heartbeat", bad), 422, word)


# --- downloads


def test_a_robot_downloads_the_package_of_the_job_that_it_runs_and_no_other(work: Work) -> None:
    path = f"/api/packages/{work.job['package']['id']}/download"
    other = work.admin.a_package("other")
    with work.api.get(path) as package:
        digest = hashlib.sha256(package.data)
    assert digest.hexdigest() == work.job["package"]["sha256"]
    assert package.headers["ETag"] == f'"{digest.hexdigest()}"'
    assert package.headers["Digest"] == f"sha-256={base64.b64encode(digest.digest()).decode()}"
    refused(work.api.get(f"/api/packages/{other['id']}/download"), 403, "job that it runs")
    refused(work.api.get("/api/packages/99/download"), 403, "job that it runs")
    refused(work.admin.a_robot("robot-2")[1].get(path), 403, "job that it runs")
    work.api.ok(work.finish())
    refused(work.api.get(path), 403, "job that it runs")


# --- log and artifacts


def test_a_piece_of_the_log_that_comes_twice_is_kept_once(work: Work) -> None:
    for sequence, text in ((1, "one "), (2, "two "), (1, "one "), (2, "changed "), (3, "three")):
        work.api.ok(work.log(sequence, text))
    assert work.admin.ok(work.admin.get(f"/api/jobs/{work.job['id']}/log"))["text"] == "one two three"


def test_a_job_that_is_cancelled_at_this_moment_takes_no_piece_of_the_log(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    work.api.ok(work.log(1, "before"))
    path = f"/api/jobs/{work.job['id']}"
    in_time = runner_api.transaction

    def too_late() -> AbstractContextManager[Session]:
        if work.now()["status"] == "running":
            work.admin.ok(work.admin.post(f"{path}/cancel"))
        return in_time()

    monkeypatch.setattr(runner_api, "transaction", too_late)
    refused(work.log(2, "after", progress={"fraction": 0.5}), 409, "no longer held")
    assert work.admin.ok(work.admin.get(f"{path}/log"))["text"] == "before"
    assert work.now()["progress"] is None


@pytest.mark.shows_setting("jobs.log_max_kilobytes")
def test_a_log_is_kept_up_to_its_limit_and_the_job_goes_on(work: Work) -> None:
    work.admin.ok(work.admin.put("/api/settings/jobs", {"log_max_kilobytes": 64}))
    for sequence in range(1, 5):
        work.api.ok(work.log(sequence, "x" * 32_000))
    text = work.admin.ok(work.admin.get(f"/api/jobs/{work.job['id']}/log"))["text"]
    assert len(text) == 64_000
    work.api.ok(work.finish())


def test_bad_log_pieces_are_refused(work: Work, state: State, subtests: pytest.Subtests) -> None:
    for bad, word in (
        ({"sequence": 0}, "sequence"),
        ({"sequence": 2**31}, "sequence"),
        ({"text": None}, "text"),
        ({"text": "x" * (256 * 1024 + 1)}, "text"),
        ({"progress": {"fraction": 1.5}}, "progress.fraction"),
        ({"progress": 5}, "progress"),
    ):
        with subtests.test(str(bad)[:60]), state.unchanged():
            refused(work.send("log", {"sequence": 1, "text": "x", **bad}), 422, word)


def test_an_artifact_of_the_same_name_replaces_the_first(work: Work, state: State) -> None:
    first = work.api.ok(work.artifact(b"one", "a.txt"))
    second = work.api.ok(work.artifact(b"two", "a.txt"))
    assert first["id"] == second["id"]
    with work.admin.get(f"/api/jobs/{work.job['id']}/artifacts/{first['id']}") as content:
        assert content.data == b"two"
    files = {name for name in state.files() if name.startswith("artifacts/")}
    assert files == {f"artifacts/{work.job['id']}/{second['sha256']}"}


def test_an_artifact_is_refused_where_the_job_was_lost_while_it_was_sent(
    work: Work, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive = output._measure

    def arrive_too_late(source: BinaryIO) -> tuple[str, int]:
        measured = arrive(source)
        work.admin.ok(work.admin.post(f"/api/jobs/{work.job['id']}/cancel"))
        return measured

    monkeypatch.setattr(output, "_measure", arrive_too_late)
    before = state.files()
    refused(work.artifact(b"one", "a.txt"), 409, "no longer held")
    assert (state.rows("job_artifacts"), state.files()) == ([], before)


@pytest.mark.shows_setting("jobs.artifact_max_megabytes")
def test_bad_artifacts_are_refused_and_leave_no_file(work: Work, state: State, subtests: pytest.Subtests) -> None:
    for name in ("", "x" * 501, "nul\0.txt", "line\nbreak.txt"):
        with subtests.test(repr(name)[:20]), state.unchanged():
            refused(work.artifact(b"x", name), 422, "`file`")
    work.admin.ok(work.admin.put("/api/settings/jobs", {"artifact_max_megabytes": 1}))
    with subtests.test("too large"), state.unchanged():
        refused(work.artifact(b"x" * 1_000_001, "large.bin"), 413, "1 MB")
        refused(work.artifact(b"x" * 1_200_000, "larger.bin"), 413, "1100000 bytes")


def test_the_largest_result_that_a_runner_sends_is_accepted_however_it_is_escaped(work: Work) -> None:
    text = "\N{SNOWMAN}" * (1024 * 1024 // 3)  # 1 MiB in UTF-8, twice as much in JSON
    work.api.ok(work.finish(result={"return_code": 0, "output": text}, logs="\N{SNOWMAN}" * 20_000))
    assert work.now()["result"]["output"] == text
