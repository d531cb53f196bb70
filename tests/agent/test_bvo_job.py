"""The helper that job scripts import, outside a job and inside."""

from __future__ import annotations

import importlib
import json
import socket
import threading

import pytest


@pytest.fixture
def bvo_job(monkeypatch, tmp_path):
    """A fresh module in an empty folder, as in a script that is tried by hand."""
    monkeypatch.chdir(tmp_path)
    for name in ("PARAMETERS_FILE", "RESULT_FILE", "ARTIFACTS_DIR", "PROGRESS_FILE", "CHANNEL_FILE", "ASSETS_FILE"):
        monkeypatch.delenv(f"BVO_{name}", raising=False)
    module = importlib.reload(importlib.import_module("bvo_job"))
    for name in ("parameters", "artifacts_dir"):
        vars(module).pop(name, None)
    return module


def test_outside_a_job_the_parameters_are_an_empty_dict(bvo_job):
    assert bvo_job.parameters == {}
    bvo_job.parameters["added"] = 1
    assert bvo_job.parameters == {"added": 1}


def test_outside_a_job_artifacts_go_to_a_folder_made_at_first_use(bvo_job, tmp_path):
    assert not (tmp_path / "artifacts").exists()
    (bvo_job.artifacts_dir / "a.txt").write_text("a")
    assert (tmp_path / "artifacts" / "a.txt").read_text() == "a"


def test_outside_a_job_result_and_progress_are_printed(bvo_job, capsys):
    bvo_job.set_result({"rows": 3})
    bvo_job.progress(0.25, "quarter")
    bvo_job.progress(None)
    assert capsys.readouterr().out == 'result: {"rows": 3}\nprogress: 25% quarter\nprogress: ?\n'


def test_a_log_line_has_time_and_level(bvo_job, capsys):
    bvo_job.log("low on paper", level="warning")
    time, level, text = capsys.readouterr().out.rstrip().split(" ", 2)
    assert time.endswith("Z")
    assert (level, text) == ("WARNING", "low on paper")


def test_inside_a_job_the_runners_files_are_used(bvo_job, monkeypatch, tmp_path):
    (tmp_path / "parameters.json").write_text('{"name": "ü"}', encoding="utf-8")
    monkeypatch.setenv("BVO_PARAMETERS_FILE", str(tmp_path / "parameters.json"))
    monkeypatch.setenv("BVO_RESULT_FILE", str(tmp_path / "result.json"))
    monkeypatch.setenv("BVO_PROGRESS_FILE", str(tmp_path / "progress.json"))
    assert bvo_job.parameters == {"name": "ü"}
    bvo_job.set_result([1])
    bvo_job.set_result([2])
    assert json.loads((tmp_path / "result.json").read_text()) == [2]
    bvo_job.progress(7, "clamped")
    assert json.loads((tmp_path / "progress.json").read_text()) == {"fraction": 1.0, "message": "clamped"}


@pytest.mark.parametrize("value", [{1, 2}, object(), float("nan"), {"a": b"x"}], ids=["set", "object", "NaN", "bytes"])
def test_a_result_that_json_cannot_express_is_a_type_error(bvo_job, value):
    with pytest.raises(TypeError, match="not a JSON value"):
        bvo_job.set_result(value)


def test_a_result_that_is_too_large_is_a_value_error(bvo_job):
    with pytest.raises(ValueError, match="artifacts_dir"):
        bvo_job.set_result("x" * 1024 * 1024)


def test_progress_must_be_a_number(bvo_job):
    with pytest.raises(TypeError, match="number"):
        bvo_job.progress("half")


def test_an_unknown_name_is_an_attribute_error(bvo_job):
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = bvo_job.nothing_here


