"""The benchmarks run, on both databases. Nobody asserts their times."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from docs.markdown import ROOT
from support.databases import PostgresDatabases

FOLDER = ROOT / "benchmarks"
BOTH = ("postgresql", "sqlite")
PROGRAMS = {
    "claims": (BOTH, 4),
    "heartbeats": (("sqlite",), 3),
    "flat": (("postgresql",), 6),
    "waiting": (("postgresql",), 1),
    "webhooks": (("sqlite",), 3),
    "redis_stream": (("sqlite",), 2),
    "cycle": (("postgresql",), 2),
}
"""On which databases a small run of each program is tried here, and how many things it compares then."""


def run(program: str, *arguments: str) -> str:
    command = [sys.executable, str(FOLDER / f"{program}.py"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def test_the_audit_log_is_asked_every_question_in_a_long_and_in_a_short_log(postgres: PostgresDatabases) -> None:
    told = json.loads(
        run("audit_filters", "--repeat", "2", "--rows", "2000", "--database-url", postgres.empty(), "--json")
    )
    assert (told["rows"], len(told["results"]) > 30) == (2000, True)
    assert all(result["ratio"] > 0 for result in told["results"])


def test_the_answers_are_a_table_with_a_row_for_each_question() -> None:
    assert "action_type, old range" in run("audit_filters", "--repeat", "2", "--rows", "1000")


def test_every_page_is_opened_over_few_rows_and_over_more() -> None:
    told = json.loads(run("pages", "--small", "--json"))
    assert (told["rows"], len(told["results"]) > 40) == (1000, True)
    assert all(result["ratio"] > 0 for result in told["results"])


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_small_run_goes_through_everything_and_judges_nothing(program: str, postgres: PostgresDatabases) -> None:
    databases, subjects = PROGRAMS[program]
    found = json.loads(run(program, "--small", "--json", *(f"--database={name}" for name in databases)))
    unsupported = [note for note in found["notes"] if "not supported" in note]
    assert len(found["subjects"]) + len(unsupported) == subjects
    assert all(figures.get("refused", 0) == 0 for figures in found["subjects"].values())
    assert all(judged["met"] is None for judged in found["judged"])


def test_the_readme_names_every_program() -> None:
    named = re.findall(r"^\| \[`(\w+)\.py`\]", (FOLDER / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    programs = [path.stem for path in FOLDER.glob("*.py") if "@click.command" in path.read_text(encoding="utf-8")]
    assert sorted(named) == sorted(programs)
