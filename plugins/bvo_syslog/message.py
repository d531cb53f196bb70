"""An event as a message of RFC 5424, and as a frame of RFC 5425 and RFC 6587."""

from __future__ import annotations

import re
import socket
from typing import Any

from bvo import __version__, event_json
from bvo_hookspecs import Event

MAX_BYTES = 8192
"""RFC 5425: what every receiver should take. Many cut or split what is longer, and it is JSON no more."""
LOG_AUDIT = 13
INFORMATIONAL, WARNING = 6, 4
REFUSALS = ("denied", "login_failed")
APP_NAME = "bv-orchestrator"
ORIGIN = f'[origin software="{APP_NAME}" swVersion="{__version__}"]'
"""Registered by the RFC itself. What is told of the event is in the message: an element of our own would need an
enterprise number of our own."""


def frame(event: Event) -> bytes:
    """The message, behind its length."""
    message = _message(event)
    return b"%d %b" % (len(message), message)


def _message(event: Event) -> bytes:
    """ASCII alone: UTF-8 would need a byte order mark ahead of the JSON, which few readers of JSON take."""
    told = event_json.told(event)
    priority = LOG_AUDIT * 8 + (WARNING if event.action_type in REFUSALS else INFORMATIONAL)
    host, kind = _name(socket.gethostname(), 255), _name(event.type, 32)
    head = f"<{priority}>1 {told['occurred_at']} {host} {APP_NAME} - {kind} {ORIGIN} "
    return (head + _short(told, MAX_BYTES - len(head))).encode("ascii")


def _short(told: dict[str, Any], size: int) -> str:
    """The fields, of which the largest are null where it would be too long; `omitted` names those."""
    omitted: list[str] = []
    fields = told | {"omitted": omitted}
    while len(text := event_json.line(fields, ascii_only=True)) > size:
        largest = max(told, key=lambda name: len(event_json.line({name: fields[name]}, ascii_only=True)))
        fields[largest] = None
        omitted.append(largest)
    return text


def _name(text: str, size: int) -> str:
    """As a part of the head: visible ASCII, with `_` for anything else."""
    return re.sub("[^!-~]", "_", text)[:size] or "-"
