"""Assets on their way to a real script: who gets them, and where their secrets are not."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.runners import Runner, wait_for_job
from support.servers import Server, queue_job

SECRET, PASSWORD = "canary-4711-key", 'canary "4712" \\ pässword'
SCRIPT = """
import json, logging, sys, time
import bvo_job

key, login = bvo_job.asset("bank/key"), bvo_job.credential("login")
print("key", key)
sys.stdout.write(key[:6]); sys.stdout.flush(); time.sleep(0.5)
sys.stdout.write(key[6:]); sys.stdout.flush()
print(login, login.password, json.dumps(login.password), repr(login.password), file=sys.stderr)
bvo_job.progress(0.5, login.password)
bvo_job.set_result({"key": key, "nested": json.dumps({"password": login.password})})
if bvo_job.parameters.get("fail"):
    raise ValueError(f"{key} is not accepted")
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("assets")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with Server(folder) as running:
        running.log_in()
        running.call("PUT", "/api/settings/jobs", json={"heartbeat_seconds": 1})
        for asset in (
            {"name": "bank/key", "type": "secret", "value": SECRET},
            {"name": "login", "type": "credential", "username": "bot", "password": PASSWORD},
        ):
            running.call("POST", "/api/assets", json=asset)
        yield running


@pytest.fixture(scope="module", autouse=True)
def runner(server: Server, folder: Path) -> Iterator[Runner]:
    with Runner(server, folder / "home") as running:
        yield running


def run(server: Server, name: str, script: str, **body: object) -> dict[str, Any]:
    return wait_for_job(server, queue_job(server, name, {"main.py": script}, **body))


def audited(server: Server, action: str, job: dict[str, Any] | None = None) -> list[str]:
    """The assets that the audit log has with this action, newest first; of a job, where one is given."""
    events = server.call("GET", "/api/audit", params={"action": f"asset.{action}", "page_size": 200})["items"]
    if job:
        details = [server.call("GET", f"/api/audit/{event['id']}") for event in events]
        events = [event for event in details if event["metadata"] == {"job_id": job["id"], "attempt": 1}]
    return [event["entity_name"] for event in events]


def test_a_secret_that_a_script_shows_everywhere_is_nowhere_in_clear(
    server: Server, runner: Runner, folder: Path
) -> None:
    job = run(server, "showing", SCRIPT)
    assert job["status"] == "completed"
    assert job["result"]["output"] == {"key": "***", "nested": '{"password": "***"}'}
    assert job["result"]["logs"] == "key ***\n***Credential(username='bot') *** \"***\" '***'\n"
    failed = run(server, "failing", SCRIPT, parameters={"fail": True})
    assert (failed["status"], failed["error_message"]) == ("failed", "ValueError: *** is not accepted")
    assert "Credential(username='bot') ***" in runner.log()
    for each in (job, failed):
        assert audited(server, "revealed", each) == ["login", "bank/key"]
    with closing(sqlite3.connect(folder / "data" / "bvo.db")) as database:
        dump = "\n".join(database.iterdump())
    assert "is not accepted" in dump
    kept = [path for path in folder.rglob("*") if path.is_file() and "environments" not in path.parts]
    assert {path.name for path in kept} >= {"bvo.db", "bvo.db-wal", "serve.log", "robot-1.log", "robot.json"}
    for canary in ("canary-4711", 'canary "471', json.dumps(PASSWORD)[1:-1]):
        assert canary not in dump
        for path in kept:
            assert canary.encode() not in path.read_bytes(), path


def test_an_asset_of_other_processes_is_refused_with_what_to_do(server: Server) -> None:
    other = run(server, "other", "")
    only = {"name": "theirs", "type": "secret", "value": SECRET, "process_ids": [other["process"]["id"]]}
    server.call("POST", "/api/assets", json=only)
    job = run(server, "not theirs", "import bvo_job\nbvo_job.asset('theirs')")
    assert job["error_message"] == (
        "bvo_job.AssetError: The asset 'theirs' is not for the process not theirs. Add it to the asset."
    )
    missing = run(server, "missing", "import bvo_job\nbvo_job.asset('none')")
    assert missing["error_message"] == "bvo_job.AssetError: Asset not found: there is none named 'none'."
    assert audited(server, "reveal_refused") == ["theirs"]


def test_a_canceled_job_gets_nothing_any_more(server: Server, folder: Path) -> None:
    script = """
import pathlib, signal, time
import bvo_job

def ask(*_):
    try:
        text = bvo_job.asset("bank/key")
    except bvo_job.AssetError as error:
        text = str(error)
    pathlib.Path(bvo_job.parameters["file"]).write_text(text)
    raise SystemExit

signal.signal(signal.SIGTERM, ask)
print("asking later", flush=True)
time.sleep(600)
"""
    answer = folder / "answer.txt"
    job_id = queue_job(server, "canceled", {"main.py": script}, parameters={"file": str(answer)})
    while "asking" not in server.call("GET", f"/api/jobs/{job_id}/log")["text"]:
        wait_for_job(server, job_id, "pending", "running")
    server.call("POST", f"/api/jobs/{job_id}/cancel")
    assert run(server, "after the canceled one", "print('next')")["status"] == "completed"
    assert answer.read_text() == "This robot does not hold a job now. Claim one first."
    assert audited(server, "reveal_refused")[0] == "bank/key"


def test_each_call_is_audited_also_from_threads(server: Server) -> None:
    script = """
import bvo_job
from concurrent.futures import ThreadPoolExecutor

with ThreadPoolExecutor(2) as pool:
    assert len(set(pool.map(bvo_job.asset, ["bank/key"] * 6))) == 1
"""
    job = run(server, "in threads", script)
    assert job["status"] == "completed", job
    assert audited(server, "revealed", job) == ["bank/key"] * 6
