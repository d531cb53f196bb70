"""API tokens: what programs show instead of a password, with permissions of their own and an end."""

from __future__ import annotations

from collections.abc import Iterable

from bvo_hookspecs import AuthProvider, DetailPanel, EntityType, PluginInfo, hookimpl


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="tokens", summary="API tokens of service accounts and people", requires=("access",))


@hookimpl
def entity_types() -> Iterable[EntityType]:
    from .entities import API_TOKEN

    return [API_TOKEN]


@hookimpl
def auth_providers() -> Iterable[AuthProvider]:
    from .authentication import authenticate

    return [AuthProvider(name="api_token", authenticate=authenticate)]


@hookimpl
def detail_panels() -> Iterable[DetailPanel]:
    from .panels import PANELS

    return PANELS
