"""A list as a CSV file: everything that fits the filters, in batches, so that a long list needs no more memory."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from flask import Response, stream_with_context
from marshmallow import Schema, fields

from bvo import access, events
from bvo.access import requires
from bvo.database import utcnow
from bvo.entities import every_row, name_of
from bvo.events import MASK
from bvo_hookspecs import EntityType, EventType

from .lists import Question, ask_or_refuse
from .offers import visible
from .shell import title_of
from .values import path_of

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A cell that begins so is a formula to a spreadsheet, which may send what is beside it to anyone."""

EXPORTED = EventType(
    name="list.exported",
    action="list.export",
    action_type="exported",
    help="Somebody took a list along as CSV.",
    metadata={"filters": fields.Dict(), "sort": fields.String()},
)


@requires(None)
def export(entity: str) -> Response:
    question = ask_or_refuse(visible(entity))
    kind = question.entity
    names = [field.data_key or name for name, field in kind.read_schema().dump_fields.items()]
    _tell(question)
    response = Response(stream_with_context(_lines(question, names)), mimetype="text/csv")
    name = f"{path_of(kind)}-{utcnow():%Y-%m-%d-%H%M}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _tell(question: Question) -> None:
    """Who took which rows along: the audit log has it before the first one leaves."""
    kind = question.entity
    events.record(
        type=EXPORTED.name,
        entity_type=kind.name,
        entity_label=kind.label,
        entity_id="",
        entity_name=title_of(kind),
        message=f"User {access.principal().name} exported {title_of(kind)} as CSV.",
        metadata={"filters": dict(question.entered), "sort": question.order.text},
    )


def _lines(question: Question, names: list[str]) -> Iterator[str]:
    schema = question.entity.read_schema()
    yield _text([names])
    for rows in every_row(question.entity, question.arguments, question.order):
        if rows:
            yield _text(_cells(question.entity, schema, names, rows))


def _cells(entity: EntityType, schema: Schema, names: list[str], rows: list[Any]) -> Iterator[list[str]]:
    for row in schema.dump(rows, many=True):
        yield [MASK if name in entity.secrets and row.get(name) else _cell(row.get(name)) for name in names]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping) and "id" in value and name_of(value):
        return _cell(name_of(value))
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _text(rows: Any) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()
