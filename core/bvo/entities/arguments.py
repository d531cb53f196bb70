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
from marshmallow import Schema, ValidationError, fields, missing
from webargs.flaskparser import FlaskParser
from webargs.multidictproxy import MultiDictProxy
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

MAX_DEPTH = 100
MISTYPED = object()
"""Stands for a value of another JSON type: its field refuses it, beside whatever else is wrong."""
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
            location_data = _replaced(location_data)
        elif errors := {path: [message] for path, message in _unstorable(location_data)}:
            raise ValidationError(errors)
        return _typed(schema, location_data) if location == "json" else location_data


parser = Parser()
Blueprint.ARGUMENTS_PARSER = parser  # on the class, so that it serves the blueprints of every plugin


def _typed(schema: Schema, data: Mapping[str, Any]) -> dict[str, Any]:
    """`data` with MISTYPED for a text or a truth value in place of a number, and the like.

    In JSON `"5"` is no number and `1` no truth value. Marshmallow would take both, and make 1 of 1.5.
    """
    known = {field.data_key or name: field for name, field in schema.load_fields.items()}
    return {key: _fitting(known[key], value) if key in known else value for key, value in data.items()}


def _fitting(field: fields.Field[Any], value: Any) -> Any:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(field, fields.Nested) and isinstance(value, Mapping | list):
        return [_fitting(field, item) for item in value] if isinstance(value, list) else _typed(field.schema, value)
    if isinstance(field, fields.List) and isinstance(value, list):
        return [_fitting(field.inner, item) for item in value]
    if isinstance(field, fields.Boolean):
        return value if value is None or isinstance(value, bool) else MISTYPED
    if isinstance(field, fields.Integer):
        return value if value is None or (number and value == int(value)) else MISTYPED
    if isinstance(field, fields.Float):
        return value if value is None or number else MISTYPED
    return value


def is_storable(value: Any) -> bool:
    """True where the databases can keep this JSON value."""
    return next(_unstorable(value), None) is None


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
