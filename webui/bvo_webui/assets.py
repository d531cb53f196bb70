"""Static files: compressed, and kept by browsers for a year under an address that changes with their content."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path

from flask import request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.security import safe_join
from werkzeug.wrappers import Response

from bvo import access

FOLDER = Path(__file__).parent / "static"
TEXT = (".css", ".js", ".svg", ".txt")
YEAR_SECONDS = 365 * 24 * 3600


@access.public
def view(name: str) -> Response:
    found = safe_join(str(FOLDER), name)
    if found is None or not Path(found).is_file():
        raise NotFound
    path = Path(found)
    packed = path.suffix in TEXT and request.accept_encodings.quality("gzip") > 0
    response = Response(
        _content(path, path.stat().st_mtime_ns, packed), mimetype=mimetypes.guess_type(name)[0] or "text/plain"
    )
    response.set_etag(f"{version(name)}{'-gzip' if packed else ''}")
    response.vary.add("Accept-Encoding")
    if packed:
        response.content_encoding = "gzip"
    if request.args.get("v"):
        response.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
    else:
        response.headers["Cache-Control"] = "no-cache"
    return response.make_conditional(request)


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


@lru_cache(maxsize=64)
def _content(path: Path, modified_ns: int, packed: bool) -> bytes:
    return gzip.compress(path.read_bytes(), mtime=0) if packed else path.read_bytes()
