"""The entity engine: an EntityType goes in; REST routes, permissions, audit, events and pages come out."""

from __future__ import annotations

from .arguments import Forgiving, is_storable, parser
from .filters import equals, everything, flag, period, point_in_time, search
from .names import name_of, row_of
from .orders import MAX_ID, Order, order_of
from .query import MAX_COUNT, Page, bare, fetch_page, find, offset, scoped
from .references import Reference
from .routes import ROW, blueprints, paging_headers, query_schema, refuse_huge_ids
from .service import Creates, Deletes, Service, Updates, refuse_when_creating
from .slices import Slice, cut, every_row, first, sortable

__all__ = [
    "MAX_COUNT",
    "MAX_ID",
    "ROW",
    "Creates",
    "Deletes",
    "Forgiving",
    "Order",
    "Page",
    "Reference",
    "Service",
    "Slice",
    "Updates",
    "bare",
    "blueprints",
    "cut",
    "equals",
    "every_row",
    "everything",
    "fetch_page",
    "find",
    "first",
    "flag",
    "is_storable",
    "name_of",
    "offset",
    "order_of",
    "paging_headers",
    "parser",
    "period",
    "point_in_time",
    "query_schema",
    "refuse_huge_ids",
    "refuse_when_creating",
    "row_of",
    "scoped",
    "search",
    "sortable",
]
