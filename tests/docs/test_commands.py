"""The commands of getting-started.md and users-and-tokens.md, run as they stand there against real servers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from docs.markdown import ROOT, blocks
from docs.session import has_curl_with_json, run, sessions
from support.databases import PostgresDatabases
from support.servers import free_port

DOCUMENT = ROOT / "docs" / "getting-started.md"
SESSIONS = sessions(blocks(DOCUMENT))
USERS_AND_TOKENS = sessions(blocks(ROOT / "docs" / "users-and-tokens.md"))
PRODUCTION = "production, needs PostgreSQL"

if not has_curl_with_json():
    if os.environ.get("CI"):
        pytest.fail("CI lacks curl 7.82 or newer")
    pytest.skip("this machine lacks curl 7.82 or newer", allow_module_level=True)


def test_the_first_package_becomes_a_completed_job(tmp_path: Path) -> None:
    output = run(SESSIONS[""], tmp_path, {"8000": str(free_port())})
    assert "Hello, Ada!" in output
    assert '"output":{"greeted":"Ada","times":5}' in output
    assert "\ncompleted\nlogging in as bot with ***\n" in output
    done, failed = output.rstrip().splitlines()[-2:]
    assert (done.count('"status":"completed"'), failed.count('"status":"failed"')) == (2, 1)
    assert output.count("open sesame") == 1, "it is printed where the script is tried by hand, and nowhere else"
    assert (tmp_path / "greetings.csv").read_text("utf-8").splitlines()[0] == "1,Ada"
    assert (tmp_path / "artifacts" / "greetings.csv").read_text("utf-8").splitlines()[0] == "1,world"


def test_the_production_commands_bring_up_a_server_on_postgresql(postgres: PostgresDatabases, tmp_path: Path) -> None:
    replaced = {
        "postgresql://bvo:PASSWORD@db.example.com/bvo": postgres.empty(),
        "/etc/bvo": str(tmp_path / "etc"),
        "/var/lib/bvo": str(tmp_path / "lib"),
        "8000": str(free_port()),
    }
    output = run(SESSIONS[PRODUCTION], tmp_path, replaced)
    assert "The database matches the models." in output
    assert "ops is an administrator." in output
    assert '"status":"ok"' in output


def test_a_service_account_acts_by_its_token_until_it_is_revoked(tmp_path: Path) -> None:
    output = run(USERS_AND_TOKENS[""], tmp_path, {"8000": str(free_port())})
    me, revoked = output.index('"jobs:create":true'), output.index("This API token is not valid: it was revoked")
    assert me < revoked
    assert (tmp_path / "ci.token").read_text("utf-8").strip() not in output


def test_every_session_of_the_documents_is_run() -> None:
    assert set(SESSIONS) == {"", PRODUCTION}
    assert set(USERS_AND_TOKENS) == {""}
