"""The key of this installation, by which others see where an export comes from."""

from __future__ import annotations

import base64
from contextlib import suppress

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.exc import IntegrityError

from bvo import secrets
from bvo.database import db, transaction

from .models import AuditKey

ID = 1


def key() -> Ed25519PrivateKey:
    """The key, made when it is used first. Raises bvo.secrets.Undecryptable."""
    if db.session.get(AuditKey, ID) is None:
        with suppress(IntegrityError), transaction() as session:  # another process may do it at the same time
            session.add(_made())
    stored = db.session.get_one(AuditKey, ID)
    private = secrets.current().decrypt(stored.private_key, secrets.place(stored, "private_key"))
    return Ed25519PrivateKey.from_private_bytes(base64.b64decode(private))


def public(key: Ed25519PrivateKey) -> str:
    """The half that others may know: 32 bytes in base64."""
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def sign(key: Ed25519PrivateKey, digest: bytes) -> str:
    return base64.b64encode(key.sign(digest)).decode()


def is_signed(public: str, signature: str, digest: bytes) -> bool:
    """Raises ValueError for what is no key or no signature at all."""
    try:
        parse(public).verify(base64.b64decode(signature, validate=True), digest)
    except InvalidSignature:
        return False
    return True


def parse(public: str) -> Ed25519PublicKey:
    """Raises ValueError for what is no public key."""
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(public, validate=True))


def _made() -> AuditKey:
    new = Ed25519PrivateKey.generate()
    made = AuditKey(id=ID, public_key=public(new))
    private = base64.b64encode(new.private_bytes_raw()).decode()
    made.private_key = secrets.current().encrypt(private, secrets.place(made, "private_key"))
    return made
