"""A process and everything that it starts: begun in a group of its own, ended as a whole."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bvo_agent.lease import StopCheck, StopReason

POLL_SECONDS = 0.05
GRACE_SECONDS = 5.0

if sys.platform == "win32":
    OWN_GROUP: dict[str, Any] = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}

    def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(OSError):
            process.send_signal(signal.CTRL_BREAK_EVENT)

    def _kill(process: subprocess.Popen[bytes]) -> None:
        subprocess.run(["taskkill", "/T", "/F", "/PID", str(process.pid)], capture_output=True, check=False)

else:
    OWN_GROUP: dict[str, Any] = {"start_new_session": True}

    def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)

    def _kill(process: subprocess.Popen[bytes]) -> None:
        # macOS answers EPERM where only zombies are left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


class ProcessTree:
    """Raises OSError where the program cannot be started."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: Any) -> None:
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **OWN_GROUP,
        )

    def supervise(self, stop: StopCheck, hurry: Callable[[], bool]) -> StopReason | None:
        """Waits for the end, or ends it: asks first, kills after the grace time or when in a hurry."""
        while not self._ended_within(POLL_SECONDS):
            if reason := stop():
                _ask_to_end(self.process)
                self._give_grace(hurry)
                self.kill()
                return reason
        return None

    def kill(self) -> None:
        """Kills whatever is left of the tree, children of an ended process included."""
        _kill(self.process)
        self.process.wait()

    def _give_grace(self, hurry: Callable[[], bool]) -> None:
        end = time.monotonic() + GRACE_SECONDS
        while time.monotonic() < end and not hurry() and not self._ended_within(POLL_SECONDS):
            pass

    def _ended_within(self, seconds: float) -> bool:
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True
