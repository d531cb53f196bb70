"""Secrets at rest: AES-256-GCM under a key that is kept outside the database, each bound to its row.

A stored secret is `v1:<key id>:<nonce and ciphertext>`. The place (`assets.secret:17`) is authenticated with it: a
ciphertext that is moved to another row does not decrypt. Keys come from `BVO_ENCRYPTION_KEY` (several, with commas:
the first encrypts, all decrypt), else from a file in the data folder that is made at the first start.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from flask import Flask, current_app
from sqlalchemy import func, inspect, select, tuple_
from sqlalchemy.orm import object_mapper

from bvo_hookspecs import EncryptedColumn

from . import events, registry
from .config import Config
from .database import db, transaction
from .errors import StartupError

NONCE_BYTES = 12
KEY_BYTES = 32
BATCH = 500


class Undecryptable(Exception):
    """A stored secret can't be read: its key is gone, or it was moved or changed."""


@dataclass(frozen=True)
class Keyring:
    """Keys by id; `current` encrypts."""

    keys: dict[str, AESGCM]
    current: str

    def encrypt(self, plain: str, place: str) -> str:
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + self.keys[self.current].encrypt(nonce, plain.encode(), place.encode())
        return f"v1:{self.current}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, stored: str, place: str) -> str:
        """The plain text. Raises Undecryptable."""
        version, _, rest = stored.partition(":")
        key_id, _, encoded = rest.partition(":")
        if version != "v1" or key_id not in self.keys:
            raise Undecryptable(f"the secret of {place} was encrypted with a key that is not here")
        sealed = base64.b64decode(encoded)
        try:
            return self.keys[key_id].decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode()).decode()
        except InvalidTag:
            raise Undecryptable(f"the secret of {place} was changed, or belongs to another row") from None

    def is_current(self, stored: str) -> bool:
        return stored.startswith(f"v1:{self.current}:")


def init_app(app: Flask, config: Config, columns: Iterable[EncryptedColumn]) -> None:
    """Read the keys. `columns` are the core's own, beside those of the plugins."""
    app.extensions["bvo_keyring"] = keyring(config.encryption_keys)
    app.extensions["bvo_encrypted_columns"] = tuple(columns)


def keyring(keys: tuple[str, ...]) -> Keyring:
    """Raises StartupError for a key that is not 32 bytes in URL-safe base64."""
    decoded = [_decoded(key) for key in keys]
    named = {hashlib.sha256(key).hexdigest()[:8]: AESGCM(key) for key in decoded}
    return Keyring(named, next(iter(named)))


def current() -> Keyring:
    """The keys of the running app."""
    return cast(Keyring, current_app.extensions["bvo_keyring"])


def place(row: Any, column: str) -> str:
    """Where a secret stands, by the row's primary key: `assets.secret:17`, `settings.secret:email.smtp_password`."""
    key = object_mapper(row).primary_key_from_instance(row)
    return f"{row.__tablename__}.{column}:{'.'.join(map(str, key))}"


def count() -> int:
    """How many secrets are stored."""
    columns = [getattr(record.model, record.column) for record in _columns()]
    return sum(db.session.scalar(select(func.count(column))) or 0 for column in columns)


def rotate(progress: Callable[[int], None]) -> int:
    """Encrypt every secret anew that is not under the current key; returns how many. Safe to stop and repeat."""
    changed = sum(_rotate_column(record, progress) for record in _columns())
    if changed:
        events.record(
            type="secrets.rotated",
            entity_type="secrets",
            entity_label="Secrets",
            entity_id="",
            entity_name="secrets",
            message=f"{changed} secrets were encrypted anew, under the current key.",
        )
    return changed


def _columns() -> list[EncryptedColumn]:
    return [*current_app.extensions["bvo_encrypted_columns"], *registry.current().of(EncryptedColumn).values()]


def _rotate_column(record: EncryptedColumn, progress: Callable[[int], None]) -> int:
    keys, changed = current(), 0
    mapper = inspect(record.model)
    query = select(record.model).where(getattr(record.model, record.column).is_not(None))
    query = query.order_by(*mapper.primary_key).limit(BATCH).with_for_update(of=record.model)
    following = query
    while True:
        with transaction() as session:
            rows = session.scalars(following).all()
            for row in rows:
                stored, where = getattr(row, record.column), place(row, record.column)
                if not keys.is_current(stored):
                    setattr(row, record.column, keys.encrypt(keys.decrypt(stored, where), where))
                    changed += 1
        if not rows:
            return changed
        following = query.where(tuple_(*mapper.primary_key) > mapper.primary_key_from_instance(rows[-1]))
        progress(len(rows))


def _decoded(key: str) -> bytes:
    try:
        decoded = base64.urlsafe_b64decode(key + "=" * (-len(key) % 4))
    except ValueError:
        decoded = b""
    if len(decoded) != KEY_BYTES:
        raise StartupError(
            "BVO_ENCRYPTION_KEY must be 32 bytes in URL-safe base64. Make one with"
            " `python -c 'import secrets; print(secrets.token_urlsafe(32))'`."
        )
    return decoded
