"""`/ui/styleguide`: every token and every component, as the style sheets have them now."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import Any

from flask import render_template

from bvo.access import requires
from bvo.database import utcnow

from .assets import FOLDER

TOKEN = re.compile(r"^\s*--([\w-]+):\s*(light-dark\(.*?\)|[^;]+);", re.MULTILINE)
STATES = ("completed", "failed", "running", "pending", "canceled", "online", "offline")


@requires(None)
def view() -> str:
    now = utcnow()
    return render_template(
        "webui/styleguide.html",
        colours=[name for name, value in _tokens() if value.startswith("light-dark(#")],
        states=STATES,
        times=[now, now - timedelta(minutes=7), now - timedelta(hours=5), now - timedelta(days=30)],
        tree_value={
            "order": 17,
            "lines": [{"sku": "A-1", "count": 2}, {"sku": "B-7", "count": 1}],
            "paid": True,
            "note": None,
        },
        **_chart(),
    )


def _tokens() -> list[tuple[str, str]]:
    return TOKEN.findall((FOLDER / "app.css").read_text(encoding="utf-8"))


def _chart() -> dict[str, Any]:
    parts = ("completed", "failed", "canceled")
    hour = utcnow().replace(minute=0, second=0, microsecond=0) - timedelta(hours=23)
    bars: list[dict[str, Any]] = []
    for number in range(24):
        counts = Counter(dict(zip(parts, (number * 7 % 13, number * 3 % 4, number % 2), strict=True)))
        bars.append({"since": hour + timedelta(hours=number), "counts": counts, "total": sum(counts.values())})
    return {"parts": parts, "bars": bars, "highest": max(bar["total"] for bar in bars)}
