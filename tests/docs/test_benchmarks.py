"""The benchmarks run, on both databases. Nobody asserts their times."""

from __future__ import annotations

import json
import subprocess
import sys

from docs.markdown import ROOT
from support.databases import PostgresDatabases


def run(*arguments: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks" / "audit_filters.py"), "--repeat", "2", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


def test_the_audit_log_is_asked_every_question_in_a_long_and_in_a_short_log(postgres: PostgresDatabases) -> None:
    told = json.loads(run("--rows", "2000", "--database-url", postgres.empty(), "--json"))
    assert (told["rows"], len(told["results"]) > 30) == (2000, True)
    assert all(result["ratio"] > 0 for result in told["results"])


def test_the_answers_are_a_table_with_a_row_for_each_question() -> None:
    assert "action_type, old range" in run("--rows", "1000")
