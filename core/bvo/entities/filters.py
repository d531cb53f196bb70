"""The usual filters and scopes of entity types."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy import Select, or_
from sqlalchemy.orm import InstrumentedAttribute

from bvo_hookspecs import Filter, Principal


def everything(principal: Principal, query: Select[Any]) -> Select[Any]:
    """The scope that narrows nothing: whoever may view the type sees every row."""
    return query


def search(*columns: InstrumentedAttribute[Any]) -> Filter:
    """`?search=`: rows in which one of `columns` contains the text, whatever its case."""
    return Filter(
        name="search",
        field=fields.String(metadata={"description": f"Text in {', '.join(column.key for column in columns)}"}),
        apply=lambda query, value: query.where(or_(*(column.icontains(value, autoescape=True) for column in columns))),
    )


def equals(column: InstrumentedAttribute[Any], field: fields.Field[Any], name: str = "") -> Filter:
    """`?<column>=`: rows in which `column` equals the value."""
    return Filter(name=name or column.key, field=field, apply=lambda query, value: query.where(column == value))


def flag(name: str, column: InstrumentedAttribute[bool]) -> Filter:
    """`?<name>=true`: only rows in which `column` is true."""
    return Filter(
        name=name,
        field=fields.Boolean(metadata={"description": f"Only where {column.key} is true"}),
        apply=lambda query, value: query.where(column.is_(True)) if value else query,
    )
