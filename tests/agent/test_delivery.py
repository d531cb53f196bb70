"""A result reaches the server whatever happens to the server, the network or the runner."""

from __future__ import annotations

import json
import signal
import stat

import pytest

from bvo_agent.client import Client
from bvo_agent.errors import Unavailable

LOST_ANSWER = -1


def test_a_result_is_sent_again_until_the_server_takes_it(plane, run_once, home):
    plane.answers["update"] = [0, 503, 429, 500]
    plane.add_job({"main.py": ""})
    assert run_once()
    assert plane.result["status"] == "completed"
    assert list(home.outbox.iterdir()) == []


def test_a_refused_result_is_not_sent_again(plane, run_once, home):
    plane.answers["update"] = [409]
    plane.add_job({"main.py": ""})
    assert run_once()
    assert plane.seen["update"] == []
    assert list(home.outbox.iterdir()) == []


def test_a_result_that_meets_a_dead_token_is_sent_with_a_new_one(plane, run_once):
    assert run_once()
    plane.answers["update"] = [401]
    plane.add_job({"main.py": "print('kept')"})
    plane.add_job({"main.py": "print('not in this run')"})
    assert run_once()
    assert plane.registrations == 2
    assert plane.result["logs"] == "kept\n"


def test_a_damaged_outbox_file_does_not_stop_the_runner(run_once, home):
    home.outbox.mkdir(parents=True)
    (home.outbox / "3.json").write_text("{")
    assert run_once()
    assert list(home.outbox.iterdir()) == []


def test_a_result_is_kept_over_a_restart(plane, start_runner, wait_until, home):
    plane.answers["update"] = [503] * 99
    plane.add_job({"main.py": "print('kept')"})
    runner = start_runner()
    wait_until(lambda: len(plane.answers["update"]) < 99)  # the first try: what is sent has been written before
    (path,) = home.outbox.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    runner.send_signal(signal.SIGKILL)
    runner.wait()
    plane.answers["update"] = []
    assert start_runner("--once").wait(10) == 0
    assert plane.result["logs"] == "kept\n"
    assert plane.headers["update"][0]["X-Lease-Token"] == "lease-1"
    assert list(home.outbox.iterdir()) == []


def test_a_result_that_the_disk_does_not_take_is_sent_all_the_same(plane, run_once, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bvo_agent.outbox.write_private_json", full)
    plane.add_job({"main.py": ""})
    assert run_once()
    assert plane.result["status"] == "completed"


def test_a_problem_with_the_artifacts_does_not_change_the_result(plane, run_once, monkeypatch):
    monkeypatch.setattr("bvo_agent.artifacts.files_in", None)
    plane.add_job({"main.py": ""})
    assert run_once()
    assert plane.result["status"] == "completed"


def test_a_result_for_another_server_stays(plane, run_once, home):
    home.outbox.mkdir(parents=True)
    path = home.outbox / "9.json"
    path.write_text(json.dumps({"url": "http://other", "job_id": 9, "headers": {}, "body": {}}))
    assert run_once()
    assert plane.seen["update"] == []
    assert path.exists()


def test_an_outage_is_logged_once_and_does_not_end_the_runner(plane, run_once, caplog):
    caplog.set_level("INFO", "bvo_agent.outage")
    plane.answers["register-robot"] = [0, 503, 503]
    assert run_once()
    began, ended = [record.getMessage() for record in caplog.records]
    assert "is not reachable" in began
    assert "is back" in ended


def test_a_failing_claim_is_tried_again(plane, run_once):
    plane.answers["next-job"] = [0, 500]
    plane.add_job({"main.py": ""})
    assert run_once()
    assert plane.result["status"] == "completed"


def test_the_next_job_comes_with_the_answer_to_a_result(plane, start_runner, wait_until):
    jobs = [plane.add_job({"main.py": ""}) for _ in range(3)]
    start_runner()
    wait_until(lambda: len(plane.seen["update"]) == len(jobs))
    assert len(plane.seen["next-job"]) <= 2  # for the first one; and when there is none left
    assert all(update["next"] == {"robot_id": 7, "confirms": True} for update in plane.seen["update"])
    keys = [headers["Idempotency-Key"] for headers in plane.headers["update"]]
    assert len({*keys, plane.claim_keys[0]}) == 4


def test_an_older_server_takes_the_result_alone(plane, start_runner, wait_until):
    plane.knows_next = False
    for _ in range(2):
        plane.add_job({"main.py": ""})
    start_runner()
    wait_until(lambda: len(plane.seen["update"]) == 2)
    assert len(plane.seen["next-job"]) >= 2


@pytest.mark.parametrize("told", [[LOST_ANSWER], [503, LOST_ANSWER, LOST_ANSWER]])
def test_a_result_whose_answer_is_lost_gives_the_same_next_job_again(plane, start_runner, wait_until, told):
    plane.answers["update"] = list(told)
    for _ in range(2):
        plane.add_job({"main.py": "print('ran')"})
    start_runner()
    wait_until(lambda: plane.headers["update"] and plane.headers["update"][-1]["X-Lease-Token"] == "lease-2-again")
    assert len(plane.seen["next-job"]) <= 2  # for the first one; and when there is none left


def test_a_refusal_that_may_be_the_claims_does_not_cost_the_result(plane, start_runner, wait_until):
    plane.answers["update"] = [422]
    plane.add_job({"main.py": "print('kept')"})
    start_runner()
    wait_until(lambda: plane.seen["update"])
    assert plane.result["logs"] == "kept\n"
    assert "next" not in plane.result


def test_a_next_job_that_is_not_understood_does_not_cost_the_result(plane, start_runner, wait_until):
    plane.add_job({"main.py": ""})
    plane.add_job({"main.py": ""}, process=None)
    plane.add_job({"main.py": ""})
    start_runner()
    wait_until(lambda: len(plane.seen["update"]) == 2)
    assert [headers["X-Lease-Token"] for headers in plane.headers["update"]] == ["lease-1", "lease-3"]


def test_a_server_that_does_not_answer_is_unavailable():
    with pytest.raises(Unavailable, match="refused"):
        Client("http://127.0.0.1:9").post("/api/runner/next-job", {})


def test_what_a_killed_runner_left_is_removed(run_once, home):
    for path in (home.jobs / "3-1" / "package", home.environments / ".build-x"):
        path.mkdir(parents=True)
    (home.packages / ".download-x").parent.mkdir()
    (home.packages / ".download-x").touch()
    assert run_once()
    assert [*home.jobs.iterdir(), *home.environments.iterdir(), *home.packages.iterdir()] == []
