"""Runs uv, whose binary comes with its wheel."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import uv

from bvo_agent.errors import JobInterrupted
from bvo_agent.lease import Watch
from bvo_agent.processes import ProcessTree
from bvo_agent.variables import uv_variables

OUTPUT_CHARACTERS = 1500


class UvFailed(Exception):
    """uv said no; the message is the end of its own words."""


def base_python() -> Path:
    """The interpreter that this runner's own environment was made from."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable)


class Uv:
    def __init__(self, cache: Path, folder: Path, watch: Watch) -> None:
        """`folder` takes uv's output while it runs."""
        self._output = folder / "uv.log"
        self._folder = folder
        self._watch = watch
        self._environment = _with_defaults(uv_variables(), cache)

    def run(self, *arguments: str) -> None:
        """Raises UvFailed, or JobInterrupted when the job must stop."""
        command = [uv.find_uv_bin(), "--quiet", "--color", "never", *arguments]
        with self._output.open("wb") as output:
            tree = ProcessTree(command, cwd=self._folder, env=self._environment, output=output)
            try:
                stop = tree.supervise(self._watch.reason, lambda: True)
            finally:
                tree.kill()
        if stop:
            raise JobInterrupted("the environment was not finished")
        if tree.process.returncode:
            text = self._output.read_text(encoding="utf-8", errors="replace").strip()
            raise UvFailed(text[-OUTPUT_CHARACTERS:] or f"uv ended with code {tree.process.returncode}")


def _with_defaults(variables: dict[str, str], cache: Path) -> dict[str, str]:
    """Prefers the runner's own Python where a package takes it, and fetches none from the internet."""
    path = os.pathsep.join([str(base_python().parent), variables.get("PATH", "")])
    defaults = {"UV_CACHE_DIR": str(cache), "UV_PYTHON_DOWNLOADS": "never", "UV_PYTHON_PREFERENCE": "system"}
    return {**defaults, **variables, "PATH": path}
