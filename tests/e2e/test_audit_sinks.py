"""A real server brings the audit trail to a file and to a syslog server."""

from __future__ import annotations

import json
from pathlib import Path

from support.servers import Server
from support.syslog import SyslogServer


def test_what_happens_in_a_server_is_in_the_file_and_at_the_syslog_server(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    with SyslogServer() as syslog:
        with Server(tmp_path, BVO_AUDIT_FILE=path, BVO_SYSLOG_URL=f"tcp://localhost:{syslog.port}") as server:
            server.log_in()
            (message,) = syslog.received(1)
        (line,) = path.read_text("utf-8").splitlines()
    assert message.head["kind"] == message.body["type"] == "user.logged_in"
    assert json.loads(line) | {"omitted": []} == message.body
