"""`GET /openapi.json`: what every route takes, gives and asks for, made from the routes themselves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Flask, current_app, jsonify
from flask_smorest import Api
from marshmallow import Schema, fields
from werkzeug.wrappers import Response

from . import __version__, access, idempotency
from .access import Access, public

TITLE = "BV Orchestrator"
DOCUMENT = "bvo_openapi_document"
PROBLEM = "application/problem+json"
SCHEMES = {
    "user": {
        "type": "http",
        "scheme": "bearer",
        "description": "From POST /api/auth/login, an API token, or the SDK login",
    },
    "robot": {"type": "apiKey", "in": "header", "name": "X-Robot-Token", "description": "From register-robot"},
}
SCHEME_OF = {"user": "user", "token": "user", "sdk": "user", "robot": "robot"}
REFUSALS = {"401": "Not authenticated", "403": "Not permitted"}
KEY_REFUSALS = {"409": "A conflict", "422": "Not valid, or the key of another request"}
KEY = {
    "name": idempotency.HEADER,
    "in": "header",
    "schema": {"type": "string", "maxLength": 255},
    "description": "Any text of your own, such as a UUID. A request that is sent again with it is carried out once.",
}

blueprint = Blueprint("openapi", __name__)


class Problem(Schema):
    """An error (RFC 9457). `detail` says what to do; `errors` has the messages for each field."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    errors = fields.Dict(keys=fields.String(), values=fields.List(fields.String()))


class _Api(Api):  # type: ignore[misc]
    ERROR_SCHEMA = Problem


def init_app(app: Flask) -> Api:
    """Make the API, to which blueprints are registered, and the route that shows it."""
    app.config.update(API_TITLE=TITLE, API_VERSION=__version__, OPENAPI_VERSION="3.1.0")
    api = _Api(app, spec_kwargs={"marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=_schema_name)})
    app.extensions["bvo_api"] = api
    app.register_blueprint(blueprint)
    return api


@blueprint.get("/openapi.json")
@public
def document() -> Response:
    """The description of the API in OpenAPI 3.1"""
    if DOCUMENT not in current_app.extensions:
        current_app.extensions[DOCUMENT] = describe(current_app)
    return jsonify(current_app.extensions[DOCUMENT])


def describe(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of this app: what flask-smorest knows, with who may call what, and errors as problems."""
    shown: dict[str, Any] = deepcopy(app.extensions["bvo_api"].spec.to_dict())  # it is the live one
    shown["components"]["securitySchemes"] = SCHEMES
    shown["components"].setdefault("parameters", {})[idempotency.HEADER] = KEY
    for response in shown["components"]["responses"].values():
        if "application/json" in response.get("content", {}):
            response["content"] = {PROBLEM: response["content"]["application/json"]}
    declared = _declared(app)
    for path, operations in shown["paths"].items():
        for method, operation in operations.items():
            if found := declared.get((method.upper(), path)):
                _secure(operation, found)
                if method == "post" and found.principals - {"robot"}:
                    _accept_key(operation)
    return shown


def _declared(app: Flask) -> dict[tuple[str, str], Access]:
    """What each method and path declares, with the path as OpenAPI writes it."""
    return {
        (method, re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule)): found
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if (found := access.declared(app, rule.endpoint))
    }


def _secure(operation: dict[str, Any], found: Access) -> None:
    operation["security"] = [{scheme: []} for scheme in sorted({SCHEME_OF[kind] for kind in found.principals})]
    if found.public:
        return
    _add_refusals(operation, REFUSALS)
    if found.permission:
        operation["description"] = f"{operation.get('description', '')}\n\nPermission: `{found.permission}`".strip()


def _accept_key(operation: dict[str, Any]) -> None:
    operation.setdefault("parameters", []).append({"$ref": f"#/components/parameters/{idempotency.HEADER}"})
    _add_refusals(operation, KEY_REFUSALS)


def _add_refusals(operation: dict[str, Any], refusals: Mapping[str, str]) -> None:
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/bvo.Problem"}}}
    for status, description in refusals.items():
        operation["responses"].setdefault(status, {"description": description, "content": content})


def _schema_name(schema: Any) -> str:
    """The name of a schema: `runner.RegisterIn`, and `access.UserUpdate` for a part of `UserIn`."""
    kind = schema if isinstance(schema, type) else type(schema)
    name = f"{kind.__name__.removesuffix('In')}Update" if getattr(schema, "partial", None) else kind.__name__
    return f"{kind.__module__.split('.')[0].removeprefix('bvo_')}.{name}"
