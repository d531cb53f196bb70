"""A package's panels."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from bvo.database import db
from bvo_hookspecs import DetailPanel

from . import contents
from .models import Package

MAX_VERSIONS = 50


def content(package_id: int) -> dict[str, Any]:
    """What is in it. A long readme is cut."""
    package = db.session.get_one(Package, package_id)
    return {"package": package, "readme": contents.readme(package)}


def versions(package_id: int) -> dict[str, Any]:
    """The packages of the same name, newest first."""
    package = db.session.get_one(Package, package_id)
    same = select(Package).where(Package.name == package.name).order_by(Package.id.desc()).limit(MAX_VERSIONS + 1)
    found = db.session.scalars(same).all()
    return {"package": package, "versions": found[:MAX_VERSIONS], "more": len(found) > MAX_VERSIONS}


PANELS = (
    DetailPanel(
        name="content",
        entity_type="package",
        title="What is in it",
        template="bvo_packages/content_panel.html",
        context=content,
        order=10,
        covers=("scripts", "size_bytes", "version", "created_at"),
    ),
    DetailPanel(
        name="package_versions",
        entity_type="package",
        title="Versions",
        template="bvo_packages/versions_panel.html",
        context=versions,
        order=30,
        refresh=False,
    ),
)
