"""The app factory: plugins in, WSGI app out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Flask, current_app, jsonify, redirect, request
from flask_smorest import Api
from flask_smorest import Blueprint as ApiBlueprint
from marshmallow import Schema, fields
from werkzeug.exceptions import NotFound
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response

from . import (
    __version__,
    access,
    bodies,
    database,
    denials,
    entities,
    health,
    idempotency,
    idempotency_keys,
    migrations,
    openapi,
    plugins,
    problems,
    registry,
    request_ids,
    secrets,
    session_tokens,
    stores,
)
from .access import public
from .config import Config

WEB_UI = "webui"
root = ApiBlueprint("root", __name__, description="The root")


class Greeting(Schema):
    message = fields.String(metadata={"example": "BV Orchestrator"})
    version = fields.String(metadata={"example": __version__})


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Build the app. `config` holds `BVO_*` values that win over the environment. Raises StartupError."""
    configuration = Config.load(config)
    loaded = plugins.load(configuration.disabled_plugins, configuration.required_plugins)
    return assemble(configuration, registry.build(configuration, loaded))


def assemble(config: Config, contributed: registry.Registry) -> Flask:
    """Put an app together from a configuration and the contributions of its plugins."""
    app = Flask("bvo", static_folder=None)
    app.config["SECRET_KEY"] = config.secret_key
    app.url_map.strict_slashes = False
    app.url_value_preprocessor(entities.refuse_huge_ids)
    if hops := config.proxy_hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    registry.init_app(app, contributed)
    database.init_app(app, config)
    migrations.init_app(app)
    api = openapi.init_app(app)
    problems.init_app(app)  # after Api, whose own error handler would answer pages in JSON, too
    request_ids.init_app(app)  # before access, so that refusals bear it, too
    if WEB_UI not in contributed.plugins.names():
        app.before_request(_refuse_pages)  # before access, which would send people to sign in
    access.init_app(app)
    denials.init_app(app)
    bodies.init_app(app)  # after access: strangers send no large ones
    idempotency.init_app(app)
    session_tokens.init_app(app, config)
    secrets.init_app(app, config, idempotency_keys.COLUMNS)
    stores.init_app(app, contributed)
    for blueprint in (root, health.blueprint, *entities.blueprints(contributed)):
        api.register_blueprint(blueprint)
    _register_blueprints(app, api, contributed)
    access.check_declared(app)
    return app


def _refuse_pages() -> None:
    """Pages extend those of the web UI: without it there are none, whichever plugin they are of."""
    asked = current_app.blueprints.get(request.blueprint or "")
    if request.path.startswith("/ui/") or (asked and asked.template_folder):
        raise NotFound("The web UI is disabled here. What its pages do, the API does, too: see /openapi.json.")


def _register_blueprints(app: Flask, api: Api, contributed: registry.Registry) -> None:
    for blueprint in contributed.of(Blueprint).values():
        if isinstance(blueprint, ApiBlueprint):
            api.register_blueprint(blueprint)
        else:
            app.register_blueprint(blueprint)


@root.get("/")
@public
@root.alt_response(
    302, description="To the web UI, for a browser", headers={"Location": {"schema": {"type": "string"}}}
)
@root.response(200, Greeting)
def greet() -> Response:
    """Greet API clients, and send browsers to the web UI where there is one"""
    if problems.wants_page() and "webui.dashboard" in current_app.view_functions:
        return redirect("/ui/")
    return jsonify(message="BV Orchestrator", version=__version__)
