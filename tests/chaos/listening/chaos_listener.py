"""A plugin that writes down each event that it is told of. It fails at the first try of one in thirty, in any process.

More often it may not: what fails again and again, in processes that were killed meanwhile, is tried later and later.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

from bvo_hookspecs import Event, PluginInfo, WebhookEmitter, hookimpl

ONE_IN = 30


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="chaos_listener", summary="Writes down what it is told")


@hookimpl
def webhook_emitters() -> Iterable[WebhookEmitter]:
    return [WebhookEmitter(name="listener", deliver=deliver)]


def deliver(event: Event) -> None:
    if int(event.id[-4:], 16) % ONE_IN == 0 and _is_first_try(event):
        raise ConnectionError("the listener fails at the first try")
    line = json.dumps({"id": event.id, "about": [event.entity_type, event.entity_id]}) + "\n"
    file = os.open(os.environ["CHAOS_TOLD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _is_first_try(event: Event) -> bool:
    try:
        Path(f"{os.environ['CHAOS_TOLD']}.{event.id}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
