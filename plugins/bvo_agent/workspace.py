"""The folder of one job attempt, made before it and removed after it."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bvo_agent.files import remove_tree
from bvo_agent.protocol import Job


@dataclass(frozen=True)
class Workspace:
    root: Path

    @property
    def package(self) -> Path:
        return self.root / "package"

    @property
    def artifacts(self) -> Path:
        return self.root / "artifacts"

    @property
    def library(self) -> Path:
        """Holds `bvo_job` and nothing else: a script must not see what is installed beside the runner."""
        return self.root / "lib"

    @property
    def parameters_file(self) -> Path:
        return self.root / "parameters.json"

    @property
    def result_file(self) -> Path:
        return self.root / "result.json"

    @property
    def progress_file(self) -> Path:
        return self.root / "progress.json"

    @property
    def channel_file(self) -> Path:
        return self.root / "channel.json"


@contextmanager
def workspace_for(job: Job, jobs: Path) -> Iterator[Workspace]:
    workspace = Workspace(jobs / f"{job.id}-{job.attempt}")
    if workspace.root.exists():
        remove_tree(workspace.root)
    try:
        for folder in (workspace.root, workspace.package, workspace.artifacts, workspace.library):
            folder.mkdir(mode=0o700)
        shutil.copytree(_bvo_job(), workspace.library / "bvo_job", ignore=shutil.ignore_patterns("__pycache__"))
        workspace.parameters_file.write_text(json.dumps(job.parameters), encoding="utf-8")
        yield workspace
    finally:
        remove_tree(workspace.root)


def _bvo_job() -> Path:
    specification = importlib.util.find_spec("bvo_job")
    if specification is None or specification.origin is None:
        raise FileNotFoundError("the package bvo_job is not installed beside the runner")
    return Path(specification.origin).parent
