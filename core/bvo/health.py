"""`GET /healthz`: is this server able to work? 200 or 503, with a word on each part."""

from __future__ import annotations

import logging
from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields, validate
from sqlalchemy import text

from bvo_hookspecs import HealthCheck, PluginInfo

from . import __version__, registry
from .access import public
from .database import db
from .plugins import CORE

log = logging.getLogger(__name__)
blueprint = Blueprint("health", __name__)
DATABASE = HealthCheck(name="database", check=lambda: db.session.execute(text("SELECT 1")).close())


class Health(Schema):
    status = fields.String(validate=validate.OneOf(("ok", "unhealthy")))
    version = fields.String(metadata={"example": __version__})
    checks = fields.Dict(
        keys=fields.String(),
        values=fields.String(validate=validate.OneOf(("ok", "failed"))),
        metadata={"example": {"database": "ok"}},
    )


@blueprint.get("/healthz")
@public
@blueprint.alt_response(503, schema=Health, description="A part of the server has failed")
@blueprint.response(200, Health)
def healthz() -> tuple[dict[str, Any], int]:
    """Is this server able to work?

    Asks every check. The reasons of failures are in the server's log, not in this public answer.
    """
    checks = [(CORE.info, DATABASE)]
    checks += [(plugin.info, check) for plugin, check in registry.current().every(HealthCheck)]
    parts = {check.name: state_of(plugin, check) for plugin, check in checks}
    healthy = all(state == "ok" for state in parts.values())
    return {
        "status": "ok" if healthy else "unhealthy",
        "version": __version__,
        "checks": parts,
    }, 200 if healthy else 503


def state_of(plugin: PluginInfo, check: HealthCheck) -> str:
    """Asked each time, without a breaker: whoever asks wants to know when all is well again."""
    try:
        check.check()
    except BaseException:
        log.exception("The health check %r of the plugin %r failed", check.name, plugin.name)
        db.session.rollback()  # else, on PostgreSQL, every later check that asks the database fails, too
        return "failed"
    return "ok"
