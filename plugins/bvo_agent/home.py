"""The folder that a runner owns: token, packages, environments, running jobs, their logs, waiting results."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import platformdirs

from bvo_agent.errors import HomeUnusable
from bvo_agent.orphans import end_orphan


def default_home(robot_name: str) -> Path:
    """A folder for this robot in the user's state folder, so that several robots may share a machine."""
    return platformdirs.user_state_path("bvo-runner", appauthor=False) / re.sub(r"[^\w.-]", "_", robot_name)


@dataclass(frozen=True)
class Home:
    root: Path

    @property
    def token_file(self) -> Path:
        return self.root / "robot.json"

    @property
    def outbox(self) -> Path:
        return self.root / "outbox"

    @property
    def journals(self) -> Path:
        return self.root / "journals"

    @property
    def packages(self) -> Path:
        return self.root / "packages"

    @property
    def environments(self) -> Path:
        return self.root / "environments"

    @property
    def jobs(self) -> Path:
        return self.root / "jobs"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Creates the folders, keeps other runners out and removes what a killed runner left behind.

        Raises HomeUnusable.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.root / "runner.lock").open("a+b")
            for folder in (self.outbox, self.journals, self.packages, self.environments, self.jobs):
                folder.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise HomeUnusable(
                f"cannot use the folder {self.root}: {error}. Name a writable one with --home."
            ) from error
        with lock:
            if not _lock(lock):
                raise HomeUnusable(f"another runner works in {self.root}. Give each robot its own folder with --home.")
            self._remove_leftovers()
            yield

    def _remove_leftovers(self) -> None:
        for workspace in self.jobs.iterdir():
            end_orphan(workspace)
        shutil.rmtree(self.jobs, ignore_errors=True)
        self.jobs.mkdir(exist_ok=True, mode=0o700)
        for folder in (self.outbox, self.journals, self.packages, self.environments):
            for path in folder.glob(".*"):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _lock(file: IO[bytes]) -> bool:
    """Takes the file's lock, False when it is taken. The system releases it when the process ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
