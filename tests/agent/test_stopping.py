"""Everything that ends a script before its time."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from bvo_agent import shutdown
from bvo_agent.agent import Agent, Settings

MACHINE_KEY = "machine-key"

TREE = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(os.getpid(), child.pid, flush=True)
time.sleep(60)
"""


DAEMON = """
import os, sys, time
def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            os.dup2(1, 2)
            os.write(ready, str(os.getpid()).encode())
            time.sleep(600)
        os._exit(0)
    os.wait()
gone, ready = os.pipe()
daemon()
print(os.getpid(), int(os.read(gone, 20)), flush=True)
"""
"""Leaves a process that is in another session, has no parent, and has closed the pipe."""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def pids_of(plane) -> list[int]:
    script, child = plane.log_text.split()
    return [int(script), int(child)]


def gone(pids: list[int]) -> bool:
    """Whether all end within two seconds: a killed process may still be seen for a moment."""
    end = time.monotonic() + 2
    while any(alive(pid) for pid in pids) and time.monotonic() < end:
        time.sleep(0.01)
    return not any(alive(pid) for pid in pids)


def test_a_script_that_hangs_is_stopped_after_its_timeout_with_its_children(plane, run_once):
    plane.add_job({"main.py": TREE}, timeout_seconds=1)
    assert not run_once()
    assert plane.result["error_message"] == "stopped after 1 s (timeout)"
    assert plane.result["error_code"] == "timeout"
    assert gone(pids_of(plane))


def test_a_script_that_ignores_sigterm_is_killed(plane, run_once, monkeypatch):
    monkeypatch.setattr("bvo_agent.processes.GRACE_SECONDS", 0.3)
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on'); time.sleep(60)"
    plane.add_job({"main.py": script}, timeout_seconds=0.5)
    assert not run_once()
    assert plane.result["result"]["return_code"] == -signal.SIGKILL


def test_children_die_with_their_script(plane, run_once, monkeypatch):
    monkeypatch.setattr("bvo_agent.execution.PIPE_SECONDS", 0.3)
    plane.add_job({"main.py": TREE.replace("time.sleep(60)\n", "", 2)})
    assert run_once()
    assert gone(pids_of(plane))


def test_a_daemon_dies_with_the_script_that_made_it(plane, run_once):
    plane.add_job({"main.py": DAEMON})
    assert run_once()
    assert gone(pids_of(plane))


def test_a_job_that_the_server_stops_ends_without_a_result(plane, run_once):
    for state in ("stop", "lost"):
        number = plane.add_job({"main.py": TREE}, heartbeat_seconds=0.3)
        plane.seen["log"].clear()
        plane.lease_states = LaterState({number: state}, plane)
        assert not run_once()
        assert gone(pids_of(plane))
    assert plane.seen["update"] == []
    assert len(plane.seen["stopped"]) == 1


@pytest.mark.parametrize("script", [DAEMON, TREE], ids=["a daemon", "a child"])
def test_a_cancel_reaches_every_process_and_says_how_it_ended(plane, run_once, script):
    number = plane.add_job({"main.py": f"{script}\ntime.sleep(600)"}, heartbeat_seconds=0.3)
    plane.lease_states = LaterState({number: "stop"}, plane)
    plane.answers["stopped"] = [0, 503]
    assert not run_once()
    assert gone(pids_of(plane))
    (report,) = plane.seen["stopped"]
    words = r"it ended by itself \d+\.\d s after SIGTERM with code -15(; further processes that were killed: 1)?"
    assert re.fullmatch(words, report["words"])
    if script == DAEMON:  # a child may end by the signal that its whole group gets
        assert report["words"].endswith("killed: 1")
    assert plane.headers["stopped"][0]["X-Lease-Token"] == "lease-1"


def test_a_script_that_ignores_the_cancel_is_killed_and_it_is_said_so(plane, run_once, monkeypatch):
    monkeypatch.setattr("bvo_agent.processes.GRACE_SECONDS", 0.3)
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on'); time.sleep(600)"
    number = plane.add_job({"main.py": script}, heartbeat_seconds=0.3)
    plane.lease_states = LaterState({number: "stop"}, plane)
    assert not run_once()
    assert re.fullmatch(r"killed \d+\.\d s after SIGTERM: it did not end", plane.seen["stopped"][0]["words"])


def test_a_child_without_the_mark_dies_as_long_as_its_parent_lives(plane, run_once, monkeypatch):
    monkeypatch.setattr("bvo_agent.processes.GRACE_SECONDS", 0.3)
    script = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env={}, start_new_session=True)
