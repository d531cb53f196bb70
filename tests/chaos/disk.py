"""The disk of the servers: a file system of its own, which a fault can make full. It needs root."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SIZE = 4 * 1024**3
"""It takes memory only for what is in it."""
TRIES = 20
NAMESPACE = Path("/proc/self/ns/mnt")
INSIDE = "BVO_CHAOS_OUTER_NAMESPACE"
"""An environment variable with the namespace that was left: what is mounted must not be seen there."""


def enter_namespace() -> None:
    """Go on in a mount namespace of this process's own, if the machine lets it: its mounts end with it."""
    if os.geteuid() != 0 or INSIDE in os.environ:
        return
    if subprocess.run(("unshare", "--mount", "true"), capture_output=True, check=False).returncode == 0:
        os.environ[INSIDE] = str(NAMESPACE.readlink())
        os.execvp("unshare", ("unshare", "--mount", sys.executable, *sys.orig_argv[1:]))  # noqa: S606


class Disk:
    """`is_own`: it is a file system of its own, and can be full."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.is_own = os.environ.get(INSIDE, "") not in ("", str(NAMESPACE.readlink()))
        if self.is_own:
            _mount("-t", "tmpfs", "-o", f"size={SIZE}", "chaos", str(folder))

    def fill(self) -> None:
        """Leave no room on it. What is written meanwhile may need a second try."""
        assert self.is_own, f"{self.folder} is on a disk that others use, too"
        for _ in range(TRIES):
            state = os.statvfs(self.folder)
            try:
                return self._resize((state.f_blocks - state.f_bfree) * state.f_frsize)
            except subprocess.CalledProcessError:
                continue
        raise AssertionError(f"{self.folder} can't be filled")

    def free(self) -> None:
        self._resize(SIZE)

    def _resize(self, size: int) -> None:
        _mount("-o", f"remount,size={size}", str(self.folder))


def _mount(*arguments: str) -> None:
    subprocess.run(("mount", *arguments), check=True, capture_output=True)
