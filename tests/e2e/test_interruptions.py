"""A cancel, an outage and a killed runner, with a real server: every process ends, every line arrives once."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from support.runners import Runner, wait_for_job
from support.servers import Server, queue_job

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL")

LINES = "".join(f"line {number}\n" for number in range(1000))
STEPS = """
import pathlib, sys, time, bvo_job
folder = pathlib.Path(bvo_job.parameters["folder"])
def lines(start, stop):
    for number in range(start, stop):
        sys.stdout.write(f"line {number}\\n")
def wait_for(name):
    while not (folder / name).exists():
        time.sleep(0.02)
lines(0, 10)
wait_for("go")
lines(10, 900)
(folder / "printed").touch()
wait_for("end")
lines(900, 1000)
"""
DAEMON = """
import os, pathlib, time, bvo_job
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        pid = pathlib.Path(bvo_job.parameters["folder"]) / "pid"
        pid.with_suffix(".new").write_text(str(os.getpid()))
        pid.with_suffix(".new").rename(pid)
        time.sleep(600)
    os._exit(0)
time.sleep(600)
"""


@pytest.fixture
def away(tmp_path: Path) -> Iterator[Server]:
    """A server of this test's own, which it may stop."""
    with Server(tmp_path) as running:
        running.log_in()
        yield running


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def log_of(server: Server, job_id: int) -> str:
    return str(server.call("GET", f"/api/jobs/{job_id}/log")["text"])


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_cancel_reaches_a_daemon_and_the_job_says_how_its_script_ended(server: Server, tmp_path: Path) -> None:
    server.call("PUT", "/api/settings/jobs", json={"heartbeat_seconds": 1})
    with Runner(server, tmp_path / "home", name="cancelled"):
        job_id = queue_job(server, "daemon", {"main.py": DAEMON}, parameters={"folder": str(tmp_path)})
        wait_until((tmp_path / "pid").exists)
        daemon = int((tmp_path / "pid").read_text())
        assert is_alive(daemon)
        assert server.call("POST", f"/api/jobs/{job_id}/cancel")["status"] == "canceled"
        wait_until(lambda: server.call("GET", f"/api/jobs/{job_id}")["stop_report"])
        assert not is_alive(daemon)
    words = server.call("GET", f"/api/jobs/{job_id}")["stop_report"]
    assert words.startswith("it ended by itself")
    assert words.endswith("further processes that were killed: 1")


def test_what_a_script_prints_while_the_server_is_away_arrives_once(away: Server, tmp_path: Path) -> None:
    with Runner(away, tmp_path / "home"):
        job_id = queue_job(away, "outage", {"main.py": STEPS}, parameters={"folder": str(tmp_path)})
        wait_until(lambda: "line 9\n" in log_of(away, job_id))
        away.stop()
        (tmp_path / "go").touch()
        wait_until((tmp_path / "printed").exists)
        away.start()
        (tmp_path / "end").touch()
        assert wait_for_job(away, job_id)["status"] == "completed"
    assert log_of(away, job_id) == LINES


def test_what_a_killed_runner_had_read_arrives_once_and_the_job_is_given_up(away: Server, tmp_path: Path) -> None:
    with Runner(away, tmp_path / "home") as runner:
        job_id = queue_job(away, "killed", {"main.py": STEPS}, parameters={"folder": str(tmp_path)})
        wait_until(lambda: "line 9\n" in log_of(away, job_id))
        away.stop()
        (tmp_path / "go").touch()
        wait_until(lambda: "line 899\n" in (tmp_path / "home" / "journals" / f"{job_id}.log").read_text())
        runner.process.kill()
        runner.process.wait()
        away.start()
        with runner:
            job = wait_for_job(away, job_id, seconds=30)  # the lease holds for 60 s
    assert (job["status"], job["error_code"], job["attempt"]) == ("failed", "lease_lost", 1)
    assert "killed" in job["error_message"]
    assert log_of(away, job_id) == LINES[: LINES.index("line 900\n")]
