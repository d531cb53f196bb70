"""Events to a Redis stream, where `BVO_REDIS_STREAM_URL` names a server."""

from __future__ import annotations

from collections.abc import Iterable

from bvo_hookspecs import PluginInfo, WebhookEmitter, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="redis", summary="Events to a Redis stream (`BVO_REDIS_STREAM_URL`)", requires=("events",))


@hookimpl
def webhook_emitters() -> Iterable[WebhookEmitter]:
    from .configuration import configured

    return configured()
