"""The demo's child processes: the server and the runner, each with its own log file."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

STOP_SECONDS = 15
BVO = (sys.executable, "-c", "from bvo.cli import main; main()")


class Child:
    """A `bvo` command that runs beside the demo."""

    def __init__(self, name: str, arguments: list[str], environment: Mapping[str, str], log: Path) -> None:
        self.name = name
        self._log = log
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("BVO_", "DATABASE_URL"))}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [*BVO, *arguments],
                env={**inherited, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def output(self) -> str:
        """All that it has printed until now."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def last_words(self) -> str:
        """The end of what it printed, for an error message."""
        return "\n".join(self.output().strip().splitlines()[-5:]) or "it printed nothing"

    def stop(self) -> None:
        """Ask it to end, and make it end."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port(wanted: int) -> int:
    """`wanted` where it is free on this machine, else any free port."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            if sys.platform != "win32":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise AssertionError("the system gives no port at all")
