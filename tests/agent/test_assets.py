"""Assets in scripts, and what becomes of their secrets."""

from __future__ import annotations

import json
import logging

import pytest

SECRET = "hunter22-hunter22"
LOGIN = {"name": "login", "type": "credential", "username": "bot", "password": SECRET}
KEY = {"name": "key", "type": "secret", "value": SECRET}
REVEAL = "import bvo_job, sys\nkey = bvo_job.asset('key')\n"


@pytest.fixture
def assets(plane):
    plane.assets |= {asset["name"]: asset for asset in (LOGIN, KEY)}
    return plane.assets


@pytest.fixture
def run(plane, run_once, assets):
    """Runs this script; whether it completed."""

    def run(script, **claim):
        plane.add_job({"main.py": script}, **claim)
        return run_once()

    return run


def sent(plane):
    """All that the server has of the script."""
    return json.dumps([plane.seen["log"], plane.seen["update"]])


def test_a_script_gets_typed_values_and_credentials_under_its_lease(plane, run, assets):
    assets["limit"] = {"name": "limit", "type": "int", "value": 42}
    assets["dry run/ü"] = {"name": "dry run/ü", "type": "boolean", "value": True}
    assets["place"] = {"name": "place", "type": "text", "value": "Ulm"}
    script = """
import bvo_job
login = bvo_job.credential("login")
assert login.password.startswith("hunter22-") and bvo_job.asset("key") == login.password
print(repr(login), bvo_job.asset("limit") + 1, bvo_job.asset("dry run/ü"), bvo_job.asset("place"))
"""
    assert run(script)
    assert plane.result["logs"] == "Credential(username='bot') 43 True Ulm\n"
    assert [each["name"] for each in plane.seen["assets"]] == ["login", "key", "limit", "dry run/ü", "place"]
    assert {each["X-Lease-Token"] for each in plane.headers["assets"]} == {"lease-1"}


def test_each_call_asks_anew(plane, run):
    assert run("import bvo_job\nfor _ in range(3): bvo_job.asset('key')")
    assert len(plane.seen["assets"]) == 3


@pytest.mark.parametrize("between", ["", "time.sleep(0.4)"])
@pytest.mark.parametrize("end", ["", "\\n", " and more"])
def test_a_secret_that_is_written_in_two_parts_is_masked(plane, run, between, end):
    script = f"""
import time
sys.stdout.write("the key: " + key[:7]); sys.stdout.flush()
{between}
sys.stdout.write(key[7:] + "{end}"); sys.stdout.flush()
"""
    assert run(REVEAL + script)
    assert plane.result["logs"] == plane.log_text == f"the key: ***{end}".replace("\\n", "\n")


def test_a_secret_is_masked_in_all_that_is_sent(plane, run, caplog):
    script = """
bvo_job.progress(0.5, key * 40)
bvo_job.set_result({"key": key, key: [json.dumps({"key": key})]})
print("out", key, "http://bot:" + key + "@host")
print("err", key, file=sys.stderr, flush=True)
subprocess.run([sys.executable, "-c", "import sys; print(sys.argv[1])", key])
(bvo_job.artifacts_dir / key).write_text("")
raise ValueError("wrong key: " + key)
"""
    caplog.set_level(logging.DEBUG)
    plane.answers["artifacts"] = [422]
    assert not run("import json, subprocess\n" + REVEAL + script)
    assert SECRET not in sent(plane) + caplog.text
    assert plane.result["error_message"] == "ValueError: wrong key: ***"
    assert plane.result["result"]["output"] == {"key": "***", "***": ['{"key": "***"}']}
    assert plane.log_text.startswith("out *** http://bot:***@host\nerr ***\n***\nTraceback")
    assert {"fraction": 0.5, "message": "***" * 40} in [body["progress"] for body in plane.seen["log"]]
    assert "artifact *** refused" in caplog.text


def test_the_content_of_an_artifact_is_kept_as_it_is_and_its_name_is_masked(plane, run):
    assert run(REVEAL + "(bvo_job.artifacts_dir / f'{key}.txt').write_text(key)")
    assert plane.artifacts == {"***.txt": SECRET.encode()}


def test_progress_and_results_that_are_nested_without_end_do_not_stop_the_log(plane, run):
    script = """
import os, time
for name, text in (("PROGRESS", '{"message": ' + "[" * 7000 + "]" * 7000 + "}"), ("RESULT", "[" * 90000 + "]" * 90000)):
    with open(os.environ[f"BVO_{name}_FILE"], "w") as file: file.write(text)
print(key); time.sleep(1); print("the end")
"""
    assert not run(REVEAL + script)
    assert plane.log_text == "***\nthe end\n"
    assert "the result file is not JSON" in plane.result["error_message"]


def test_an_artifact_that_can_not_be_read_is_logged_without_the_secret_in_its_name(run, caplog, monkeypatch):
    def unreadable(self, path, name):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("bvo_agent.artifacts.ArtifactUpload._post", unreadable)
    assert run(REVEAL + "(bvo_job.artifacts_dir / key).write_text('')")
    assert "artifact *** not sent: [Errno 13]" in caplog.text
    assert SECRET not in caplog.text


def test_a_password_is_masked_and_a_user_name_is_not(plane, run):
    assert run("import bvo_job\nlogin = bvo_job.credential('login')\nprint(login.username, login.password)")
    assert plane.result["logs"] == "bot ***\n"


