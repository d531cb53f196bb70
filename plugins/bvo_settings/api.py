"""`/api/settings`."""

from __future__ import annotations

from typing import Any

from flask import jsonify
from flask_smorest import Blueprint
from werkzeug.wrappers import Response

from bvo import settings
from bvo.access import requires

from . import description, service
from .schemas import MailTestIn, OkOut, ValuesIn

blueprint = Blueprint("settings", __name__, url_prefix="/api/settings", description="Settings")
descriptions = Blueprint("settings_schema", __name__, url_prefix="/api", description="What settings there are")
blueprint.record_once(description.add_to_openapi)

GROUP = {"in": "path", "name": "group", "example": "general"}


@blueprint.get("")
@requires("settings:view")
@blueprint.response(200)
@blueprint.doc(responses={"200": description.EVERY_GROUP})
def every_group() -> dict[str, Any]:
    """Every group with its values"""
    return {group: settings.read(group) for group in settings.groups()}


@blueprint.get("/<group>", parameters=[GROUP])
@requires("settings:view")
@blueprint.response(200)
@blueprint.doc(responses={"200": description.GROUP})
def one_group(group: str) -> dict[str, Any]:
    """The values of one group"""
    return settings.read(group)


@blueprint.put("/<group>", parameters=[GROUP])
@requires("settings:edit")
@blueprint.arguments(ValuesIn, example={"instance_name": "Invoices"})
@blueprint.alt_response(409)
@blueprint.response(200)
@blueprint.doc(requestBody=description.GROUP, responses={"200": description.GROUP})
def update_group(values: dict[str, Any], group: str) -> dict[str, Any]:
    """Change some values of a group; those that are left out stay

    A secret is shown as `***`; sent back so, it stays as it is. Null clears it.
    """
    return service.update(group, values)


@blueprint.post("/email/test")
@requires("settings:edit")
@blueprint.arguments(MailTestIn)
@blueprint.response(200, OkOut)
@blueprint.alt_response(502, description="The mail server refused the mail, or can't be reached")
def test_mail(data: dict[str, str]) -> dict[str, str]:
    """Send a test mail now, with the stored settings"""
    service.send_test_mail(data["to"])
    return {"status": "ok"}


@descriptions.get("/settings-schema")
@requires("settings:view")
@descriptions.response(200, {"type": "object"}, example={"general": {"title": "General", "type": "object"}})
def schema() -> Response:
    """Type, limits, default, unit (`x-unit`) and help of every setting, as JSON Schema by group"""
    return jsonify(description.groups())
