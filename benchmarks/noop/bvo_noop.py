"""A plugin with one view that does nothing: what a request costs before anything is done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from bvo_hookspecs import PluginInfo, hookimpl

if TYPE_CHECKING:
    from flask import Blueprint


@hookimpl
def plugin_info() -> PluginInfo:
    return PluginInfo(name="noop", summary="A view that does nothing, for benchmarks")


@hookimpl
def blueprints() -> Iterable[Blueprint]:
    from flask import Blueprint, request

    from bvo.access import public

    blueprint = Blueprint("noop", __name__)

    @blueprint.post("/api/noop")
    @public
    def noop() -> dict[str, str]:
        request.get_json()
        return {"status": "ok"}

    return [blueprint]
