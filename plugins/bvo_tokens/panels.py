"""The API tokens of a user."""

from __future__ import annotations

from typing import Any

from bvo import registry
from bvo.database import db
from bvo.entities import scoped
from bvo_hookspecs import DetailPanel

from .models import ApiToken
from .service import ApiTokenService

MAX_TOKENS = 20


def tokens_panel(user_id: int) -> dict[str, Any]:
    """Those that the principal may see: one's own, or everybody's."""
    entity = registry.current().service(ApiTokenService).entity
    mine = scoped(entity).where(ApiToken.user_id == user_id).order_by(ApiToken.id.desc()).limit(MAX_TOKENS + 1)
    found = db.session.scalars(mine).unique().all()
    return {"user_id": user_id, "tokens": found[:MAX_TOKENS], "more": len(found) > MAX_TOKENS}


PANELS = (
    DetailPanel(
        name="user_tokens",
        entity_type="user",
        title="API tokens",
        template="bvo_tokens/tokens_panel.html",
        context=tokens_panel,
        order=30,
        permission="api_tokens:view",
    ),
)
