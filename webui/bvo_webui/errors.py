"""Errors in the browser: a calm page that says what happened and shows a way on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import urlsplit

from flask import g, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException, InternalServerError, NotFound, Unauthorized
from werkzeug.wrappers import Response

from bvo import access

from .text import words

log = logging.getLogger(__name__)

UNEXPECTED = "The server failed at this request. It was logged; nothing was changed."
MISSING = "There is nothing at this address. It may have been removed, or the link is incomplete."


def page(error: HTTPException) -> Response:
    """What a browser gets instead of a problem document. Whoever is not signed in comes to the login page."""
    if isinstance(error, Unauthorized):
        return _to_login()
    shown = _told_where_it_happened(error) or _page_of_its_own(error)
    return with_headers(make_response(shown, error.code or 500), error)


def with_headers(response: Response, error: HTTPException) -> Response:
    """The response with what the error's headers say, e.g. when to try again."""
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def show_on(page_with: Callable[[str], str]) -> None:
    """From here on, an error of this request is shown by `page_with(what went wrong)` instead of a page of its own."""
    g.webui_page_with = page_with


def detail(error: HTTPException) -> str:
    """The reason in words; nothing of the inside where the server itself failed."""
    if isinstance(error, InternalServerError):
        return UNEXPECTED
    if isinstance(error, NotFound) and error.description == NotFound.description:
        return MISSING
    return str(error.description or error.name)


def _told_where_it_happened(error: HTTPException) -> str:
    if page_with := g.pop("webui_page_with", None):
        try:
            return str(page_with(detail(error)))
        except HTTPException:
            log.info("The page that an error belongs to is gone", exc_info=True)
    return ""


def _page_of_its_own(error: HTTPException) -> str:
    return render_template("webui/error.html", code=error.code, title=_title(error), detail=detail(error), back=_back())


def _title(error: HTTPException) -> str:
    return words(error.name.lower().replace(" ", "_"))


def _to_login() -> Response:
    """For a page that polls: the whole page goes to the login form, not the part of it that asked."""
    target = url_for("webui.login", next=_after_login())
    if "HX-Request" not in request.headers:
        return redirect(target)
    response: Response = make_response("", 401)
    response.headers["HX-Redirect"] = target
    return response


def _after_login() -> str | None:
    """The page to come back to: this one, or where it is a form's or a fragment's address the page that it stood on."""
    if request.method == "GET" and "HX-Request" not in request.headers:
        return request.full_path.rstrip("?")
    return _referring_path()


def _back() -> str:
    if request.method == "POST" and (path := _referring_path()):
        return path
    return url_for("webui.dashboard") if access.principal().kind == "user" else "/"


def _referring_path() -> str | None:
    referrer = urlsplit(request.referrer or "")
    return referrer.path if referrer.netloc == request.host else None
