"""A condition of a plugin that hangs, on a real server: what is built in is judged beside it."""

from __future__ import annotations

import os
from pathlib import Path

from support.api import zipped
from support.plugins import Site
from support.servers import Server
from support.watch import wait_until

PLUGIN = """
import pathlib, time
from marshmallow import Schema
from bvo_hookspecs import AlertCondition, Finding, PluginInfo, hookimpl

def hang(parameters, since):
    pathlib.Path({began!r}).touch()
    time.sleep(3600)

def flood(parameters, since):
    yield Finding(subject="river/1", name="River", message="It floods.")

@hookimpl
def plugin_info():
    return PluginInfo(name={name!r}, summary="")

@hookimpl
def alert_conditions():
    return [AlertCondition(name={name!r}, label="x", help="x", parameters=Schema, find={find})]
"""


def a_failed_job(server: Server) -> None:
    server.call("POST", "/api/packages/upload", files={"file": ("demo_1.0.0.zip", zipped({"main.py": ""}))})
    server.call("POST", "/api/processes", json={"name": "Demo", "package_id": 1, "script_path": "main.py"})
    server.call("POST", "/api/jobs", json={"process_id": 1})
    robot = {"X-Robot-Token": server.call("POST", "/api/robots", json={"name": "r"})["api_token"], "Authorization": ""}
    lease = server.call("POST", "/api/runner/next-job", json={}, headers=robot)["job"]["lease_token"]
    headers = {**robot, "X-Lease-Token": lease}
    server.call("POST", "/api/runner/jobs/1/update", json={"status": "failed"}, headers=headers)


def test_a_condition_that_hangs_holds_up_no_other(tmp_path: Path) -> None:
    site, began = Site(tmp_path / "site"), tmp_path / "began"
    for name in ("hang", "flood"):
        site.install(PLUGIN.format(name=name, find=name, began=str(began)), f"acme_{name}", header=False)
    site.close()
    with Server(tmp_path, PYTHONPATH=os.pathsep.join((str(site.folder), os.environ.get("PYTHONPATH", "")))) as server:
        server.log_in()
        a_failed_job(server)
        server.call("POST", "/api/alert-rules", json={"name": "Hangs", "condition": "hang"})
        wait_until(began.exists)
        server.call("POST", "/api/alert-rules", json={"name": "Floods", "condition": "flood"})
        failing = {"name": "Fails", "condition": "jobs_failed_in_a_row", "parameters": {"failures": 1}}
        server.call("POST", "/api/alert-rules", json=failing)
        wait_until(lambda: len(server.call("GET", "/api/alerts")) == 2)
        assert {alert["subject"] for alert in server.call("GET", "/api/alerts")} == {"river/1", "process/1"}
