"""Runners and servers that die: nothing is run twice, nothing hangs."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from support.runners import Runner, wait_for_job
from support.servers import Server, bvo, queue_job


def test_a_wrong_machine_key_ends_the_runner_with_a_message(server: Server, tmp_path: Path) -> None:
    command = ("runner", "--url", server.url, "--name", "stranger", "--home", str(tmp_path))
    refused = bvo(*command, BVO_RUNNER_MACHINE_KEY="bvom_wrong")
    assert refused.returncode == 3
    assert "machine key is not valid" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_the_job_of_a_killed_runner_fails_and_is_not_started_again(server: Server, tmp_path: Path) -> None:
    server.call("PUT", "/api/settings/jobs", json={"lease_seconds": 15, "heartbeat_seconds": 1})
    with Runner(server, tmp_path / "home", name="doomed") as doomed:
        job_id = queue_job(server, "long", {"main.py": "import time; time.sleep(600)"})
        wait_for_job(server, job_id, "running")
        doomed.process.send_signal(signal.SIGKILL)
        doomed.process.wait()
    job = wait_for_job(server, job_id, seconds=30)
    assert job["status"] == "failed"
    assert "lease_lost" in job["error_message"]
    assert job["attempt"] == 1


def test_a_runner_waits_for_a_server_that_is_away(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    first = Server(tmp_path / "server")
    with first:
        first.log_in()
        runner = Runner(first, tmp_path / "home", name="patient")
        with runner:
            assert wait_for_job(first, queue_job(first, "before", {"main.py": ""}))["status"] == "completed"
            first.stop()
            first.start()
            assert wait_for_job(first, queue_job(first, "after", {"main.py": ""}))["status"] == "completed"
            assert runner.process.poll() is None
