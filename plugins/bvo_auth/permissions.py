"""What a principal may do, as clients and people read it."""

from __future__ import annotations

from typing import Any

from bvo import registry
from bvo_hookspecs import Principal
from bvo_hookspecs.entities import OPERATIONS


def permission_map(principal: Principal) -> dict[str, dict[str, Any]]:
    """The principal's permissions as clients read them: by artifact (those with any), and flat."""
    matrix = {
        artifact: {operation: principal.can(f"{artifact}:{operation}") for operation in OPERATIONS}
        for artifact in registry.current().artifacts()
    }
    granted = {artifact: row for artifact, row in matrix.items() if any(row.values())}
    flat = {f"{artifact}:{operation}": may for artifact, row in granted.items() for operation, may in row.items()}
    return {"by_artifact": granted, "flat": flat}
