"""Settings that operators change while the server runs: typed keys in groups, declared by plugins."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema
from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column
from werkzeug.exceptions import NotFound

from bvo_hookspecs import Setting, SettingsGroup

from . import registry, secrets
from .database import Base, Json, db
from .events import MASK


class StoredSetting(Base):
    """A value that is not left to its default. Of a secret one, `secret` is encrypted, and `value` is the mask."""

    __tablename__ = "settings"

    group: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(Json)
    secret: Mapped[str | None]


def groups() -> dict[str, dict[str, Setting]]:
    """Every declared setting, by group and name. Several plugins may add to one group."""
    declared: dict[str, dict[str, Setting]] = {}
    for _, group in registry.current().every(SettingsGroup):
        declared.setdefault(group.name, {}).update({setting.name: setting for setting in group.settings})
    return declared


def get(path: str) -> Any:
    """The value of `group.name`, its default where none was stored; of a secret one in clear.

    Raises KeyError for an undeclared one, and `bvo.secrets.Undecryptable`.
    """
    group, _, name = path.partition(".")
    declared = groups()[group][name]
    found = db.session.get(StoredSetting, (group, name))
    if found is None:
        return declared.default
    if declared.secret:
        return secrets.current().decrypt(found.secret or "", secrets.place(found, "secret"))
    return found.value


def public_url(otherwise: str = "") -> str:
    """Where others reach this server, without a slash at its end: `otherwise` where the settings do not say it."""
    return str(get("general.public_url") or otherwise).rstrip("/")


def read(group: str) -> dict[str, Any]:
    """All values of a group, secrets masked. Raises NotFound, with the names that exist, for an unknown one."""
    declared = _declared(group)
    values: dict[str, Any] = dict(db.session.execute(stored(group)).all())
    return {name: values.get(name, setting.default) for name, setting in declared.items()}


def stored(group: str) -> Select[str, Any]:
    """The query for those of a group that are not left to their defaults."""
    return select(StoredSetting.name, StoredSetting.value).where(StoredSetting.group == group)


def defaults(group: str) -> dict[str, Any]:
    return {name: setting.default for name, setting in _declared(group).items()}


def write(session: Session, group: str, values: dict[str, Any]) -> list[str]:
    """Store some values of a group in the caller's transaction; returns the names of the secrets among them.

    A mask is what a client was shown: that secret stays. None is the default. Raises marshmallow's ValidationError.
    """
    hidden = {name for name, setting in _declared(group).items() if setting.secret}
    given = {name: value for name, value in values.items() if not (name in hidden and value == MASK)}
    loaded = schema(group).load(given)
    for name, value in loaded.items():
        row = StoredSetting(group=group, name=name, value=value)
        if value is None:
            session.execute(delete(StoredSetting).filter_by(group=group, name=name))
            continue
        if name in hidden:
            row.value, row.secret = MASK, secrets.current().encrypt(value, secrets.place(row, "secret"))
        session.merge(row)
    return sorted(hidden & loaded.keys())


def changed(group: str) -> set[str]:
    """The names of the settings in a group that are not left to their defaults."""
    return set(db.session.scalars(select(StoredSetting.name).filter_by(group=group)))


def reset(session: Session, group: str, name: str) -> bool:
    """Leave a setting to its default, in the caller's transaction; True where it was a secret. Raises NotFound."""
    declared = _declared(group).get(name)
    if declared is None:
        raise NotFound(f"The settings {group} have no {name!r}.")
    session.execute(delete(StoredSetting).filter_by(group=group, name=name))
    return declared.secret


def schema(group: str) -> Schema:
    """The marshmallow schema of a group; every key is optional."""
    fields = {name: setting.field for name, setting in _declared(group).items()}
    return Schema.from_dict(dict(fields), name=f"{group.title()}Settings")(partial=True)


def _declared(group: str) -> dict[str, Setting]:
    declared = groups()
    if group not in declared:
        raise NotFound(f"Unknown settings group {group!r}. There are: {', '.join(sorted(declared))}.")
    return declared[group]