print(os.getpid(), child.pid, flush=True)
time.sleep(600)
"""
    number = plane.add_job({"main.py": script}, heartbeat_seconds=0.3)
    plane.lease_states = LaterState({number: "stop"}, plane)
    assert not run_once()
    assert gone(pids_of(plane))


def test_a_job_that_is_cancelled_before_its_script_starts_says_so(plane, run_once):
    number = plane.add_job({"main.py": "print('ran')"}, confirm_seconds=15)
    plane.lease_states[number] = "stop"
    assert not run_once()
    assert plane.seen["log"] == plane.seen["update"] == []
    assert plane.seen["stopped"] == [{"words": "it had not started"}]


def test_an_older_server_is_not_told_how_it_ended(plane, run_once, home):
    number = plane.add_job({"main.py": TREE}, heartbeat_seconds=0.3)
    plane.lease_states = LaterState({number: "stop"}, plane)
    plane.answers["stopped"] = [404]
    assert not run_once()
    assert list(home.outbox.iterdir()) == []


class LaterState(dict):
    """The lease is good until the script has said something."""

    def __init__(self, states, plane):
        super().__init__(states)
        self.plane = plane

    def get(self, key, default):
        return super().get(key, default) if self.plane.seen["log"] else default


def test_a_lease_that_is_lost_before_the_start_starts_nothing(plane, run_once):
    number = plane.add_job({"main.py": "print('ran')"})
    plane.lease_states[number] = "lost"
    assert not run_once()
    assert plane.seen["log"] == plane.seen["update"] == []


def test_the_first_signal_stops_the_script_and_reports_it(plane, start_runner, wait_until):
    plane.add_job({"main.py": TREE})
    runner = start_runner()
    wait_until(lambda: plane.seen["log"])
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(10) == 0
    assert "because the runner" in plane.result["error_message"]
    assert gone(pids_of(plane))


def test_the_second_signal_does_not_wait_for_the_script(plane, start_runner, wait_until):
    script = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on'); time.sleep(60)"
    plane.add_job({"main.py": script})
    runner = start_runner()
    wait_until(lambda: plane.seen["log"])
    runner.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    started = time.monotonic()
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(10) == 0
    assert time.monotonic() - started < 2
    assert plane.result["status"] == "failed"


@pytest.mark.parametrize("script", [TREE, f"{DAEMON}\ntime.sleep(600)"], ids=["a child", "a daemon"])
def test_the_script_of_a_killed_runner_is_ended_at_the_next_start(plane, start_runner, wait_until, script):
    plane.add_job({"main.py": script})
    runner = start_runner()
    wait_until(lambda: plane.log_text.endswith("\n"))
    runner.kill()
    runner.wait()
    assert all(alive(pid) for pid in pids_of(plane))
    assert start_runner("--once").wait(10) == 0
    assert gone(pids_of(plane))


def test_a_runner_that_waits_for_a_job_stops_before_the_answer(plane, start_runner, wait_until):
    plane.answers_claims.clear()
    runner = start_runner()
    wait_until(lambda: plane.seen["waiting"])
    told = time.monotonic()
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(4) == 0
    assert time.monotonic() - told < 2  # it takes 0.2 s where the machine has nothing else to do
    assert plane.seen["next-job"] == []
    plane.answers_claims.set()


def test_a_runner_that_has_waited_goes_on_as_soon_as_it_is_answered(plane, start_runner, wait_until):
    plane.answers_claims.clear()
    start_runner()
    wait_until(lambda: plane.seen["waiting"])
    plane.add_job({"main.py": "print('ran')"})
    plane.answers_claims.set()
    wait_until(lambda: plane.seen["update"])
    assert plane.result["status"] == "completed"


def test_a_job_that_arrives_when_the_runner_is_to_stop_goes_back_and_counts_as_no_attempt(plane, home):
    class Shutdown(shutdown.Shutdown):
        requested = property(lambda self: bool(plane.seen["next-job"]))

    plane.add_job({"main.py": "print('ran')"}, confirm_seconds=15)
    settings = Settings(url=plane.url, name="robot-01", machine_key=MACHINE_KEY, home=home, poll_seconds=0.05)
    Agent(settings, Shutdown()).run(once=True)
    assert plane.seen["release"] == [{"started": False}]
    assert plane.headers["release"][0]["X-Lease-Token"] == "lease-1"
    assert plane.seen["update"] == plane.seen["log"] == []


def test_an_idle_runner_stops_at_once(plane, start_runner, wait_until):
    runner = start_runner()
    wait_until(lambda: plane.seen["next-job"])
    runner.send_signal(signal.SIGINT)
    assert runner.wait(3) == 0
