"""`bvo demo`: the product's main job from one command."""

from __future__ import annotations

import json
from pathlib import Path

from support.servers import bvo, free_port


def test_the_demo_completes_a_job_and_stays_in_its_folder(tmp_path: Path) -> None:
    folder, home = tmp_path / "demo", tmp_path / "home"
    home.mkdir()
    options = ("demo", "--once", "--folder", str(folder), "--port", str(free_port()))
    shown = bvo(*options, timeout=180, HOME=home)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "Result: completed" in shown.stdout
    assert "report.xlsx" in shown.stdout
    assert list(home.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo", "home"]

    again = bvo(*options, "--json", timeout=180, HOME=home)
    assert again.returncode == 0, again.stderr
    job = json.loads(again.stdout)
    assert (job["id"], job["status"], job["result"]["output"]["orders"]) == (1, "completed", 7)


def test_a_demo_that_can_not_build_its_environment_says_why_and_fails(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    shown = bvo("demo", "--once", "--folder", str(folder), "--port", str(free_port()), timeout=180, UV_OFFLINE="1")
    assert shown.returncode == 1
    assert "requirements.txt" in shown.stdout


def test_the_demo_refuses_a_folder_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "thesis.txt").write_text("years of work")
    refused = bvo("demo", "--once", "--folder", str(tmp_path))
    assert refused.returncode == 1
    assert "Choose another --folder" in refused.stderr
    assert (tmp_path / "server" / "thesis.txt").exists()
