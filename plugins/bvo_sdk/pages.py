"""The page on which a user lets a tool in, or does not."""

from __future__ import annotations

from flask import Blueprint, render_template, request

from bvo.access import requires

from . import service

pages = Blueprint("sdk_pages", __name__, template_folder="templates")


@pages.get("/sdk-auth")
@requires(None)
def confirm() -> str:
    """Show which tool asks, from where, and with which code. Who is not signed in signs in first, and returns here."""
    session_id = request.args.get("session_id", "")
    return render_template("bvo_sdk/confirm.html", login=service.find(session_id), session_id=session_id)


@pages.post("/sdk-auth")
@requires(None)
def decide() -> str:
    """Confirm or deny, as the button says."""
    session_id = request.form.get("session_id", "")
    confirmed = request.form.get("decision") == "confirm"
    (service.confirm if confirmed else service.deny)(session_id)
    return render_template("bvo_sdk/decided.html", confirmed=confirmed)
