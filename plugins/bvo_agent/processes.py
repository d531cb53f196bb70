"""A process and everything that it starts: begun in a group of its own, ended as a whole."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bvo_agent.lease import StopCheck, StopReason

POLL_SECONDS = 0.05
GRACE_SECONDS = 5.0
KILL_SECONDS = 5.0
"""For so long processes are looked for and killed; what then still starts new ones wins."""

MARK = "BVO_ATTEMPT_MARK"
"""The variable by which processes are found that have left their group and their parents."""

if sys.platform == "win32":
    OWN_GROUP: dict[str, Any] = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    REQUEST = "CTRL_BREAK"

    def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(OSError):
            process.send_signal(signal.CTRL_BREAK_EVENT)

    def _kill(process: subprocess.Popen[bytes]) -> None:
        process.kill()

else:
    OWN_GROUP: dict[str, Any] = {"start_new_session": True}
    REQUEST = "SIGTERM"

    def _ask_to_end(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)

    def _kill(process: subprocess.Popen[bytes]) -> None:
        # macOS answers EPERM where only zombies are left.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Why and how a process was ended before its time; `seconds` passed since it was asked to end."""

    reason: StopReason
    killed: bool
    seconds: float


class ProcessTree:
    """Raises OSError where the program cannot be started."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: Any) -> None:
        """`env` may bring a MARK of its own."""
        self._mark = env.get(MARK) or new_mark()
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**env, MARK: self._mark},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **OWN_GROUP,
        )

    def supervise(self, stop: StopCheck, hurry: Callable[[], bool]) -> Stop | None:
        """Waits for the end of the process, or asks for it; it has no more time after the grace or in a hurry.

        The tree is to be killed then, whether the process has ended or not.
        """
        while not self._ended_within(POLL_SECONDS):
            if reason := stop():
                asked = time.monotonic()
                _ask_to_end(self.process)
                self._give_grace(hurry)
                killed = self.process.poll() is None
                return Stop(reason=reason, killed=killed, seconds=time.monotonic() - asked)
        return None

    def kill(self) -> int:
        """Kills whatever is left, children of an ended process included; how many besides the process itself."""
        others = self._descendants() | marked(self._mark)
        others = {each for each in others if each.pid != self.process.pid}
        _kill(self.process)
        self.process.wait()
        return len(others | kill_marked(self._mark, others))

    def _descendants(self) -> set[psutil.Process]:
        """Also those who have dropped the mark, as long as their parents live."""
        with contextlib.suppress(psutil.Error):
            if self.process.poll() is None:
                return set(psutil.Process(self.process.pid).children(recursive=True))
        return set()

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


def new_mark() -> str:
    """What nobody else has in their environment."""
    return secrets.token_hex(16)


def marked(mark: str) -> set[psutil.Process]:
    """The living processes that bear the mark, whoever their parents are by now."""
    found = set()
    for pid in psutil.pids():
        # One that has ended meanwhile, or belongs to somebody else.
        with contextlib.suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            if process.environ().get(MARK) == mark:
                found.add(process)
    return found


def kill_marked(mark: str, others: set[psutil.Process] | None = None) -> set[psutil.Process]:
    """Kills these and all that bear the mark until none is left: the last may just have started another."""
    killed: set[psutil.Process] = set()
    found, end = (others or set()) | marked(mark), time.monotonic() + KILL_SECONDS
    while found and time.monotonic() < end:
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        killed |= found
        found = marked(mark)
    return killed
