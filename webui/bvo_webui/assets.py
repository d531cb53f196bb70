"""Static files: kept by browsers for a year, under an address that changes with their content."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import request, send_from_directory, url_for
from werkzeug.wrappers import Response

from bvo import access

FOLDER = Path(__file__).parent / "static"
YEAR_SECONDS = 365 * 24 * 3600


@access.public
def view(name: str) -> Response:
    response = send_from_directory(FOLDER, name)
    if request.args.get("v"):
        response.cache_control.public = True
        response.cache_control.max_age = YEAR_SECONDS
        response.cache_control.immutable = True
    return response


def url(name: str) -> str:
    """The address of a static file, with the version of its content."""
    return url_for("webui.static", name=name, v=version(name))


def version(name: str) -> str | None:
    """A short hash of a file; None where it is missing, e.g. htmx in a checkout that was never built."""
    path = FOLDER / name
    return _hash(path, path.stat().st_mtime_ns) if path.is_file() else None


@lru_cache(maxsize=64)
def _hash(path: Path, modified_ns: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
