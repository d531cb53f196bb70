"""Passwords are hashed with Argon2id, at the library's recommended cost."""

from __future__ import annotations

from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()

COMMON = frozenset(
    """
    password passw0rd password1 password12 password123 12345678 123456789 1234567890 11111111 00000000 88888888
    qwertyui qwertyuiop qwerty123 iloveyou letmein1 welcome1 welcome123 admin123 admin1234 administrator changeme
    changeme1 football baseball sunshine princess trustno1 abc12345 abcd1234 superman starwars computer internet
    """.split()  # noqa: SIM905 - a list of quoted words would be harder to read
)
"""What everybody tries first."""


def hashed(password: str) -> str:
    return _hasher.hash(password)


def matches(password: str, stored: str | None) -> bool:
    """True where the password is right. Takes as long for a user who has none or does not exist (`stored` is None)."""
    try:
        return _hasher.verify(stored or _nobodys(), password) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return hashed("nobody has this password")
