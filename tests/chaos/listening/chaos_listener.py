"""A plugin that writes down each event that it is told of."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence

from bvo_hookspecs import Event, PluginInfo, WebhookEmitter, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="chaos_listener", summary="Writes down what it is told")


@hookimpl
def webhook_emitters() -> Iterable[WebhookEmitter]:
    return [WebhookEmitter(name="listener", deliver=deliver, batch_size=10)]


def deliver(events: Sequence[Event]) -> None:
    lines = "".join(json.dumps({"id": event.id}) + "\n" for event in events)
    file = os.open(os.environ["CHAOS_TOLD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, lines.encode())
    finally:
        os.close(file)
