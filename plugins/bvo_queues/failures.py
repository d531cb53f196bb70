"""Failed items by what went wrong: messages that differ only in numbers, names in quotes and the like are one group."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import select
from werkzeug.exceptions import NotFound

from bvo import registry
from bvo.database import db, transaction

from . import states
from .models import QueueItem
from .service import QueueItemService

LOOKED_AT = 2000
"""The latest failed items that are grouped."""
AT_ONCE = 500
"""So many are tried again at one press of the button: each is a change with its event."""

VARIABLE = (
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "…"),
    (re.compile(r"0x[0-9a-fA-F]+|\b(?=\w*\d)[0-9a-fA-F]{12,}\b"), "…"),
    (re.compile(r"'[^']{1,200}'|\"[^\"]{1,200}\""), "“…”"),
    (re.compile(r"\d+(?:[.,:]\d+)*"), "…"),
)


@dataclass
class Group:
    """Items that failed for one reason: its words without what varies, and the ids, the newest first."""

    fingerprint: str
    words: str
    kind: str
    ids: list[int] = field(default_factory=list)


def words_of(message: str) -> str:
    """The first line of a message, without what varies from item to item."""
    text = next((line.strip() for line in message.splitlines() if line.strip()), "")[:500]
    for pattern, stand_in in VARIABLE:
        text = pattern.sub(stand_in, text)
    return text or "No reason was given"


def groups(queue_id: int) -> list[Group]:
    """The groups of the latest failed items, the largest first."""
    failed = (QueueItem.queue_id == queue_id, QueueItem.status == states.FAILED)
    columns = (QueueItem.id, QueueItem.error_message, QueueItem.error_code, QueueItem.failure_kind)
    found: dict[str, Group] = {}
    for row in db.session.execute(select(*columns).where(*failed).order_by(QueueItem.id.desc()).limit(LOOKED_AT)):
        words = words_of(row.error_message or row.error_code or "")
        kind = row.failure_kind or ""
        fingerprint = hashlib.sha256(f"{kind}\n{words}".encode()).hexdigest()[:16]
        found.setdefault(fingerprint, Group(fingerprint, words, kind)).ids.append(row.id)
    return sorted(found.values(), key=lambda group: -len(group.ids))


def retry(queue_id: int, fingerprint: str) -> Sequence[int]:
    """Try the items of one group again, all or none of them; the oldest AT_ONCE where they are more.

    Raises NotFound where no item is left that failed so.
    """
    with transaction():
        group = next((one for one in groups(queue_id) if one.fingerprint == fingerprint), None)
        if group is None:
            raise NotFound("No item of this queue has failed so any more. Somebody else may have tried them again.")
        ids = group.ids[::-1][:AT_ONCE]
        for item_id in ids:
            registry.current().service(QueueItemService).retry(item_id)
        return ids
