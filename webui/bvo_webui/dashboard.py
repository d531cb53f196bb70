"""The dashboard: the cards that plugins offer."""

from __future__ import annotations

from flask import render_template

from bvo.access import requires

from . import parts


@requires(None)
def view() -> str:
    return render_template("webui/dashboard.html", cards=parts.cards())
