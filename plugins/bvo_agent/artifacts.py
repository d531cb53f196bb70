"""Sends the files that a script left in its artifacts folder."""

from __future__ import annotations

import io
import logging
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bvo_agent.client import Client
from bvo_agent.errors import Refused, Unavailable
from bvo_agent.lease import Watch
from bvo_agent.masking import Masks
from bvo_agent.protocol import Job
from bvo_agent.retry import retrying

logger = logging.getLogger(__name__)
LIMIT_BYTES = 100 * 1024 * 1024
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class ArtifactUpload:
    client: Client
    job: Job
    watch: Watch
    masks: Masks

    def send(self, folder: Path) -> None:
        """Sends every file once, as it is: only its name is masked. One that cannot be sent is logged and left out."""
        for path in sorted(files_in(folder)):
            name = self.masks.text(path.relative_to(folder).as_posix())
            try:
                self._send_one(path, name)
            except Refused as error:
                if error.status == 404:
                    logger.info("job %s: artifacts are not sent: this server keeps none", self.job.id)
                    return
                logger.warning("job %s: artifact %s refused: %s", self.job.id, name, error)
            except (Unavailable, OSError) as error:
                logger.warning("job %s: artifact %s not sent: %s", self.job.id, name, self.masks.text(str(error)))

    def _send_one(self, path: Path, name: str) -> None:
        size = path.stat().st_size
        if size > LIMIT_BYTES:
            logger.warning("job %s: artifact %s not sent: %d bytes, over 100 MiB", self.job.id, name, size)
            return
        retrying(lambda: self._post(path, name), self.watch.shutdown.wait, PATIENCE_SECONDS, self._give_up)

    def _post(self, path: Path, name: str) -> None:
        with path.open("rb") as file:
            form = FileForm(file, name)
            headers = {**self.job.lease_headers, "Content-Type": form.content_type}
            self.client.upload(f"/api/runner/jobs/{self.job.id}/artifacts", form, headers)

    def _give_up(self) -> bool:
        return self.watch.unreported or self.watch.shutdown.requested


def files_in(folder: Path) -> Iterator[Path]:
    """The regular files below a folder; links are left out, as they may lead anywhere."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            if path.is_file() and not path.is_symlink():
                yield path


class FileForm:
    """A multipart/form-data body whose file is read while it is sent; requests would hold it in memory."""

    def __init__(self, file: io.BufferedReader, name: str) -> None:
        boundary = uuid.uuid4().hex
        self.content_type = f"multipart/form-data; boundary={boundary}"
        quoted = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        tail = f"\r\n--{boundary}--\r\n"
        self._size = os.fstat(file.fileno()).st_size
        self._parts = [io.BytesIO(head.encode("utf-8", "replace")), file, io.BytesIO(tail.encode())]
        self._length = sum(len(part.getbuffer()) for part in self._parts if isinstance(part, io.BytesIO)) + self._size

    def __len__(self) -> int:
        return self._length

    def read(self, size: int = -1) -> bytes:
        while self._parts:
            if data := self._parts[0].read(size):
                return data
            self._parts.pop(0)
        return b""
