"""Machines, and the proof that a robot runs on one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from werkzeug.exceptions import Conflict

from bvo import events, tokens
from bvo.database import db, transaction
from bvo.entities import Creates, Deletes

from .models import Machine


class MachineService(Creates[Machine], Deletes[Machine]):
    """Create, delete, and a new key; the database refuses to delete one that has robots."""

    empty_template = "bvo_machines/machines_empty.html"
    created_template = "bvo_machines/machine_created.html"

    def create(self, data: Mapping[str, Any]) -> Machine:
        """For mode `runner` the row carries `machine_key` this once; afterwards only its digest is known."""
        if data["mode"] != "runner":
            return super().create(data)
        key = tokens.new("bvom")
        machine = super().create({**data, "machine_key_hash": tokens.digest(key)})
        machine.machine_key = key  # type: ignore[attr-defined]
        return machine

    def renew_key(self, row_id: int) -> Machine:
        """Give the machine a new key, which the row carries this once. The old one ends; robots keep their tokens."""
        key = tokens.new("bvom")
        with transaction() as session:
            machine = self.get(row_id)
            if machine.mode != "runner":
                raise Conflict(f"Machine {machine.name} has no key: its mode is {machine.mode}.")
            machine.machine_key_hash = tokens.digest(key)
            session.flush()
            events.emit("key_renewed", self.entity, machine)
        machine.machine_key = key  # type: ignore[attr-defined]
        return machine


def find_by_key(key: str) -> Machine | None:
    """The machine that a machine key belongs to."""
    return db.session.scalars(select(Machine).where(Machine.machine_key_hash == tokens.digest(key))).one_or_none()
