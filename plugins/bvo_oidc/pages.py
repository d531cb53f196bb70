"""The way to the provider, and the way back."""

from __future__ import annotations

import hmac
import re
from typing import cast

from flask import Blueprint, current_app, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from bvo import sessions, settings
from bvo.access import public
from bvo.sessions import LoginRefused
from bvo_hookspecs import Principal

from . import attempts, service
from .attempts import Attempt
from .configuration import Configuration
from .provider import Provider

NOT_BEGUN = (
    "This sign-in did not begin in this browser, another one has begun since, or it took more than ten minutes."
    " Sign in again."
)


def build(configuration: Configuration) -> Blueprint:
    """A new blueprint: each app has its own, and its own provider."""
    blueprint = Blueprint("oidc_pages", __name__, url_prefix="/ui/oidc")
    blueprint.add_url_rule("/login", "begin", begin)
    blueprint.add_url_rule("/callback", "end", end)
    blueprint.record(lambda state: state.app.extensions.update(bvo_oidc=Provider(configuration)))
    return blueprint


def current() -> Provider:
    """The provider of the running app."""
    return cast(Provider, current_app.extensions["bvo_oidc"])


@public
def begin() -> Response:
    """Send the browser to the provider."""
    attempt = attempts.begin(request.args.get("next", ""))
    try:
        response = redirect(current().authorization_url(attempt, _redirect_uri()))
    except HTTPException as error:
        return _refused(error, attempt)
    attempts.keep(response, attempt)
    return _unseen(response)


@public
def end() -> Response:
    """Where the provider sends the browser back to."""
    attempt = attempts.of_request()
    try:
        found = sessions.log_in_by("oidc", lambda: _proven(attempt))
    except HTTPException as error:
        response = _refused(error, attempt)
    else:
        response = redirect(sessions.local_path(attempt.next if attempt else "") or url_for("webui.dashboard"))
        sessions.start(response, found)
    attempts.forget(response)
    return _unseen(response)


def _proven(attempt: Attempt | None) -> Principal:
    """Whoever the provider sends. Raises LoginRefused, and ServiceUnavailable."""
    provider, given = current(), request.args
    if attempt is None or not hmac.compare_digest(given.get("state", "").encode(), attempt.state.encode()):
        raise LoginRefused(NOT_BEGUN)
    if given.get("iss", provider.configuration.issuer) != provider.configuration.issuer:
        raise LoginRefused("This answer came from another provider than the one that was asked. Sign in again.")
    if "error" in given or "code" not in given:
        raise LoginRefused(_told(given.get("error", ""), provider.configuration.label))
    return service.admit(provider.claims(given["code"], attempt, _redirect_uri()), provider.configuration)


def _told(error: str, label: str) -> str:
    if error == "access_denied":
        return f"You were not let in at {label}, or cancelled there."
    return f"{label} answered with an error: {error if re.fullmatch('[a-z_]{1,50}', error) else 'unknown'}."


def _refused(error: HTTPException, attempt: Attempt | None) -> Response:
    """The login page, with what went wrong."""
    page = render_template("webui/login.html", refusal=error.description, next=attempt.next if attempt else "")
    response: Response = make_response(page, error.code)
    for name, value in error.get_headers():
        if name == "Retry-After":
            response.headers[name] = value
    return response


def _redirect_uri() -> str:
    """What is registered at the provider."""
    return settings.public_url(request.host_url) + url_for("oidc_pages.end")


def _unseen(response: Response) -> Response:
    """An address with a code is kept nowhere, and told to nobody."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response
