"""`/api/settings`."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from marshmallow import INCLUDE, Schema

from bvo import settings
from bvo.access import requires

from . import service

blueprint = Blueprint("settings", __name__, url_prefix="/api/settings", description="Settings")


class ValuesIn(Schema):
    """Values by name; the service checks them, as it knows the group."""

    class Meta:
        unknown = INCLUDE


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
@blueprint.arguments(ValuesIn)
@blueprint.response(200)
def update_group(values: dict[str, Any], group: str) -> dict[str, Any]:
    """Change some values of a group; those that are left out stay"""
    return service.update(group, values)
