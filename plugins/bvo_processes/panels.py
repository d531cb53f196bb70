"""A process's panels, and that of the packages that processes use."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bvo.database import db
from bvo_hookspecs import DetailPanel

from . import service
from .models import Process, ProcessVersion

SHOWN, MAX_USERS = 20, 50
TOLD = (
    "description",
    "package",
    "package_id",
    "script_path",
    "version",
    "is_active",
    *("max_attempts", "max_running_jobs"),
)


def definition(process_id: int) -> dict[str, Any]:
    return {"process": db.session.get_one(Process, process_id)}


def versions(process_id: int) -> dict[str, Any]:
    """Each version with the one before it, so that one sees what it changed."""
    found = service.versions(process_id, SHOWN + 1)
    return {
        "process": db.session.get_one(Process, process_id),
        "pairs": list(zip(found, [*found[1:], None], strict=True))[:SHOWN],
        "more": len(found) > SHOWN,
    }


def used_by(package_id: int) -> dict[str, Any]:
    """The processes that run this package now, and how many earlier versions of processes did."""
    using = select(Process).where(Process.package_id == package_id).order_by(Process.name).limit(MAX_USERS + 1)
    found = db.session.scalars(using).unique().all()
    earlier = select(ProcessVersion.id).where(ProcessVersion.package_id == package_id).limit(1)
    return {
        "package_id": package_id,
        "processes": found[:MAX_USERS],
        "more": len(found) > MAX_USERS,
        "earlier": db.session.scalar(earlier) is not None,
    }


PANELS = (
    DetailPanel(
        name="definition",
        entity_type="process",
        title="What it runs",
        template="bvo_processes/definition_panel.html",
        context=definition,
        order=10,
        covers=TOLD,
    ),
    DetailPanel(
        name="process_versions",
        entity_type="process",
        title="Versions",
        template="bvo_processes/versions_panel.html",
        context=versions,
        order=60,
        refresh=False,
    ),
    DetailPanel(
        name="used_by",
        entity_type="package",
        title="Used by",
        template="bvo_processes/used_by_panel.html",
        context=used_by,
        order=20,
        permission="processes:view",
        refresh=False,
    ),
)
