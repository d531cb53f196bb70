"""Ends scripts that a killed runner could not take along, so that a repeated job does not overlap with them."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from bvo_agent.processes import kill_marked

logger = logging.getLogger(__name__)
FILE = "mark"


def note_mark(workspace: Path, mark: str) -> None:
    """Before the script starts: there is no moment in which it runs and could not be found."""
    (workspace / FILE).write_text(mark, encoding="ascii")


def end_orphan(workspace: Path) -> None:
    """Kills all processes of a workspace's script that still run."""
    with contextlib.suppress(OSError, ValueError):
        if killed := kill_marked((workspace / FILE).read_text(encoding="ascii")):
            logger.warning(
                "killed %d processes of job %s, left by a runner that was killed", len(killed), workspace.name
            )
