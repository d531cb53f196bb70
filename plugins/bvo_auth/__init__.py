"""Login with a password, and the tokens of a session."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import (
    AuthProvider,
    CliCommand,
    DetailPanel,
    EntityType,
    EventType,
    PluginInfo,
    WebhookEmitter,
    hookimpl,
)

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="auth", summary="Password login and session tokens", requires=("access",))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import SESSION

    return [SESSION]


@hookimpl
def event_types() -> Iterable[EventType]:
    from .entities import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def auth_providers() -> Iterable[AuthProvider]:
    from bvo_access.service import check_password

    from .service import authenticate_session

    return [
        AuthProvider(name="password", login=check_password),
        AuthProvider(name="session", authenticate=authenticate_session),
    ]


@hookimpl
def cli_commands() -> Iterable[CliCommand]:
    return [
        CliCommand(
            name="reset-link",
            target="bvo_auth.commands:reset_link",
            help="Print a link by which a user chooses a new password.",
        )
    ]


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from . import pages, profile
    from .api import blueprint

    return [blueprint, pages.pages, profile.pages]


@hookimpl
def webhook_emitters() -> Iterable[WebhookEmitter]:
    from .reset_mail import accepts, deliver

    return [WebhookEmitter(name="reset_mail", deliver=deliver, accepts=accepts)]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS
