"""Ends scripts that a killed runner could not take along, so that a repeated job does not overlap with them."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

logger = logging.getLogger(__name__)
FILE = "pid"


def note_pid(workspace: Path, pid: int) -> None:
    (workspace / FILE).write_text(str(pid), encoding="ascii")


def end_orphan(workspace: Path) -> None:
    """Kills the process group of a workspace's script if it still runs. Does nothing on Windows."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError, ValueError):
        pid = int((workspace / FILE).read_text(encoding="ascii"))
        # The system may have given the number to another process by now.
        if f"{workspace.resolve()}{os.sep}" in _command_line(pid):
            logger.warning("killing the script of job %s, left by a runner that was killed", workspace.name)
            os.killpg(pid, signal.SIGKILL)


def _command_line(pid: int) -> str:
    """Raises FileNotFoundError where there is neither /proc nor ps."""
    path = Path(f"/proc/{pid}/cmdline")
    if path.exists():
        return os.fsdecode(path.read_bytes())
    command = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
