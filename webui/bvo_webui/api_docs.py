"""`/docs`: Swagger UI, from the wheel, without a CDN."""

from __future__ import annotations

from flask import Blueprint, render_template

from bvo.access import public


def build() -> Blueprint:
    """A new blueprint: each app has its own."""
    blueprint = Blueprint("webui_api_docs", __name__)
    blueprint.add_url_rule("/docs", "page", page)
    return blueprint


@public
def page() -> str:
    return render_template("webui/api_docs.html")
