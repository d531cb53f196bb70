"""What the web UI's form asks for a job: as its process describes the parameters."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields

from bvo.database import db
from bvo.forms import json_schema
from bvo_processes.models import Process

from . import states
from .models import Job
from .schemas import JobIn

NEW = ("process_id", "parameters", "robot_id", "priority", "timeout_seconds", "max_attempts", "retry_delay_seconds")
SETTLING = ("status", "result", "error_message")


def schema_for(row: Job | None, given: Mapping[str, Any], options: tuple[str, ...]) -> Schema:
    """For a new job with its process's `options` filled in; for a pending one; for one that only can be settled."""
    if row is not None:
        pending = row.status == states.PENDING
        return _asking(row.process, row.parameters)(only=(*NEW[1:], *SETTLING) if pending else SETTLING)
    process = db.session.get(Process, given["process_id"]) if "process_id" in given else None
    if process is None:
        return JobIn(only=NEW)
    return _asking(process, None, {name: getattr(process, name) for name in options})(only=NEW)


def _asking(
    process: Process, parameters: Mapping[str, Any] | None, defaults: Mapping[str, Any] | None = None
) -> type[Schema]:
    """JobIn with these defaults, and with a field for each parameter where the process describes them."""
    changed = {name: copy.copy(JobIn._declared_fields[name]) for name in defaults or {}}
    for name, field in changed.items():
        field.load_default = (defaults or {})[name]
    described = json_schema.schema_of(process.parameters_schema or {}, parameters)
    if described is not None:
        changed["parameters"] = fields.Nested(described, required=True)
    return JobIn.from_dict(changed)
