"""Where a script's dependencies come from and how its environment is kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import uv

WHERE = "import sys, bvo_job; bvo_job.set_result(sys.prefix)"
USE = "import bvo_job, tinydep; bvo_job.set_result(tinydep.ANSWER)"
PEP723 = """
# /// script
# requires-python = ">=3.11"
# dependencies = ["tinydep"]
# ///
"""
PROJECT = '[project]\nname = "robot"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["tinydep"]\n'


@pytest.fixture
def wheels(tiny_wheel):
    name, content = tiny_wheel
    return {f"wheels/{name}": content}


def environments(home):
    return [path for path in home.environments.iterdir() if not path.name.startswith(".")]


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": "tinydep"},
        {"requirements.txt": "-r base.txt", "base.txt": "tinydep"},
        {"requirements.lock": "tinydep==1.0", "requirements.txt": "not-looked-at"},
        {"pyproject.toml": PROJECT},
        {"main.py": PEP723 + USE, "requirements.txt": "not-looked-at"},
    ],
    ids=["requirements.txt", "nested requirements", "requirements.lock", "pyproject.toml", "PEP 723"],
)
def test_dependencies_are_installed_from_the_packages_own_wheels(plane, run_once, wheels, files):
    plane.add_job({"main.py": USE, **wheels, **files})
    assert run_once(), plane.result["error_message"]
    assert plane.result["result"]["output"] == 42


def test_a_uv_lock_is_installed_as_locked(plane, run_once, wheels, tmp_path, tiny_wheel):
    folder = tmp_path / "project"
    (folder / "wheels").mkdir(parents=True)
    (folder / "wheels" / tiny_wheel[0]).write_bytes(tiny_wheel[1])
    (folder / "pyproject.toml").write_text(PROJECT)
    subprocess.run([uv.find_uv_bin(), "lock", "-q", "--no-index", "--find-links", "wheels"], cwd=folder, check=True)
    lock = (folder / "uv.lock").read_text()
    plane.add_job({"main.py": USE, **wheels, "pyproject.toml": PROJECT, "uv.lock": lock})
    assert run_once(), plane.result["error_message"]
    assert plane.result["result"]["output"] == 42


def test_requirements_beside_the_script_count(plane, run_once, wheels):
    files = {"jobs/main.py": USE, "jobs/requirements.txt": "tinydep", "requirements.txt": "not-looked-at"}
    plane.add_job({**files, **wheels}, script="jobs/main.py")
    assert run_once(), plane.result["error_message"]


def test_an_environment_is_built_once_for_the_same_dependencies(plane, run_once, home, wheels, monkeypatch):
    plane.add_job({"main.py": USE, "requirements.txt": "tinydep", **wheels})
    plane.add_job({"main.py": USE + "\nprint('changed')", "requirements.txt": "tinydep", **wheels})
    assert run_once()
    monkeypatch.setattr("bvo_agent.environments.Uv", None)
    assert run_once()
    assert len(environments(home)) == 1


def test_other_wheels_make_another_environment(plane, run_once, home, wheels):
    plane.add_job({"main.py": USE, "requirements.txt": "tinydep", **wheels})
    plane.add_job({"main.py": USE, "requirements.txt": "tinydep", **wheels, "wheels/more.txt": "x"})
    assert run_once()
    assert run_once()
    assert len(environments(home)) == 2


def test_an_environment_whose_python_is_gone_is_built_again(plane, run_once, home):
    plane.add_job({"main.py": ""})
    plane.add_job({"main.py": ""})
    assert run_once()
    (environment,) = environments(home)
    shutil.rmtree(environment / ("Scripts" if sys.platform == "win32" else "bin"))
    assert run_once()


def test_only_the_environments_used_last_are_kept(plane, run_once, home, monkeypatch):
    monkeypatch.setattr("bvo_agent.environments.KEPT", 2)
    for text in ("# a", "# b", "# a", "# c"):
        plane.add_job({"main.py": WHERE, "requirements.txt": text})
        assert run_once(), plane.seen["update"][-1]
    first, second, again, last = [update["result"]["output"] for update in plane.seen["update"]]
    assert first == again
    assert not Path(second).exists()
    assert Path(first).exists()
    assert Path(last).exists()


def test_a_failing_build_tells_what_uv_said_and_where_to_look(plane, run_once, home, wheels):
    plane.add_job({"main.py": "", "requirements.txt": "no-such-package==9", **wheels})
    assert not run_once()
    message = plane.result["error_message"]
    assert "no-such-package" in message
    assert "Check requirements.txt of package pkg 1.0" in message
    assert environments(home) == []


def test_a_python_that_is_not_there_fails_the_job(plane, run_once):
    plane.add_job({"main.py": PEP723.replace("3.11", "3.99")})
    assert not run_once()
    assert ">=3.99" in plane.result["error_message"]


def test_broken_metadata_fails_the_job(plane, run_once):
    plane.add_job({"main.py": "", "pyproject.toml": "[project"})
    assert not run_once()
    assert "not valid TOML" in plane.result["error_message"]


def test_a_warm_job_costs_less_than_300_milliseconds(plane, run_once, home):
    for _ in range(6):
        plane.add_job({"main.py": "pass"})
    assert run_once()
    durations = []
    for _ in range(5):
        started = time.monotonic()
        assert run_once()
        durations.append(time.monotonic() - started)
    # The best of five: other work on the test machine must not fail this.
    assert min(durations) < 0.3
