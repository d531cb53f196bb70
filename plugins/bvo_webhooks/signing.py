"""Signatures as Standard Webhooks 1.0 has them: HMAC-SHA256 over id, time and body, one for each active secret."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime
from secrets import token_bytes

PREFIX = "whsec_"


def new_secret() -> str:
    """A random secret of 256 bits, as receivers' libraries take it."""
    return PREFIX + base64.b64encode(token_bytes(32)).decode()


def headers(message_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """What a receiver checks the body with. While secrets rotate there are several: one of them has to fit.

    `at` is the time of this attempt, `message_id` the same in all attempts. Raises ValueError, which holds no secret.
    """
    if not message_id or "." in message_id:
        raise ValueError("A message's id must not be empty or have full stops: what is signed would be ambiguous.")
    if not secrets:
        raise ValueError("A message needs at least one secret to be signed with.")
    timestamp = str(int(at.timestamp()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(_key(secret), signed, "sha256")).decode()


def _key(secret: str) -> bytes:
    encoded = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:
        key = b""
    if not 24 <= len(key) <= 64:
        raise ValueError(f"A webhook's secret must be {PREFIX} and 24 to 64 bytes in base64.")
    return key
