"""Assets: stored typed, secrets encrypted, and revealed only to the job that may use them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema
from sqlalchemy import select
from werkzeug.exceptions import Conflict, Forbidden, NotFound, UnprocessableEntity

from bvo import access, denials, events, secrets
from bvo.database import db, transaction
from bvo.entities import Creates, Deletes, Updates
from bvo_jobs import execution
from bvo_jobs.models import Job
from bvo_processes.models import Process

from .models import MASK, Asset
from .schemas import FORMS, AssetForm

BOOLEANS = {"true": "true", "1": "true", "yes": "true", "false": "false", "0": "false", "no": "false"}


class AssetService(Creates[Asset], Updates[Asset], Deletes[Asset]):
    """Create, change and delete. A secret that is left out of a change stays as it is."""

    empty_template = "bvo_assets/assets_empty.html"

    form_begins_with = "type"

    def form_schema(self, row: Asset | None, given: Mapping[str, Any]) -> Schema:
        """A control that fits the type, which is chosen first."""
        kind = row.type if row else given.get("type")
        return FORMS[kind]() if kind else AssetForm(only=("type",))

    def create(self, data: Mapping[str, Any]) -> Asset:
        with transaction() as session:
            values, secret = _split(dict(data), data["type"])
            if secret is None and values["type"] in ("secret", "credential"):
                raise UnprocessableEntity(f"A {values['type']} needs a {_secret_field(values['type'])}.")
            asset = super().create(values)
            if secret is not None:
                asset.secret = _sealed(asset, secret)
            session.flush()
            return asset

    def update(self, row_id: int, data: Mapping[str, Any]) -> Asset:
        with transaction() as session:
            asset = self.get(row_id)
            if data.get("type", asset.type) != asset.type:
                raise UnprocessableEntity("An asset's type can't change. Delete it and create another one.")
            values, secret = _split(dict(data), asset.type)
            if secret is None:
                return self.change(session, asset, values)
            return self.change(session, asset, {**values, "secret": _sealed(asset, secret)}, secret_changed=True)

    def reveal(self, name: str, robot_id: int | None, lease_token: str | None) -> dict[str, Any]:
        """The asset with its secret, for the attempt that this robot runs. Audited before the secret leaves.

        Raises Conflict where the attempt does not hold its job any more, NotFound where there is no asset of that
        name, Forbidden where the job's process may not use it. Conflict and Forbidden are audited as well.
        """
        try:
            with transaction():
                job = execution.held_by_lease(robot_id, lease_token)
                execution.check_in_time(job)
                asset = self._for_job(name, job)
                if asset.is_secret:
                    events.emit("revealed", self.entity, asset, metadata={"job_id": job.id, "attempt": job.attempt})
        except (Conflict, Forbidden) as refusal:
            self._record_refusal(name, str(refusal.description))
            raise denials.recorded(refusal) from None
        return _revealed(asset)

    def _for_job(self, name: str, job: Job) -> Asset:
        asset = db.session.scalars(select(Asset).where(Asset.name == name)).one_or_none()
        if asset is None:
            raise NotFound(f"Asset not found: there is none named {name!r}.")
        if asset.processes and job.process_id not in asset.process_ids:
            raise Forbidden(f"The asset {name!r} is not for the process {job.process.name}. Add it to the asset.")
        return asset

    def _record_refusal(self, name: str, reason: str) -> None:
        asset_id = db.session.scalar(select(Asset.id).where(Asset.name == name))
        events.record(
            type="asset.reveal_refused",
            entity_type=self.entity.name,
            entity_label=self.entity.label,
            entity_id=str(asset_id or ""),
            entity_name=name,
            message=f"Robot {access.principal().name} was refused the Asset {name!r}: {reason}",
        )


def _revealed(asset: Asset) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": asset.name, "type": asset.type}
    if not asset.is_secret:
        return {**shown, "value": _typed(asset)}
    plain = secrets.current().decrypt(asset.secret or "", secrets.place(asset, "secret"))
    if asset.type == "credential":
        return {**shown, "username": asset.username, "password": plain}
    return {**shown, "value": plain}


def _typed(asset: Asset) -> str | int | bool | None:
    if asset.plain_value is None or asset.type == "text":
        return asset.plain_value
    return int(asset.plain_value) if asset.type == "int" else asset.plain_value == "true"


def _split(values: dict[str, Any], kind: str) -> tuple[dict[str, Any], str | None]:
    """The columns to set, and the secret apart. Raises UnprocessableEntity where a value does not fit its type."""
    secret = None
    if kind in ("secret", "credential"):
        given = values.pop("password", None), values.pop("value", None)
        secret = given[0] if kind == "credential" else given[1]
        secret = None if secret == MASK else secret  # a client sends back what it was shown
    elif "value" in values:
        values["plain_value"] = _checked(kind, values.pop("value"))
    values.pop("password", None)
    if "process_ids" in values:
        values["processes"] = _processes(values.pop("process_ids"))
    return values, secret


def _secret_field(kind: str) -> str:
    return "password" if kind == "credential" else "value"


def _checked(kind: str, value: str | None) -> str | None:
    if value is None or kind == "text":
        return value
    if kind == "boolean":
        if value.lower() not in BOOLEANS:
            raise UnprocessableEntity("The value of a boolean asset is true or false.")
        return BOOLEANS[value.lower()]
    try:
        return str(int(value))
    except ValueError:
        raise UnprocessableEntity("The value of an int asset is a whole number.") from None


def _processes(ids: list[int]) -> list[Process]:
    found = list(db.session.scalars(select(Process).where(Process.id.in_(ids))))
    if missing := set(ids) - {process.id for process in found}:
        raise UnprocessableEntity(f"There are no processes with these ids: {sorted(missing)}.")
    return found


def _sealed(asset: Asset, secret: str) -> str:
    return secrets.current().encrypt(secret, secrets.place(asset, "secret"))
