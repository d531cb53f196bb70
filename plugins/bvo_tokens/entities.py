"""The entity type `api_token`."""

from __future__ import annotations

from marshmallow import fields

from bvo.entities import equals, search
from bvo_hookspecs import EntityType, NavItem

from .models import ApiToken
from .schemas import ApiTokenIn, ApiTokenOut
from .service import ApiTokenService, visible

API_TOKEN = EntityType(
    name="api_token",
    plural="api_tokens",
    label="API token",
    model=ApiToken,
    read_schema=ApiTokenOut,
    write_schema=ApiTokenIn,
    service=ApiTokenService,
    scope=visible,
    columns=("id", "name", "user", "scopes", "prefix", "last_used_at", "expires_at"),
    filters=(search(ApiToken.name, ApiToken.prefix), equals(ApiToken.user_id, fields.Integer())),
    secrets=frozenset({"token"}),
    principals={"create": ("user",)},  # a leaked token makes no others, which would outlive it
    nav=NavItem(name="api_tokens", label="API tokens", order=82),
)
