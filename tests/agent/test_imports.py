"""A robot's machine needs the runner, not the server."""

from __future__ import annotations

import subprocess
import sys

FORBIDDEN = ("flask", "sqlalchemy", "marshmallow", "bvo")


def modules_after(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_the_runner_imports_nothing_of_the_server():
    assert not modules_after("import bvo_agent.cli") & set(FORBIDDEN)


def test_the_job_helper_imports_the_standard_library_only():
    plain, helped = modules_after("pass"), modules_after("import bvo_job; bvo_job.parameters")
    foreign = {name.partition(".")[0] for name in helped - plain} - sys.stdlib_module_names
    assert foreign == {"bvo_job"}


def test_the_help_teaches_with_an_example():
    command = [sys.executable, "-m", "bvo_agent", "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "bvo runner --url https://bvo.example.com" in text
    assert "process list" in text
