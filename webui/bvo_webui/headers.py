"""Headers of every page, also of the plugins' own: nothing is loaded from elsewhere, nothing stays in a cache."""

from __future__ import annotations

import gzip
import hashlib
import io
import secrets

from flask import make_response, request
from werkzeug.wrappers import Response

WORTH_BYTES, LEVEL = 1_000, 5
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
    return _packed(response) if response.mimetype == "text/html" else response


def _packed(response: Response) -> Response:
    """Compressed, where it is worth it. An answer to a POST may be kept for another time, and stays as it is.

    A random name of random length is in what is sent: from its size nobody learns what of a page was repeated.
    """
    response.vary.add("Accept-Encoding")
    if request.method != "GET" or response.status_code == 304 or response.is_streamed or response.content_encoding:
        return response
    plain = response.get_data()
    if len(plain) < WORTH_BYTES or request.accept_encodings.quality("gzip") <= 0:
        return response
    buffer = io.BytesIO()
    with gzip.GzipFile(secrets.token_hex(secrets.randbelow(50)), "wb", LEVEL, buffer) as packed:
        packed.write(plain)
    response.set_data(buffer.getvalue())
    response.content_encoding = "gzip"
    return response


def fragment(html: str, tag: str = "") -> Response:
    """A part of a page that a browser may keep, but must ask about: unchanged, it is 304 and nothing moves."""
    response: Response = make_response(html)
    response.set_etag(tag or hashlib.sha256(html.encode()).hexdigest()[:16])
    response.headers["Cache-Control"] = "private, no-cache"
    return response.make_conditional(request)