def test_outside_a_job_assets_come_from_a_file(bvo_job, monkeypatch, tmp_path):
    login = {"username": "bot", "password": "hunter22"}
    (tmp_path / "assets.json").write_text(json.dumps({"place": "Ulm", "limit": 42, "dry": True, "login": login}))
    monkeypatch.setenv("BVO_ASSETS_FILE", str(tmp_path / "assets.json"))
    assert [bvo_job.asset(name) for name in ("place", "limit", "dry")] == ["Ulm", 42, True]
    assert bvo_job.credential("login") == bvo_job.Credential("bot", "hunter22")
    with pytest.raises(bvo_job.AssetError, match=r"use bvo_job\.credential\('login'\)"):
        bvo_job.asset("login")
    with pytest.raises(bvo_job.AssetError, match=r"use bvo_job\.asset\('place'\)"):
        bvo_job.credential("place")


def test_outside_a_job_an_asset_that_is_nowhere_says_where_to_put_it(bvo_job):
    with pytest.raises(bvo_job.AssetError, match=r'\{"erp": "value"\}.*BVO_ASSETS_FILE'):
        bvo_job.asset("erp")


@pytest.mark.parametrize("text", ["{oops", "[1]", None], ids=["broken", "list", "missing"])
def test_a_file_of_assets_that_can_not_be_read_is_an_asset_error(bvo_job, monkeypatch, tmp_path, text):
    if text is not None:
        (tmp_path / "assets.json").write_text(text)
    monkeypatch.setenv("BVO_ASSETS_FILE", str(tmp_path / "assets.json"))
    with pytest.raises(bvo_job.AssetError, match="BVO_ASSETS_FILE can't be read"):
        bvo_job.asset("erp")


def test_a_credential_does_not_show_its_password_and_does_not_change(bvo_job):
    login = bvo_job.Credential("bot", "hunter22")
    assert "hunter22" not in f"{login} {login!r}"
    with pytest.raises(AttributeError):
        login.password = "other"


def test_the_name_of_an_asset_is_a_text(bvo_job):
    with pytest.raises(TypeError, match="str, not int"):
        bvo_job.asset(7)


def test_a_runner_that_is_gone_is_an_asset_error(bvo_job, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (tmp_path / "channel.json").write_text(json.dumps({"port": port, "token": "t"}))
    monkeypatch.setenv("BVO_CHANNEL_FILE", str(tmp_path / "channel.json"))
    with pytest.raises(bvo_job.AssetError, match="The runner does not answer"):
        bvo_job.asset("erp")


def test_a_runner_that_hangs_up_is_an_asset_error(bvo_job, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "channel.json").write_text(json.dumps({"port": server.getsockname()[1], "token": "t"}))
        monkeypatch.setenv("BVO_CHANNEL_FILE", str(tmp_path / "channel.json"))
        thread = threading.Thread(target=lambda: server.accept()[0].close())
        thread.start()
        with pytest.raises(bvo_job.AssetError, match="The runner does not answer"):
            bvo_job.asset("erp")
        thread.join()


def test_outside_a_job_there_are_no_queues_and_the_error_says_so(bvo_job):
    with pytest.raises(bvo_job.QueueError, match="in a job only"):
        list(bvo_job.queue("orders"))
    with pytest.raises(bvo_job.QueueError, match="in a job only"):
        bvo_job.add_item("orders", {"a": 1})


def test_the_name_of_a_queue_is_a_text(bvo_job):
    with pytest.raises(TypeError, match="str, not int"):
        bvo_job.queue(7)
    with pytest.raises(TypeError, match="str, not NoneType"):
        bvo_job.add_item(None, 1)


def test_a_payload_that_json_cannot_express_is_a_type_error(bvo_job):
    with pytest.raises(TypeError, match="the payload is not a JSON value"):
        bvo_job.add_item("orders", {1, 2})


def test_a_runner_that_is_gone_is_a_queue_error(bvo_job, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    (tmp_path / "channel.json").write_text(json.dumps({"port": port, "token": "t"}))
    monkeypatch.setenv("BVO_CHANNEL_FILE", str(tmp_path / "channel.json"))
    with pytest.raises(bvo_job.QueueError, match="The runner does not answer"):
        bvo_job.queue("orders").next()
