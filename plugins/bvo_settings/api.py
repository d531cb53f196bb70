"""`/api/settings`."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_smorest import Blueprint
from werkzeug.exceptions import UnprocessableEntity

from bvo import settings
from bvo.access import requires

from . import service

blueprint = Blueprint("settings", __name__, url_prefix="/api/settings", description="Settings")


@blueprint.get("")
@requires("settings:view")
@blueprint.response(200)
def every_group() -> dict[str, Any]:
    """Every group with its values"""
    return {group: settings.read(group) for group in settings.groups()}


@blueprint.get("/<group>")
@requires("settings:view")
@blueprint.response(200)
def one_group(group: str) -> dict[str, Any]:
    """The values of one group"""
    return settings.read(group)


@blueprint.put("/<group>")
@requires("settings:edit")
@blueprint.response(200)
def update_group(group: str) -> dict[str, Any]:
    """Change some values of a group; those that are left out stay"""
    values = request.get_json()
    if not isinstance(values, dict):
        raise UnprocessableEntity("Send a JSON object with the keys to change.")
    return service.update(group, values)
