"""How a robot gets, keeps and renews its token."""

from __future__ import annotations

import json
import os
import stat

import pytest


def test_the_token_is_stored_for_its_owner_only_and_used_again(plane, run_once, home):
    old_mask = os.umask(0)
    try:
        assert run_once()
    finally:
        os.umask(old_mask)
    assert stat.S_IMODE(home.token_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    assert run_once()
    assert plane.registrations == 1


def test_another_name_registers_anew_and_keeps_the_first_token(plane, run_once, start_runner, home):
    assert run_once()
    assert start_runner("--once", "--name", "robot-02").wait(10) == 0
    assert plane.registrations == 2
    assert set(json.loads(home.token_file.read_text())) == {f"{plane.url} robot-01", f"{plane.url} robot-02"}


def test_a_refused_token_is_renewed_with_the_machine_key(plane, run_once):
    assert run_once()
    plane.registrations += 1
    plane.add_job({"main.py": ""})
    assert run_once()
    assert plane.registrations == 3
    assert plane.result["status"] == "completed"


def test_a_wrong_machine_key_ends_with_code_3_and_the_servers_reason(start_runner):
    runner = start_runner(key="wrong")
    _, stderr = runner.communicate(timeout=10)
    assert runner.returncode == 3
    assert "This machine key is unknown." in stderr
    assert "--machine-key" in stderr


def test_a_refused_token_without_machine_key_ends_with_code_3(plane, run_once, start_runner):
    assert run_once()
    plane.registrations += 1
    runner = start_runner(key=None)
    _, stderr = runner.communicate(timeout=10)
    assert runner.returncode == 3
    assert "Robot token is not valid." in stderr
    assert "--machine-key-file" in stderr


def test_the_machine_key_can_come_from_a_file(plane, start_runner, tmp_path):
    path = tmp_path / "key"
    path.write_text("machine-key\n")
    assert start_runner("--once", "--machine-key-file", str(path), key=None).wait(10) == 0
    assert plane.registrations == 1


@pytest.mark.parametrize("arguments", [["--url", "ftp://x"], ["--poll-seconds", "0"], ["--nonsense"]])
def test_bad_arguments_end_with_code_2(start_runner, arguments):
    assert start_runner(*arguments).wait(10) == 2


def test_a_second_runner_in_the_same_home_is_kept_out(plane, start_runner, wait_until):
    start_runner()
    wait_until(lambda: plane.seen["next-job"])
    second = start_runner()
    _, stderr = second.communicate(timeout=10)
    assert second.returncode == 2
    assert "another runner" in stderr


def test_once_tells_by_its_exit_code_how_the_job_ended(plane, start_runner):
    plane.add_job({"main.py": "print('hello')"})
    plane.add_job({"main.py": "1/0"})
    good = start_runner("--once")
    _, stderr = good.communicate(timeout=20)
    assert good.returncode == 0
    for line in ("registered robot", "claimed job 1 (process 'Invoices', package pkg 1.0)", "job 1 | hello"):
        assert line in stderr
    bad = start_runner("--once")
    assert bad.wait(20) == 1
