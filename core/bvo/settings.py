"""Settings that operators change while the server runs: typed keys in groups, declared by plugins."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema
from sqlalchemy import JSON, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column
from werkzeug.exceptions import NotFound

from bvo_hookspecs import Setting, SettingsGroup

from . import registry
from .database import Base, db


class StoredSetting(Base):
    """A value that differs from its default."""

    __tablename__ = "settings"

    group: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSON().with_variant(JSONB(), "postgresql"))  # null is a value, too


def groups() -> dict[str, dict[str, Setting]]:
    """Every declared setting, by group and name. Several plugins may add to one group."""
    declared: dict[str, dict[str, Setting]] = {}
    for _, group in registry.current().every(SettingsGroup):
        declared.setdefault(group.name, {}).update({setting.name: setting for setting in group.settings})
    return declared


def get(path: str) -> Any:
    """The value of `group.name`, its default where none was stored. Raises KeyError for an undeclared one."""
    group, _, name = path.partition(".")
    declared = groups()[group][name]
    stored = db.session.get(StoredSetting, (group, name))
    return declared.default if stored is None else stored.value


def read(group: str) -> dict[str, Any]:
    """All values of a group. Raises NotFound, with the names that exist, for an unknown one."""
    declared = _declared(group)
    stored: dict[str, Any] = dict(
        db.session.execute(select(StoredSetting.name, StoredSetting.value).filter_by(group=group)).all()
    )
    return {name: stored.get(name, setting.default) for name, setting in declared.items()}


def write(session: Session, group: str, values: dict[str, Any]) -> None:
    """Store some values of a group in the caller's transaction. Raises marshmallow's ValidationError."""
    for name, value in schema(group).load(values).items():
        session.merge(StoredSetting(group=group, name=name, value=value))


def schema(group: str) -> Schema:
    """The marshmallow schema of a group; every key is optional."""
    fields = {name: setting.field for name, setting in _declared(group).items()}
    return Schema.from_dict(dict(fields), name=f"{group.title()}Settings")(partial=True)


def _declared(group: str) -> dict[str, Setting]:
    declared = groups()
    if group not in declared:
        raise NotFound(f"Unknown settings group {group!r}. There are: {', '.join(sorted(declared))}.")
    return declared[group]
