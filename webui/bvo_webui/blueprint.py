"""Every route of the web UI, in one table."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from flask import Blueprint, Flask
from flask.blueprints import BlueprintSetupState
from jinja2 import ChoiceLoader, FileSystemLoader

from bvo.entities import ROW
from bvo.observers import Observers
from bvo.registry import Registry

from . import (
    assets,
    bulk,
    dashboard,
    details,
    errors,
    exports,
    finding,
    forms,
    headers,
    lists,
    plugins_page,
    sign_in,
    styleguide,
)
from .shell import Shell
from .text import FILTERS
from .values import linked

ROUTES: tuple[tuple[str, str, Callable[..., Any], str], ...] = (
    ("/", "dashboard", dashboard.view, "GET"),
    ("/cards", "cards", dashboard.cards, "GET"),
    ("/login", "login", sign_in.form, "GET"),
    ("/login", "log_in", sign_in.log_in, "POST"),
    ("/logout", "log_out", sign_in.log_out, "POST"),
    ("/logged-out", "logged_out", sign_in.logged_out, "GET"),
    ("/search", "search", finding.page, "GET"),
    ("/palette", "palette", finding.results, "GET"),
    ("/plugins", "plugins", plugins_page.view, "GET"),
    ("/styleguide", "styleguide", styleguide.view, "GET"),
    ("/static/<path:name>", "static", assets.view, "GET"),
    ("/<entity>/", "list", lists.show_list, "GET"),
    ("/<entity>/rows", "rows", lists.rows, "GET"),
    ("/<entity>/export.csv", "export", exports.export, "GET"),
    ("/<entity>/bulk", "bulk", bulk.preview, "GET"),
    ("/<entity>/bulk", "bulk_run", bulk.run, "POST"),
    ("/<entity>/new", "new", forms.new, "GET"),
    ("/<entity>/new", "create", forms.create, "POST"),
    ("/<entity>/suggestions", "suggestions", forms.suggestions, "GET"),
    (f"/<entity>/{ROW}", "detail", details.show, "GET"),
    (f"/<entity>/{ROW}/live", "live", details.live, "GET"),
    (f"/<entity>/{ROW}/edit", "edit", forms.edit, "GET"),
    (f"/<entity>/{ROW}/edit", "update", forms.update, "POST"),
    (f"/<entity>/{ROW}/<action>", "act", details.act, "POST"),
)


def build() -> Blueprint:
    """A new blueprint: each app has its own."""
    blueprint = Blueprint("webui", __name__, url_prefix="/ui", template_folder="templates")
    for rule, endpoint, view, method in ROUTES:
        blueprint.add_url_rule(rule, endpoint, view, methods=[method])
    for name, function in {**FILTERS, "linked": linked}.items():
        blueprint.add_app_template_filter(function, name)
    blueprint.app_context_processor(lambda: {"ui": Shell()})
    blueprint.after_app_request(headers.secure)
    blueprint.record_once(_connect)
    return blueprint


def _connect(state: BlueprintSetupState) -> None:
    _find_templates(cast(Flask, state.app))
    state.app.extensions["bvo_error_page"] = errors.page
    state.app.extensions["bvo_webui_observers"] = Observers()
    # Flask's own session carries nothing but the message that a page shows after a redirect
    contributed: Registry = state.app.extensions["bvo"]
    state.app.config.update(
        SESSION_COOKIE_NAME="bvo_flash",
        SESSION_COOKIE_PATH="/ui",
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=not contributed.config.development,
    )


def _find_templates(app: Flask) -> None:
    """Look for the templates of cards, panels and pages in the folder `templates` beside each plugin's entry module."""
    registry: Registry = app.extensions["bvo"]
    folders = [Path(plugin.module.__file__ or "").parent / "templates" for plugin in registry.plugins]
    loaders = [app.jinja_env.loader, FileSystemLoader(folders)]
    app.jinja_env.loader = ChoiceLoader([loader for loader in loaders if loader])
