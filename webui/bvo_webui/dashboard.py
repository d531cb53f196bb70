"""The dashboard: the cards that plugins offer. It asks again by itself; unchanged, it is 304 and nothing moves."""

from __future__ import annotations

from typing import Any

from flask import render_template, request, url_for
from werkzeug.wrappers import Response

from bvo.access import requires

from . import parts
from .headers import fragment
from .parts import etag


@requires(None)
def view() -> str:
    return _shown("webui/dashboard.html")[0]


@requires(None)
def cards() -> Response:
    """The cards alone, for a page that asks again."""
    return fragment(*_shown("webui/_cards.html"))


def _shown(template: str) -> tuple[str, str]:
    """The page or its part, and the tag of what the cards show."""
    found = parts.cards()
    tag = etag("".join(f"{part.name}{part.etag}" for part in found))
    query: dict[str, Any] = request.args.to_dict()
    return render_template(template, cards=found, tag=tag, poll=url_for("webui.cards", **query)), tag
