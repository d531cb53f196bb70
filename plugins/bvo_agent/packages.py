"""Downloads packages once and keeps them by their digest."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bvo_agent.client import Client
from bvo_agent.errors import JobFailed, Refused, Unavailable
from bvo_agent.files import keep_newest
from bvo_agent.lease import Watch
from bvo_agent.protocol import Job
from bvo_agent.retry import retrying

logger = logging.getLogger(__name__)
KEPT = 20
PATIENCE_SECONDS = 300.0
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Package:
    path: Path
    sha256: str


@dataclass(frozen=True)
class PackageCache:
    client: Client
    folder: Path

    def fetch(self, job: Job, watch: Watch) -> Package:
        """The job's package as a file, downloaded where it is not cached. Raises JobFailed."""
        expected = (job.package_sha256 or "").lower()
        cached = self.folder / f"{expected}.zip"
        if SHA256.fullmatch(expected) and cached.exists():
            os.utime(cached)
            return Package(cached, expected)
        try:
            return retrying(
                lambda: self._download(job, expected),
                watch.shutdown.wait,
                PATIENCE_SECONDS,
                lambda: watch.reason() is not None,
            )
        except (Refused, Unavailable) as error:
            raise JobFailed(f"package {job.package_name} could not be downloaded: {error}") from error

    def _download(self, job: Job, expected: str) -> Package:
        descriptor, name = tempfile.mkstemp(prefix=".download-", dir=self.folder)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                actual = self._receive(job, file)
            if expected and actual != expected:
                raise JobFailed(
                    f"package {job.package_name} was damaged on its way: "
                    f"sha256 is {actual}, the server announced {expected}. "
                    f"Run the job again; if this stays, upload the package again."
                )
            path = self.folder / f"{actual}.zip"
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        keep_newest(self.folder, KEPT)
        logger.info("job %s: downloaded package %s (%d bytes)", job.id, job.package_name, path.stat().st_size)
        return Package(path, actual)

    def _receive(self, job: Job, file: BinaryIO) -> str:
        digest = hashlib.sha256()
        with self.client.download(f"/api/packages/{job.package_id}/download") as blocks:
            for block in blocks:
                digest.update(block)
                file.write(block)
        return digest.hexdigest()
