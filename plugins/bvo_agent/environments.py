"""Environments for scripts: built once with uv for what a package asks for, then found by its hash."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bvo_agent import dependencies
from bvo_agent.dependencies import Dependencies
from bvo_agent.errors import JobFailed
from bvo_agent.files import keep_newest, remove_tree
from bvo_agent.home import Home
from bvo_agent.lease import Watch
from bvo_agent.protocol import Job
from bvo_agent.uv_tool import Uv, UvFailed, base_python

logger = logging.getLogger(__name__)
FORMAT = 1
KEPT = 20


@dataclass(frozen=True)
class Environment:
    root: Path

    @property
    def scripts(self) -> Path:
        return self.root / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def python(self) -> Path:
        return self.scripts / ("python.exe" if sys.platform == "win32" else "python")


@dataclass(frozen=True)
class EnvironmentCache:
    """The modification time of an environment's folder is its last use."""

    home: Home

    def get(self, job: Job, package: Path, script: Path, package_sha256: str, watch: Watch) -> Environment:
        """This script's environment, built where it is not cached.

        Raises JobFailed or JobInterrupted.
        """
        started = time.monotonic()
        needed = dependencies.find(package, script)
        environment = Environment(self.home.environments / _key(needed, package_sha256))
        what = needed.source.name if needed.source else "no dependencies"
        # This follows the link: False once the Python that the environment was made from is gone.
        if environment.python.exists():
            os.utime(environment.root)
            logger.info("job %s: environment for %s is cached", job.id, what)
            return environment
        logger.info("job %s: building environment for %s", job.id, what)
        self._build(job, needed, environment, watch)
        logger.info("job %s: environment built in %.1f s", job.id, time.monotonic() - started)
        return environment

    def _build(self, job: Job, needed: Dependencies, target: Environment, watch: Watch) -> None:
        with tempfile.TemporaryDirectory(
            prefix=".build-", dir=self.home.environments, ignore_cleanup_errors=True
        ) as name:
            folder = Path(name)
            uv = Uv(self.home.root / "uv-cache", folder, watch)
            try:
                _install(uv, needed, Environment(folder / "environment"))
            except UvFailed as error:
                raise JobFailed(_advice(job, needed, error)) from error
            if target.root.exists():
                remove_tree(target.root)
            (folder / "environment").replace(target.root)
        keep_newest(self.home.environments, KEPT)


def _install(uv: Uv, needed: Dependencies, environment: Environment) -> None:
    python = needed.requires_python or str(base_python())
    # Relocatable: it is built beside its place and moved there when it is complete.
    uv.run("venv", "--relocatable", "--no-project", "--no-config", "--python", python, str(environment.root))
    if needed.source is None:
        return
    offline = ["--no-index", "--find-links", str(needed.wheels)] if needed.wheels else []
    source = needed.source
    if source.name == "uv.lock":
        source = environment.root / "requirements.txt"
        project = ["--project", str(needed.source.parent), "--python", str(environment.python)]
        uv.run(
            "export",
            "--frozen",
            "--no-dev",
            "--no-emit-project",
            *project,
            *offline,
            "--output-file",
            str(source),
        )
    install = ["pip", "install", "--python", str(environment.python), "--no-editable", *offline]
    uv.run(*install, "--directory", str(needed.source.parent), "--requirements", str(source))


def _key(needed: Dependencies, package_sha256: str) -> str:
    parts = {
        "format": FORMAT,
        "source": needed.source.name if needed.source else None,
        "text": needed.text,
        "requires_python": needed.requires_python,
        "wheels": needed.wheel_digests(),
        "package": package_sha256 if needed.uses_local_files else None,
        "python": [
            sys.implementation.name,
            platform.python_version(),
            platform.platform(),
            str(base_python()),
        ],
    }
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _advice(job: Job, needed: Dependencies, error: UvFailed) -> str:
    if needed.source is None:
        return f"no environment could be made for package {job.package_name}: {error}"
    place = f"{needed.source.name} of package {job.package_name}"
    wheels = " (it brings its own wheels/ folder, so no package index is asked)" if needed.wheels else ""
    return f"the environment could not be built: {error}\nCheck {place}{wheels}."
