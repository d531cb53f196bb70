"""Public holidays: an entity type, an emitter, a dashboard card and a command."""

from __future__ import annotations

from collections.abc import Iterable

from bvo_hookspecs import CliCommand, DashboardCard, EntityType, PluginInfo, WebhookEmitter, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="holidays", summary="Public holidays", requires=("access",))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import HOLIDAY

    return [HOLIDAY]


@hookimpl
def webhook_emitters() -> Iterable[WebhookEmitter]:
    from .emitter import accepts, deliver

    return [WebhookEmitter(name="holidays_file", deliver=deliver, accepts=accepts)]


@hookimpl
def dashboard_cards() -> Iterable[DashboardCard]:
    from .service import upcoming

    return [
        DashboardCard(
            name="next_holidays",
            title="Next holidays",
            template="bvo_holidays/next_card.html",
            context=upcoming,
            permission="holidays:view",
        )
    ]


@hookimpl
def cli_commands() -> Iterable[CliCommand]:
    return [CliCommand(name="holidays", target="bvo_holidays.commands:holidays", help="Import public holidays.")]
