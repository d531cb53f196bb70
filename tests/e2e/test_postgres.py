"""The server as it runs in production: PostgreSQL, several web workers, an administrator of one's own."""

from __future__ import annotations

from pathlib import Path

from support.databases import PostgresDatabases
from support.runners import Runner, wait_for_job
from support.servers import Server, bvo, queue_job


def test_production_starts_after_migrating_and_making_an_administrator(
    postgres: PostgresDatabases, tmp_path: Path
) -> None:
    settings = {"BVO_ENV": "production", "BVO_DATABASE_URL": postgres.empty(), "BVO_DATA_DIR": tmp_path / "data"}
    too_early = bvo("serve", **settings)
    assert (too_early.returncode, "bvo db upgrade" in too_early.stderr) == (2, True)
    assert bvo("db", "upgrade", **settings).returncode == 0
    nobody = bvo("serve", **settings)
    assert (nobody.returncode, "bvo users create-admin" in nobody.stderr) == (2, True)
    made = bvo("users", "create-admin", "--username", "ops", BVO_ADMIN_PASSWORD="correct horse", **settings)
    assert made.returncode == 0, made.stderr

    with Server(tmp_path, **settings) as server:
        server.log_in("ops", "correct horse")
        with Runner(server, tmp_path / "home"):
            job = wait_for_job(server, queue_job(server, "hello", {"main.py": "print('hello')"}))
        assert job["status"] == "completed", job["error_message"]
        assert "Traceback" not in server.log()
