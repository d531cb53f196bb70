"""Reading what requests send: JSON is refused with a hint, and nothing comes through that a database can't keep.

PostgreSQL keeps neither NUL nor half of a surrogate pair, and JSON knows no NaN; SQLite would take them all.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError, missing
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

MAX_DEPTH = 100
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Forgiving(Schema):
    """For senders that pass on what others wrote, as runners do: what can't be kept is replaced, not refused."""


class Parser(FlaskParser):
    """The parser of every `blueprint.arguments`."""

    def load_json(self, req: Request, schema: Schema) -> Any:
        if req.content_length and not req.is_json:
            raise UnsupportedMediaType("Send the body as JSON, with the header Content-Type: application/json.")
        body = req.get_data(cache=True)
        try:
            return json.loads(body) if body else missing
        except json.JSONDecodeError as error:
            where = f"line {error.lineno}, column {error.colno}"
            raise BadRequest(f"The body is not JSON: {error.msg} at {where}. Mend it and send it again.") from None
        except (ValueError, RecursionError):
            raise BadRequest("The body can't be read: send UTF-8, nest less deeply, use shorter numbers.") from None

    def load_querystring(self, req: Request, schema: Schema) -> MultiDictProxy:
        """The parameters without those that were left empty: `?status=&search=x` is `?search=x`, as forms send it."""
        given = [(name, value) for name, value in req.args.items(multi=True) if value]
        return MultiDictProxy(MultiDict(given), schema)

    def pre_load(self, location_data: Any, *, schema: Schema, req: Request, location: str) -> Any:
        if not isinstance(location_data, Mapping):
            raise ValidationError({"_schema": ["Send a JSON object."]})
        if isinstance(schema, Forgiving):
            return _replaced(location_data)
        if errors := {path: [message] for path, message in _unstorable(location_data)}:
            raise ValidationError(errors)
        return location_data


parser = Parser()
Blueprint.ARGUMENTS_PARSER = parser  # on the class, so that it serves the blueprints of every plugin


def _unstorable(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Where `value` holds what can't be kept, and why."""
    if isinstance(value, str) and UNSTORABLE.search(value):
        yield path, "Has a NUL character or half of a surrogate pair. Leave it out."
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, "Special numeric values (nan or infinity) are not permitted."
    elif isinstance(value, (Mapping, list)):
        if depth >= MAX_DEPTH:
            yield path.partition(".")[0], f"Nested more than {MAX_DEPTH} levels deep. Nest less deeply."
            return
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            unreadable = isinstance(key, str) and UNSTORABLE.search(key)
            yield from _unstorable(key if unreadable else item, f"{path}.{key}".lstrip("."), depth + 1)


def _replaced(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return UNSTORABLE.sub("\ufffd", value)
    if depth >= MAX_DEPTH or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, Mapping):
        return {_replaced(key): _replaced(item, depth + 1) for key, item in value.items()}
    return [_replaced(item, depth + 1) for item in value] if isinstance(value, list) else value
