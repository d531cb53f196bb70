"""The dashboard: the cards that plugins offer."""

from __future__ import annotations

from bvo.access import requires
from flask import render_template

from . import parts


@requires(None)
def view() -> str:
    return render_template("webui/dashboard.html", cards=parts.cards())
