"""The fire in the size of a test run; `python tests/chaos` makes it as large as one likes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chaos.processes import MARK, Owned
from chaos.stage import Stage
from conftest import missing
from support.postgres import Cluster

SEED = "test"
"""The same faults in every test run."""
COMMAND = (sys.executable, str(Path(__file__).parent))
SECONDS = 900
"""For a run that takes about one minute and a half: after that it hangs."""


def test_nothing_is_lost_or_doubled_under_fire_on_sqlite(tmp_path: Path) -> None:
    report = burn(tmp_path, "--faults", "100")
    assert sum(report["faults"].values()) == 100
    assert report["left_out"] in ([], ["full-disk"])  # many a container may not mount what can be full


def test_nothing_is_lost_or_doubled_under_fire_on_postgresql(tmp_path: Path) -> None:
    if not Cluster.available():
        missing("PostgreSQL")
    report = burn(tmp_path, "--faults", "50", "--database", "postgres")
    assert sum(report["faults"].values()) == 50
    assert report["faults"]["kill-postgres"]


def burn(folder: Path, *options: str) -> dict[str, Any]:
    """The report of a run in which everything held; and which was one: work was done meanwhile."""
    file = folder / "report.json"
    run = subprocess.run(
        (*COMMAND, "--seed", SEED, "--json", str(file), *options),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    assert report["violations"] == []
    for what in ("claims", "item_claims", "starts"):
        assert report[what] > 0, report
    assert report["jobs"]["completed"] > 0
    return report


def test_a_planted_bug_ends_the_run_with_1_and_wrong_options_with_2(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    bug = ("--bug", "keys-ignored", "--faults", "3", "--folder", str(tmp_path / "run"), "--json", str(file))
    assert subprocess.run((*COMMAND, *bug), capture_output=True, timeout=SECONDS, check=False).returncode == 1
    assert "I9" in {violation["invariant"] for violation in json.loads(file.read_text(encoding="utf-8"))["violations"]}
    assert subprocess.run((*COMMAND, "--faults", "0"), capture_output=True, timeout=60, check=False).returncode == 2


def test_a_run_kills_only_what_it_has_started(tmp_path: Path) -> None:
    sleep = (sys.executable, "-c", "import time; time.sleep(60)")
    with Stage(tmp_path / "stage") as stage:
        own = Owned(stage, "own", sleep, {})
        own.start()
        with subprocess.Popen(sleep, start_new_session=True, env={**os.environ, MARK: "/elsewhere"}) as other:
            mine, own._process = own._process, other
            with pytest.raises(AssertionError, match="not one of the run"):
                own.kill()
            assert other.poll() is None
            own._process = mine
            other.kill()
        own.kill()
        assert own.process.returncode == -signal.SIGKILL
        own.kill()  # there is nothing to kill, and its number may be another process's by now


def test_a_run_begins_in_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("x", encoding="utf-8")
    with pytest.raises(AssertionError, match="not empty"), Stage(tmp_path):
        pass
