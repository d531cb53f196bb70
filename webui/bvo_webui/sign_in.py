"""Signing in and out."""

from __future__ import annotations

from flask import make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import Forbidden, HTTPException
from werkzeug.wrappers import Response

from bvo import access, sessions
from bvo.access import public, requires

from .errors import detail, with_headers


@public
def form() -> Response:
    if _signed_in():
        return redirect(_target())
    return _page()


@public
def log_in() -> Response:
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("Another site sent this form. Open the login page yourself, and sign in there.")
    username = request.form.get("username", "").strip()
    try:
        found = sessions.log_in(username, request.form.get("password", ""))
    except HTTPException as error:
        return with_headers(_page(detail(error), username, error.code or 500), error)
    if found is None:
        return _page("Invalid credentials", username, 401)
    response = redirect(_target())
    sessions.start(response, found)
    return response


@requires(None)
def log_out() -> Response:
    response = redirect(url_for("webui.logged_out"))
    sessions.end(response)
    return response


@public
def logged_out() -> Response:
    """For those who have signed out; whoever has not goes on to the dashboard."""
    if _signed_in():
        return redirect(url_for("webui.dashboard"))
    response: Response = make_response(render_template("webui/logged_out.html"))
    return response


def _page(problem: str = "", username: str = "", status: int = 200) -> Response:
    page = render_template("webui/login.html", problem=problem, username=username, next=request.values.get("next", ""))
    response: Response = make_response(page, status)
    return response


def _target() -> str:
    """The page that was asked for, where it is one of ours; else the dashboard."""
    return sessions.local_path(request.values.get("next", "")) or url_for("webui.dashboard")


def _signed_in() -> bool:
    try:
        found = access.authenticate()
    except HTTPException:  # an old session: the form is what is needed
        return False
    return found is not None and found.kind == "user"
