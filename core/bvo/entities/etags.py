"""Entity tags: which state of a row a client has seen, so that it neither fetches it again nor overwrites another one.

flask-smorest has tags as well, but it refuses every change without `If-Match` (428), and compares before the
transaction of the change, so that two could win.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from flask import jsonify, request
from marshmallow import Schema
from sqlalchemy import select
from werkzeug.exceptions import PreconditionFailed
from werkzeug.wrappers import Response

from bvo.database import transaction
from bvo_hookspecs import EntityType

from .query import find

HEADER = "If-Match"


def answer(entity: EntityType, row: Any, status: int = 200) -> Response:
    """The row as JSON, with its tag; 304 without a body where a GET's `If-None-Match` has that tag."""
    shown = _dump(entity, row)
    response = jsonify(shown)
    response.status_code = status
    response.set_etag(_tag(entity, shown))
    response.make_conditional(request)
    if response.status_code == PreconditionFailed.code:  # a GET may say If-Match, too
        raise _changed(entity, row.id)
    return response


@contextmanager
def matching(entity: EntityType, row_id: int) -> Iterator[None]:
    """Change a row inside, in the state that `If-Match` names, or else raise PreconditionFailed.

    The row is locked until the change is committed, so that of two with the same tag one wins. Without the header
    nothing is compared.
    """
    if HEADER not in request.headers:
        yield
        return
    with transaction() as session:
        session.execute(select(entity.model.id).where(entity.model.id == row_id).with_for_update())
        if not request.if_match.contains(_tag(entity, _dump(entity, find(entity, row_id)))):
            raise _changed(entity, row_id)
        yield


def _changed(entity: EntityType, row_id: int) -> PreconditionFailed:
    return PreconditionFailed(f"{entity.label} {row_id} has changed since you read it. Get it again, and decide anew.")


def _tag(entity: EntityType, shown: Mapping[str, Any]) -> str:
    """128 bits of the digest of what is shown, but for secrets that only the answer to the creation holds."""
    lasting = {name: value for name, value in shown.items() if not _is_shown_once(entity, name)}
    return hashlib.sha256(json.dumps(lasting, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _is_shown_once(entity: EntityType, name: str) -> bool:
    return name in entity.secrets and not hasattr(entity.model, name)


def _dump(entity: EntityType, row: Any) -> dict[str, Any]:
    shown: dict[str, Any] = _schema(entity.read_schema).dump(row)
    return shown


@cache
def _schema(kind: type[Schema]) -> Schema:
    """One instance for all: to make one costs more than to use it."""
    return kind()
