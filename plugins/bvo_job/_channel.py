"""The way to the runner: a port of this machine that it has opened for this job."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

# Longer than the runner itself tries to reach the server.
ANSWER_SECONDS = 120.0


def ask(channel: Path, request: str, **fields: Any) -> dict[str, Any]:
    """What the runner answers; `{"error": text}` where it can't. Raises OSError or ValueError where it does not."""
    way = json.loads(channel.read_text(encoding="utf-8"))
    line = json.dumps({"token": way["token"], "request": request, **fields})
    with socket.create_connection(("127.0.0.1", way["port"]), ANSWER_SECONDS) as connection:
        connection.sendall(line.encode() + b"\n")
        with connection.makefile("rb") as answer:
            return dict(json.loads(answer.readline()))
