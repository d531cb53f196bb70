"""A plugin that lets no test wait for days: what was not taken is sent again soon, and leases are short."""

from __future__ import annotations

from datetime import timedelta

from bvo import delivery
from bvo_hookspecs import PluginInfo, hookimpl
from bvo_webhooks import deliveries, outcomes

outcomes.SCHEDULE = (timedelta(seconds=0.3),) * 1000
outcomes.FIRST_PAUSE_SECONDS = 0
deliveries.LEASE = delivery.LEASE = timedelta(seconds=2)


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="hurry", summary="Sends again soon", requires=("webhooks",))
