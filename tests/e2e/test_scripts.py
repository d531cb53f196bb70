"""What scripts do to a real runner and a real server: each job ends as it should, and the next one runs."""

from __future__ import annotations

import sys

import pytest

from support.runners import Runner, wait_for_job
from support.servers import Server, queue_job

pytestmark = pytest.mark.usefixtures("runner")


def run(server: Server, name: str, script: str, **body: object) -> dict:
    return wait_for_job(server, queue_job(server, name, {"main.py": script}, **body))


def test_a_script_gets_its_parameters_and_gives_its_result(server: Server) -> None:
    script = "import bvo_job\nbvo_job.set_result({'doubled': bvo_job.parameters['n'] * 2})"
    job = run(server, "doubling", script, parameters={"n": 21})
    assert job["status"] == "completed"
    assert job["result"]["return_code"] == 0
    assert job["result"]["output"] == {"doubled": 42}


def test_a_script_that_raises_fails_with_its_last_line(server: Server) -> None:
    job = run(server, "raising", "raise ValueError('no such customer')")
    assert (job["status"], job["result"]["return_code"]) == ("failed", 1)
    assert job["error_message"] == "ValueError: no such customer"


def test_an_exit_code_stands_in_the_result(server: Server) -> None:
    job = run(server, "exiting", "import sys; sys.exit(7)")
    assert (job["status"], job["result"]["return_code"]) == ("failed", 7)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_script_that_is_killed_fails_and_says_so(server: Server) -> None:
    job = run(server, "killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert job["status"] == "failed"
    assert "SIGKILL" in job["error_message"]


def test_a_script_that_prints_100_megabytes_ends_with_a_bounded_log(server: Server) -> None:
    script = "for _ in range(100):\n    print('x' * 1_000_000)\nprint('the end')"
    job = run(server, "printing", script)
    assert job["status"] == "completed"
    assert job["result"]["logs"].endswith("the end\n")
    kept, after, finished = 0, 0, False
    while not finished:
        page = server.call("GET", f"/api/jobs/{job['id']}/log", params={"after": after})
        kept, after, finished = kept + len(page["text"]), page["next"], page["finished"]
    assert 1_000_000 < kept < 20_000_000


def test_a_script_that_hangs_while_it_imports_is_stopped_by_cancel(server: Server) -> None:
    server.call("PUT", "/api/settings/jobs", json={"heartbeat_seconds": 1})
    files = {"main.py": "import slow", "slow.py": "import time\nprint('hanging', flush=True)\ntime.sleep(600)"}
    job_id = queue_job(server, "hanging", files)
    wait_for_job(server, job_id, "running")
    assert server.call("POST", f"/api/jobs/{job_id}/cancel")["status"] == "canceled"
    assert run(server, "after-the-hanging-one", "print('next')")["status"] == "completed"
    assert wait_for_job(server, job_id)["status"] == "canceled"


def test_a_requirement_that_does_not_exist_fails_the_job_with_what_to_check(server: Server) -> None:
    files = {"main.py": "", "requirements.txt": "no-such-package-of-ours==1.0 ; python_version < '2'\n-e ./missing"}
    job = wait_for_job(server, queue_job(server, "unbuildable", files))
    assert job["status"] == "failed"
    assert "requirements.txt" in job["error_message"]


def test_a_file_in_the_artifacts_folder_can_be_downloaded(server: Server) -> None:
    script = "import bvo_job\n(bvo_job.artifacts_dir / 'out.txt').write_text('made by the job')"
    job = run(server, "leaving-a-file", script)
    (artifact,) = server.call("GET", f"/api/jobs/{job['id']}/artifacts")
    path = f"{server.url}/api/jobs/{job['id']}/artifacts/{artifact['id']}"
    assert server.session.get(path, timeout=10).text == "made by the job"


def test_the_runner_survives_all_of_this(server: Server, runner: Runner) -> None:
    assert run(server, "last", "print('still here')")["status"] == "completed"
    assert runner.process.poll() is None
    assert server.healthy()
    assert "Traceback" not in server.log()
