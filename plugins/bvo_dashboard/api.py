"""`/api/dashboard/overview`."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from bvo.access import requires

from . import service
from .schemas import Overview

blueprint = Blueprint("dashboard", __name__, url_prefix="/api/dashboard", description="The overview")


@blueprint.get("/overview")
@requires("dashboard:view")
@blueprint.response(200, Overview)
def overview() -> dict[str, Any]:
    """Figures of today, robots and the latest jobs"""
    return service.overview()
