"""What a job leaves while it runs: its log, its progress, its artifacts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from sqlalchemy import select
from werkzeug.exceptions import RequestEntityTooLarge

from bvo import settings, stores
from bvo.database import db, transaction

from . import states
from .models import Artifact, Job, LogChunk, store_key

PAGE = 500
"""Chunks of a log that one answer holds at most; the robot makes them 64 kB at most, and mostly far smaller."""
MAX_ANSWER_CHARACTERS = 1_000_000
TAIL_CHUNKS, TAIL_CHARACTERS = 50, 100_000


def append_log(job: Job, sequence: int, text: str, progress: Mapping[str, Any] | None) -> None:
    """Keep a numbered piece of the log. One that is there already, or beyond the limit, is left out.

    Call it in the transaction that has locked the job: else a job that ends meanwhile would be written to.
    """
    if text and _has_piece(job, sequence):
        return  # the robot sent this piece before, and did not hear that it arrived
    if progress is not None:
        job.progress = dict(progress)
    if text and job.log_characters < settings.get("jobs.log_max_kilobytes") * 1000:
        db.session.add(LogChunk(job_id=job.id, attempt=job.attempt, sequence=sequence, text=text))
        job.log_characters += len(text)


def read_log(job: Job, after: int) -> dict[str, Any]:
    """The log behind the position `after`, as much as one answer holds."""
    query = select(LogChunk.sequence, LogChunk.text).filter_by(job_id=job.id, attempt=job.attempt)
    pieces, characters, last = [], 0, after
    for sequence, text in db.session.execute(
        query.where(LogChunk.sequence > after).order_by(LogChunk.sequence).limit(PAGE)
    ):
        if characters > MAX_ANSWER_CHARACTERS:
            break
        pieces.append(text)
        characters, last = characters + len(text), sequence
    return {"text": "".join(pieces), "next": last, "finished": states.is_final(job.status) and not pieces}


def tail(job: Job) -> str:
    """The end of the log, as much as a page shows."""
    query = select(LogChunk.text).filter_by(job_id=job.id, attempt=job.attempt)
    latest = list(db.session.scalars(query.order_by(LogChunk.sequence.desc()).limit(TAIL_CHUNKS)))
    return "".join(reversed(latest))[-TAIL_CHARACTERS:]


def keep_artifact(job_id: int, hold: Callable[[], Job], name: str, source: BinaryIO) -> Artifact:
    """Keep a file of the job; the same name again replaces it. Raises RequestEntityTooLarge.

    `hold` locks the job, or raises where the robot has lost it by now: the file may have taken long to arrive.
    """
    sha256, size = _measure(source)
    with transaction():
        hold()
    stores.current().put(store_key(job_id, sha256), source)
    with transaction() as session:
        job = hold()
        artifact = _existing(job, name) or Artifact(job_id=job.id, attempt=job.attempt, name=name)
        replaced, artifact.sha256, artifact.size_bytes = artifact.sha256, sha256, size
        session.add(artifact)
    if replaced and replaced != sha256:
        _forget_unused(job_id, replaced)
    return artifact


def artifacts(job: Job) -> list[Artifact]:
    """The files of the job, by name."""
    return list(db.session.scalars(select(Artifact).filter_by(job_id=job.id).order_by(Artifact.name).limit(1000)))


def _has_piece(job: Job, sequence: int) -> bool:
    query = select(LogChunk.id).filter_by(job_id=job.id, attempt=job.attempt, sequence=sequence)
    return db.session.scalar(query) is not None


def _existing(job: Job, name: str) -> Artifact | None:
    query = select(Artifact).filter_by(job_id=job.id, attempt=job.attempt, name=name)
    return db.session.scalars(query).one_or_none()


def _forget_unused(job_id: int, sha256: str) -> None:
    """Remove the file unless another artifact of the job has the same content."""
    if db.session.scalar(select(Artifact.id).filter_by(job_id=job_id, sha256=sha256).limit(1)) is None:
        stores.current().delete(store_key(job_id, sha256))


def _measure(source: BinaryIO) -> tuple[str, int]:
    limit = settings.get("jobs.artifact_max_megabytes") * 1_000_000
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(1024 * 1024):
        digest.update(chunk)
        size += len(chunk)
        if size > limit:
            raise RequestEntityTooLarge(
                f"An artifact may have {limit // 1_000_000} MB at most (jobs.artifact_max_megabytes)."
            )
    source.seek(0)
    return digest.hexdigest(), size
