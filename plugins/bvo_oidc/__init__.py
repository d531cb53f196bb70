"""Sign in with accounts of an OpenID Connect provider, where `BVO_OIDC_ISSUER` names one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import AuthProvider, CliCommand, EventType, PluginInfo, hookimpl

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="oidc", summary="Login by an OpenID Connect provider", requires=("access", "settings"))


@hookimpl
def auth_providers() -> Iterable[AuthProvider]:
    from . import configuration

    found = configuration.load()
    return [AuthProvider(name="oidc", login_page="/ui/oidc/login", label=found.label)] if found else []


@hookimpl
def event_types() -> Iterable[EventType]:
    from .models import EVENT_TYPES

    return EVENT_TYPES


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from . import configuration

    if (found := configuration.load()) is None:
        return []
    from . import pages

    return [pages.build(found)]


@hookimpl
def cli_commands() -> Iterable[CliCommand]:
    from bvo.config import environment

    if not environment.text("BVO_OIDC_ISSUER"):
        return []
    return [CliCommand(name="oidc", target="bvo_oidc.commands:oidc", help="Link users to their OIDC accounts.")]
