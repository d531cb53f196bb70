"""Headers of every page, also of the plugins' own: nothing is loaded from elsewhere, nothing stays in a cache."""

from __future__ import annotations

import hashlib

from flask import make_response, request
from werkzeug.wrappers import Response

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def secure(response: Response) -> Response:
    """Give a page the headers that it does not set itself."""
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def fragment(html: str, tag: str = "") -> Response:
    """A part of a page that a browser may keep, but must ask about: unchanged, it is 304 and nothing moves."""
    response: Response = make_response(html)
    response.set_etag(tag or hashlib.sha256(html.encode()).hexdigest()[:16])
    response.headers["Cache-Control"] = "private, no-cache"
    return response.make_conditional(request)
