"""What a job's script can do, and what the server learns of it."""

from __future__ import annotations

import json


def test_a_script_without_dependencies_completes_and_returns_its_result(plane, run_once):
    script = """
import bvo_job
print("rows:", bvo_job.parameters["rows"])
bvo_job.progress(0.5, "half")
(bvo_job.artifacts_dir / "sub").mkdir()
(bvo_job.artifacts_dir / "sub" / "ü.csv").write_bytes(b"a;b")
bvo_job.set_result({"sum": sum(bvo_job.parameters["rows"])})
"""
    plane.add_job({"main.py": script}, parameters={"rows": [1, 2]})
    assert run_once()
    assert plane.result == {
        "status": "completed",
        "result": {"return_code": 0, "output": {"sum": 3}},
        "error_message": None,
        "logs": "rows: [1, 2]\n",
    }
    assert plane.log_text == "rows: [1, 2]\n"
    assert {"fraction": 0.5, "message": "half"} in [body["progress"] for body in plane.seen["log"]]
    assert plane.artifacts == {"sub/ü.csv": b"a;b"}
    assert plane.headers["update"][0]["X-Lease-Token"] == "lease-1"


def test_a_job_of_an_older_server_completes_without_lease_logs_and_artifacts(plane, run_once):
    plane.add_job({"main.py": "import bvo_job; (bvo_job.artifacts_dir / 'a').touch(); print('hi')"})
    claim = plane.queue[0]
    for field in ("attempt", "lease_token", "lease_seconds", "heartbeat_seconds", "timeout_seconds"):
        del claim[field]
    del claim["package"]["sha256"]
    plane.answers["log"] = plane.answers["artifacts"] = [404] * 9
    assert run_once()
    assert plane.result["logs"] == "hi\n"
    assert "X-Lease-Token" not in plane.headers["update"][0]


def test_an_exception_fails_the_job_with_its_message(plane, run_once):
    plane.add_job({"main.py": "raise ValueError('no invoice\\nsecond line')"})
    assert not run_once()
    assert plane.result["error_message"] == "ValueError: no invoice"
    assert plane.result["result"] == {"return_code": 1}
    assert "Traceback" in plane.result["logs"]


def test_a_failing_exit_code_is_explained_by_the_last_line(plane, run_once):
    plane.add_job({"main.py": "import sys; print('disk is full\\n\\n'); sys.exit(3)"})
    assert not run_once()
    assert plane.result["error_message"] == "disk is full"
    assert plane.result["result"] == {"return_code": 3}


def test_a_signal_is_named(plane, run_once):
    plane.add_job({"main.py": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"})
    assert not run_once()
    assert plane.result["error_message"] == "killed by signal 9 (SIGKILL)"
    assert plane.result["result"] == {"return_code": -9}


def test_a_result_file_that_is_not_json_fails_the_job(plane, run_once):
    plane.add_job({"main.py": "import os; open(os.environ['BVO_RESULT_FILE'], 'w').write('{oops')"})
    assert not run_once()
    assert "not JSON" in plane.result["error_message"]


def test_a_result_over_one_mebibyte_fails_the_job(plane, run_once):
    plane.add_job({"main.py": "import os; open(os.environ['BVO_RESULT_FILE'], 'w').write('1' * 1048577)"})
    assert not run_once()
    assert "over 1 MiB" in plane.result["error_message"]


def test_the_script_sees_a_clean_environment(plane, run_once, monkeypatch):
    monkeypatch.setenv("BVO_RUNNER_MACHINE_KEY", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    script = """
import bvo_job, importlib.util, os, sys
names = ("flask", "requests", "bvo_agent", "bvo_packages")
found = [name for name in names if importlib.util.find_spec(name)]
bvo_job.set_result({"variables": dict(os.environ), "found": found, "prefix": sys.prefix})
"""
    plane.add_job({"main.py": script})
    assert run_once()
    output = plane.result["result"]["output"]
    assert output["found"] == []
    assert "secret" not in json.dumps(output)
    assert output["variables"]["VIRTUAL_ENV"] == output["prefix"]
    assert not [name for name in output["variables"] if name.startswith(("BVO_RUNNER", "UV_"))]


def test_a_script_in_a_folder_imports_from_the_packages_root(plane, run_once):
    files = {"jobs/daily.py": "import shared; print(shared.NAME)", "shared.py": "NAME = 'root'"}
    plane.add_job(files, script="jobs/daily.py")
    assert run_once()
    assert plane.result["logs"] == "root\n"


def test_a_script_path_outside_the_package_is_refused(plane, run_once):
    plane.add_job({"main.py": ""}, script="../../../robot.json")
    assert not run_once()
    assert "has no script" in plane.result["error_message"]


def test_a_package_with_another_digest_is_not_run(plane, run_once):
    plane.add_job({"main.py": "print('ran')"})
    plane.queue[0]["package"]["sha256"] = "0" * 64
    assert not run_once()
    assert "sha256" in plane.result["error_message"]
    assert plane.result["logs"] == ""


def test_a_package_that_is_no_zip_fails_the_job(plane, run_once):
    plane.add_job({"main.py": ""})
    plane.packages[1] = b"no zip"
    del plane.queue[0]["package"]["sha256"]
    assert not run_once()
    assert "cannot be extracted" in plane.result["error_message"]


def test_a_package_is_downloaded_once(plane, run_once):
    plane.add_job({"main.py": ""})
    plane.queue.append({**plane.queue[0], "id": 2})
    assert run_once()
    assert run_once()
    assert plane.downloads == 1


def test_an_artifact_is_sent_again_after_a_broken_connection_and_not_when_too_large(plane, run_once, monkeypatch):
    monkeypatch.setattr("bvo_agent.artifacts.LIMIT_BYTES", 1000)
    script = """
import bvo_job, os
(bvo_job.artifacts_dir / "large.bin").write_bytes(b"x" * 1001)
(bvo_job.artifacts_dir / "small.bin").write_bytes(bytes(range(250)) * 4)
os.symlink("/etc/hostname", bvo_job.artifacts_dir / "link")
raise SystemExit("failed jobs keep their artifacts")
"""
    plane.answers["artifacts"] = [0, 503]
    plane.add_job({"main.py": script})
    assert not run_once()
    assert plane.artifacts == {"small.bin": bytes(range(250)) * 4}


def test_a_problem_of_the_runner_itself_is_reported(plane, run_once, monkeypatch):
    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bvo_agent.job_runner.extract", full)
    plane.add_job({"main.py": ""})
    assert not run_once()
    assert "No space left on device" in plane.result["error_message"]


def test_nothing_of_a_job_stays_behind(plane, run_once, home):
    plane.add_job({"main.py": "open('left', 'w')"})
    assert run_once()
    assert list(home.jobs.iterdir()) == []
    assert list(home.outbox.iterdir()) == []
