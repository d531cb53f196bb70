"""The usual filters and scopes of entity types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from marshmallow import ValidationError, fields
from sqlalchemy import ColumnElement, Select, or_, true
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


def period(
    column: InstrumentedAttribute[Any], stem: str = "", *, among: ColumnElement[bool] | None = None
) -> tuple[Filter, Filter]:
    """`?finished_from=` and `?finished_before=` of `finished_at`: rows of that time, and the list in its order.

    The first includes its point in time and the second does not, so that hour follows upon hour. An index keeps the
    column in order; where it has but some of the rows, `among` is what they have in common.
    """
    stem = stem or column.key.removesuffix("_at")
    within = true() if among is None else among
    return (
        Filter(
            name=f"{stem}_from",
            field=point_in_time(f"{stem.capitalize()} at this time or later"),
            apply=lambda query, value: query.where(within, column >= value),
            orders=column.key,
        ),
        Filter(
            name=f"{stem}_before",
            field=point_in_time(f"{stem.capitalize()} before this time"),
            apply=lambda query, value: query.where(within, column < value),
            orders=column.key,
        ),
    )


def point_in_time(description: str) -> fields.AwareDateTime:
    """The field of a filter: a point in time that every database knows."""
    return fields.AwareDateTime(
        default_timezone=UTC,
        validate=_within_utc,
        metadata={"description": f"{description}; UTC where no zone is given"},
    )


def _within_utc(value: datetime) -> None:
    try:
        value.astimezone(UTC)
    except OverflowError:
        raise ValidationError("Not a valid datetime.") from None