def test_a_value_that_is_no_secret_is_not_masked(plane, run, assets):
    assets["place"] = {"name": "place", "type": "text", "value": "Entenhausen"}
    assert run("import bvo_job\nprint(bvo_job.asset('place'))")
    assert plane.result["logs"] == "Entenhausen\n"


def test_a_secret_of_several_lines_is_masked_line_by_line(plane, run, assets):
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASC\n-----END KEY-----\n"
    assets["pem"] = {"name": "pem", "type": "secret", "value": key}
    script = "import bvo_job\nkey = bvo_job.asset('pem')\nprint(key)\nfor line in key.splitlines(): print('>', line)"
    assert run(script + "\nprint(repr(key))\nbvo_job.set_result(key)")
    for line in key.splitlines():
        assert line not in sent(plane)


def test_a_secret_in_much_output_is_masked_everywhere(plane, run):
    script = "for _ in range(20): sys.stdout.write(('x' * 100 + key + '\\n') * 8000)"
    assert run(REVEAL + script + "\nprint('the end')")
    assert SECRET not in sent(plane)
    assert "hunter" not in plane.log_text[:10_000_000] + plane.result["logs"]
    assert plane.result["logs"].endswith("***\nthe end\n")


def test_nothing_of_a_secret_stays_in_the_runners_home(plane, run, home, monkeypatch):
    monkeypatch.setattr("bvo_agent.outbox.PATIENCE_SECONDS", 0)
    plane.answers["update"] = [503]
    assert run(REVEAL + "print(key)\nbvo_job.set_result(key)\n(bvo_job.artifacts_dir / 'a').write_text(key)")
    kept = [path for path in home.root.rglob("*") if path.is_file() and "environments" not in path.parts]
    assert [path.name for path in kept if path.parent == home.outbox] == ["1.json"]
    for path in kept:
        assert SECRET.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("asset('none')", "told to answer 404 for 'none'"),
        ("asset('login')", "'login' is a credential: use bvo_job.credential('login')"),
        ("credential('key')", "'key' is not a credential: use bvo_job.asset('key')"),
    ],
)
def test_what_can_not_be_had_is_an_error_that_says_why(plane, run, call, message):
    assert not run(f"import bvo_job\nbvo_job.{call}")
    assert plane.result["error_message"].startswith("bvo_job.AssetError: ")
    assert message in plane.result["error_message"]


def test_a_server_that_is_away_for_a_moment_is_asked_again(plane, run):
    plane.answers["assets"] = [503, 0, 429]
    assert run(REVEAL)
    assert len(plane.seen["assets"]) == 4


def test_a_server_that_stays_away_is_an_error(plane, run, monkeypatch):
    monkeypatch.setattr("bvo_agent.assets.PATIENCE_SECONDS", 0.2)
    plane.answers["assets"] = [503] * 99
    assert not run(REVEAL)
    assert "'key' could not be fetched" in plane.result["error_message"]


def test_a_refusal_is_not_asked_again(plane, run):
    plane.answers["assets"] = [409]
    assert not run(REVEAL)
    assert "told to answer 409" in plane.result["error_message"]
    assert len(plane.seen["assets"]) == 1


def test_a_job_that_ends_does_not_wait_for_a_request(plane, run):
    plane.answers["assets"] = [503] * 99
    script = """
import bvo_job, os, threading, time
threading.Thread(target=bvo_job.asset, args=("key",)).start()
time.sleep(0.3)
os._exit(0)
"""
    assert run(script)
    assert 0 < len(plane.seen["assets"]) < 20


def test_threads_and_child_processes_of_a_script_may_ask(plane, run):
    script = """
import bvo_job, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(40) as pool:
    assert set(pool.map(bvo_job.asset, ["key"] * 80)) == {bvo_job.asset("key")}
child = "import bvo_job; print(len(bvo_job.asset('key')))"
print(subprocess.run([sys.executable, "-c", child], capture_output=True, text=True, check=True).stdout)
"""
    assert run(script)
    assert plane.result["logs"].strip() == str(len(SECRET))


def test_the_script_gets_neither_the_robots_token_nor_the_lease(plane, run):
    script = """
import bvo_job, os, pathlib
files = [path.read_text() for path in pathlib.Path(os.environ["BVO_CHANNEL_FILE"]).parent.glob("*.*")]
bvo_job.set_result([dict(os.environ), files])
"""
    assert run(script)
    shown = json.dumps(plane.result["result"]["output"])
    assert '"port' in shown.replace("\\", "")
    assert plane.token not in shown
    assert "lease-1" not in shown


def test_what_a_script_left_behind_gets_no_assets_after_the_job(plane, run, tmp_path):
    copy = tmp_path / "channel.json"
    script = f"import os, shutil; shutil.copy(os.environ['BVO_CHANNEL_FILE'], {str(copy)!r})"
    assert run(script)
    assert run(f"""
import os, bvo_job
os.environ["BVO_CHANNEL_FILE"] = {str(copy)!r}
try:
    bvo_job.asset("key")
except bvo_job.AssetError as error:
    print(error)
""")
    assert "The runner does not answer" in plane.seen["update"][1]["logs"]
    assert plane.seen["assets"] == []
