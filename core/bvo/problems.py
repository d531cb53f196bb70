"""Errors as RFC 9457 problems. `detail` is always one string that says what to do: existing clients show it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, current_app, jsonify, request
from sqlalchemy.exc import DataError, IntegrityError, OperationalError
from werkzeug.exceptions import (
    BadRequest,
    Conflict,
    Forbidden,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    ServiceUnavailable,
    Unauthorized,
    UnprocessableEntity,
)
from werkzeug.wrappers import Response

from . import denials
from .stores import StoreUnavailable

log = logging.getLogger(__name__)

WHOLE = "_schema"
"""Marshmallow's name for what concerns no single field."""

ErrorPage = Callable[[HTTPException], Any]
"""Renders an error for a browser. A web UI sets `app.extensions["bvo_error_page"]`."""


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, respond)
    app.register_error_handler(IntegrityError, _integrity)
    app.register_error_handler(OperationalError, _operational)
    app.register_error_handler(StoreUnavailable, _store)
    app.register_error_handler(DataError, _value)
    app.register_error_handler(OverflowError, _value)  # SQLite's driver, at a number beyond 64 bits
    app.register_error_handler(Exception, _unexpected)


def respond(error: HTTPException) -> Any:
    """Answer with a page where a browser asks for one, else with a problem. Redirects pass, denials are recorded."""
    if error.code is None or error.code < 400:
        return error
    if error.code == Forbidden.code:
        denials.record(error)
    page: ErrorPage | None = _page()
    return page(error) if page else _problem(error)


def field_errors(messages: Any, path: str = "") -> dict[str, list[str]]:
    """Flatten marshmallow's nested messages to `{"permissions.0.artifact": ["…"]}`."""
    if isinstance(messages, dict):
        flat: dict[str, list[str]] = {}
        for key, value in messages.items():
            flat |= field_errors(value, f"{path}.{key}" if path else str(key))
        return flat
    return {path: [str(message) for message in (messages if isinstance(messages, list) else [messages])]}


def wants_page() -> bool:
    """True where the client would rather have a page than JSON: where it is a browser."""
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _page() -> ErrorPage | None:
    if request.path.startswith("/api/") or not wants_page():
        return None
    page: ErrorPage | None = current_app.extensions.get("bvo_error_page")
    return page


def _problem(error: HTTPException) -> Response:
    body: dict[str, Any] = {"type": "about:blank", "title": error.name, "status": error.code, "detail": _detail(error)}
    if errors := _errors(error):
        body["errors"] = errors
        body["detail"] = "; ".join(_sentence(field, messages) for field, messages in errors.items())
    response = jsonify(body)
    response.status_code = error.code or 500
    response.mimetype = "application/problem+json"
    if isinstance(error, Unauthorized):
        response.headers["WWW-Authenticate"] = "Bearer"  # RFC 9110 asks for one; no browser shows a login window for it
    _copy_headers(error, response)
    return response


def _sentence(field: str, messages: list[str]) -> str:
    return " ".join(messages) if field == WHOLE else f"{field}: {' '.join(messages)}"


def _detail(error: HTTPException) -> str:
    if isinstance(error, InternalServerError):
        return "The server failed at this request. It was logged; nothing was changed."
    if error.description == type(error).description and (hint := _hint(error)):
        return hint
    return str(error.description or error.name)


def _hint(error: HTTPException) -> str:
    """What to do, where werkzeug only says what is wrong."""
    if isinstance(error, NotFound):
        return "There is nothing at this address. Check the path, and the id in it."
    if isinstance(error, MethodNotAllowed):
        return f"{request.method} is not possible here. Possible are: {', '.join(sorted(error.valid_methods or ()))}."
    if isinstance(error, RequestEntityTooLarge):
        return f"The request is too large: at most {request.max_content_length} bytes are taken here. Send less."
    return ""


def _errors(error: HTTPException) -> dict[str, list[str]]:
    """Per field, from flask-smorest's and webargs' errors: `{"json": {"name": [...]}}` without the location."""
    messages = (getattr(error, "data", None) or {}).get("messages")
    if not isinstance(messages, dict):
        return {}
    flat: dict[str, list[str]] = {}
    for location, fields in messages.items():
        flat |= field_errors(fields) if isinstance(fields, dict) else field_errors(fields, str(location))
    return flat


def _copy_headers(error: HTTPException, response: Response) -> None:
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value


def _integrity(error: IntegrityError) -> Any:
    log.warning("A write broke a constraint: %s", error.orig)
    return respond(Conflict("This conflicts with something that exists already, or is still used elsewhere."))


def _operational(error: OperationalError) -> Any:
    log.error("The database failed: %s", error.orig)
    answer = ServiceUnavailable(
        "The database is busy or can't be reached. Nothing was changed; try again.", retry_after=2
    )
    return respond(answer)


def _store(error: StoreUnavailable) -> Any:
    log.error("%s %s failed: %s", request.method, request.path, error)
    answer = ServiceUnavailable(
        "The store of packages and artifacts can't be read or written now; the server's log has the reason. Try again.",
        retry_after=5,
    )
    return respond(answer)


def _value(error: DataError | OverflowError) -> Any:
    log.warning("The database refused a value: %s", error)
    return respond(UnprocessableEntity("A number or a text in the request can't be stored. Send another one."))


def _unexpected(error: Exception) -> Any:
    log.error("%s %s failed", request.method, request.path, exc_info=error)
    if isinstance(error, UnicodeDecodeError):
        return respond(BadRequest("The request holds text that is not UTF-8."))
    return respond(InternalServerError())
