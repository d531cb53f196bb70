"""What the entity engine does not derive: sending everything since a time once more."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from bvo import registry
from bvo.access import requires
from bvo.entities import ROW

from . import schemas
from .service import WebhookService

blueprint = Blueprint("webhook_replay", __name__, url_prefix="/api/webhooks", description="Webhooks")


@blueprint.post(f"/{ROW}/replay")
@requires("webhooks:edit")
@blueprint.arguments(schemas.ReplayIn)
@blueprint.response(200, schemas.WebhookOut)
def replay(data: dict[str, Any], row_id: int) -> Any:
    """Send everything once more that the webhook wants and that happened since a time"""
    return registry.current().service(WebhookService).replay(row_id, data["since"])
