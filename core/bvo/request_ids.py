"""`X-Request-ID`: one name for a request in the client's log, in ours, and in the answer."""

from __future__ import annotations

import logging
import re
import uuid

import structlog
from flask import Flask, g, request
from werkzeug.wrappers import Response

log = logging.getLogger(__name__)

HEADER = "X-Request-ID"
ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""What a client's id may look like: anything else could forge lines of the log."""


def init_app(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_answer)


def _begin() -> None:
    given = request.headers.get(HEADER, "")
    g.request_id = given if ACCEPTED.fullmatch(given) else str(uuid.uuid4())
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _answer(response: Response) -> Response:
    response.headers[HEADER] = g.get("request_id", "")
    log.debug("%s %s: %d", request.method, request.path, response.status_code)  # a query may hold a token
    return response
