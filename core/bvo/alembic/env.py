"""Alembic's environment for every plugin: one branch, one version table, and no look at the tables of others."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON, BigInteger

from bvo.database import Base, UTCDateTime
from bvo.migrations import Branch

branch: Branch = context.config.attributes["branch"]


def belongs(name: str | None, kind: str, parents: Any) -> bool:
    return kind != "table" or name in branch.tables


def render(kind: str, item: Any, autogenerate: AutogenContext) -> str | Literal[False]:
    """Name the types of `bvo.database` instead of spelling them out for each dialect."""
    names = {UTCDateTime: "UTCDateTime()", JSON: "Json", BigInteger: "BigId"}
    name = names.get(type(item)) if kind == "type" else None
    if name is None:
        return False
    autogenerate.imports.add(f"from bvo.database import {name.removesuffix('()')}")
    return name


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    version_table=branch.version_table,
    include_name=belongs,
    include_object=lambda item, name, kind, reflected, other: kind != "table" or name in branch.tables,
    render_item=render,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
connection.commit()
