"""Random tokens: robot tokens, machine keys, leases. The database holds only their digests."""

from __future__ import annotations

import hashlib
import secrets


def new(prefix: str) -> str:
    """A token of 256 random bits. The prefix tells people and secret scanners what it opens."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def digest(token: str) -> str:
    """What is stored of a token: its SHA-256 in hex. A slow hash would add nothing to 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()
