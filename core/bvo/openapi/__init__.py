"""`GET /openapi.json`: what every route takes, gives and asks for, made from the routes themselves."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask, current_app, jsonify
from flask_smorest import Api, Blueprint
from flask_smorest.spec.plugins import FlaskPlugin
from werkzeug.routing import IntegerConverter
from werkzeug.wrappers import Response

from bvo import __version__, access, idempotency
from bvo.access import Access, public

from . import examples, refusals, schemas
from .parts import HEADERS, header, multipart, sends_file

__all__ = ["blueprint", "describe", "header", "init_app", "multipart", "sends_file"]

TITLE = "BV Orchestrator"
DOCUMENT = "bvo_openapi_document"
SCHEMES = {
    "user": {
        "type": "http",
        "scheme": "bearer",
        "description": "From POST /api/auth/login, an API token, or the SDK login",
    },
    "robot": {"type": "apiKey", "in": "header", "name": "X-Robot-Token", "description": "From register-robot"},
}
SCHEME_OF = {"user": "user", "token": "user", "sdk": "user", "robot": "robot"}
KEY = {
    "name": idempotency.HEADER,
    "in": "header",
    "schema": {"type": "string", "maxLength": 255, "pattern": "^[!-~]+$"},
    "description": "Any text of your own, such as a UUID. A request that is sent again with it is carried out once.",
}
ABOUT = """\
Every error is a problem document (RFC 9457): `detail` says what to do, `errors` has the messages for each field.
Every answer has an `X-Request-ID`, which is also in the server's log; a request may bring its own (at most 128 letters,
digits and `. _ -`). Times are UTC. Numbers and truth values are JSON numbers and JSON truth values, never texts.
Lists have pages: `page` counts them up to any depth, and the `Link` header leads on by the last id, which is faster."""

blueprint = Blueprint("openapi", __name__)


@dataclass(frozen=True, kw_only=True)
class Route:
    """A method of a rule, with the path as OpenAPI writes it."""

    method: str
    path: str
    name: str
    access: Access


class _Api(Api):  # type: ignore[misc]
    DEFAULT_ERROR_RESPONSE_NAME = None  # each status is described, so that nothing hides behind a default
    ERROR_SCHEMA = schemas.Problem


def init_app(app: Flask) -> Api:
    """Make the API, to which blueprints are registered, and the route that shows it."""
    app.config.update(API_TITLE=TITLE, API_VERSION=__version__, OPENAPI_VERSION="3.1.0")
    marshmallow = MarshmallowPlugin(schema_name_resolver=schemas.name)
    api = _Api(app, spec_kwargs={"marshmallow_plugin": marshmallow})
    cast(Any, marshmallow.converter).add_attribute_function(schemas.as_json_schema)
    api.register_converter(IntegerConverter, lambda converter: schemas.ID)
    app.extensions["bvo_api"] = api
    api.register_blueprint(blueprint)
    return api


@blueprint.get("/openapi.json")
@public
@blueprint.response(200, {"type": "object"}, example={"openapi": "3.1.0", "info": {"title": TITLE}})
def document() -> Response:
    """The description of the API in OpenAPI 3.1"""
    if DOCUMENT not in current_app.extensions:
        current_app.extensions[DOCUMENT] = describe(current_app)
    return jsonify(current_app.extensions[DOCUMENT])


def describe(app: Flask) -> dict[str, Any]:
    """The OpenAPI document of this app: what flask-smorest knows, who may call what, every status, examples."""
    shown: dict[str, Any] = deepcopy(app.extensions["bvo_api"].spec.to_dict())  # it is the live one
    shown["info"]["description"] = ABOUT
    shown["servers"] = [{"url": "/"}]
    shown["components"] |= {"securitySchemes": SCHEMES, "headers": HEADERS, "responses": refusals.RESPONSES}
    shown["components"].setdefault("parameters", {})[idempotency.HEADER] = KEY
    for route in _routes(app):
        if operation := shown["paths"].get(route.path, {}).get(route.method.lower()):
            operation |= {"operationId": route.name, "tags": [_section(route.path)]}
            _secure(operation, route.access)
            if route.method == "POST" and route.access.principals - {"robot"}:
                _accept_key(operation)
            refusals.add(operation, route.path, public=route.access.public)
    shown["tags"] = _tags(shown)
    examples.add(shown)
    schemas.finish(shown)
    return shown


def _routes(app: Flask) -> Iterator[Route]:
    for rule in app.url_map.iter_rules():
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        path, name = FlaskPlugin.flaskpath2openapi(rule.rule), rule.endpoint.replace(".", "_")
        if found := access.declared(app, rule.endpoint):
            for method in methods:
                own = f"{name}_{method.lower()}" if len(methods) > 1 else name
                yield Route(method=method, path=path, name=own, access=found)


def _secure(operation: dict[str, Any], found: Access) -> None:
    operation["security"] = [{scheme: []} for scheme in sorted({SCHEME_OF[kind] for kind in found.principals})]
    if found.permission:
        operation["description"] = f"{operation.get('description', '')}\n\nPermission: `{found.permission}`".strip()


def _accept_key(operation: dict[str, Any]) -> None:
    operation.setdefault("parameters", []).append({"$ref": f"#/components/parameters/{idempotency.HEADER}"})
    for status in ("400", "409", "422"):
        operation["responses"].setdefault(status, {"$ref": f"#/components/responses/{status}"})


def _section(path: str) -> str:
    """The part of the API that a path belongs to: `jobs` for `/api/jobs/{row_id}/log`."""
    return path.split("/")[2] if path.startswith("/api/") else "server"


def _tags(shown: dict[str, Any]) -> list[dict[str, str]]:
    """The sections that there are, with the descriptions of the blueprints that bear their names."""
    described = {tag["name"].replace("_", "-"): tag["description"] for tag in shown["tags"]}
    described["server"] = "The server itself"
    return [
        {"name": name, "description": described.get(name, "")} for name in sorted(set(map(_section, shown["paths"])))
    ]
