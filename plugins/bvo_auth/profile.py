"""The page of whoever is signed in: roles and permissions, password, sessions, API tokens."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, TooManyRequests, UnprocessableEntity
from werkzeug.wrappers import Response

from bvo import access, registry, sessions
from bvo.access import requires
from bvo.database import db
from bvo.entities import ROW, fetch_page
from bvo.forms import Form
from bvo_access.models import User
from bvo_hookspecs import EntityType
from bvo_hookspecs.entities import OPERATIONS

from . import accounts
from .permissions import permission_map
from .schemas import OwnPasswordIn
from .service import SessionService

pages = Blueprint("profile_pages", __name__, template_folder="templates")

TOKENS_SHOWN = 50


@pages.get("/ui/profile")
@requires(None)
def show() -> Response:
    return _page(Form.of(OwnPasswordIn()))


@pages.post("/ui/profile/password")
@requires(None)
def change_password() -> Response:
    """Change one's password. All sessions end; this browser gets a new one."""
    form = Form.of(OwnPasswordIn()).entered(request.form)
    try:
        data = form.data()
        accounts.change_own(data["current_password"], data["new_password"])
    except (ValidationError, UnprocessableEntity) as error:
        return _page(form.refused(error), 422)
    except TooManyRequests as error:
        return _with_headers(_page(form.refused(error), 429), error)
    flash("Your password was changed. Everywhere else you are signed out.")
    response = redirect(url_for("profile_pages.show"))
    sessions.start(response, access.principal())
    return response


@pages.post(f"/ui/profile/sessions/{ROW}/end")
@requires(None)
def end_session(row_id: int) -> Response:
    """Sign out somewhere else."""
    registry.current().service(SessionService).end_own(row_id)
    flash("The session was ended.")
    return redirect(url_for("profile_pages.show"))


def _page(form: Form, status: int = 200) -> Response:
    user = db.session.get_one(User, access.principal().id)
    page = render_template(
        "bvo_auth/profile.html",
        user=user,
        permissions=permission_map(access.principal())["by_artifact"],
        operations=OPERATIONS,
        sessions=registry.current().service(SessionService).own(),
        tokens=_tokens(),
        form=form,
        action=url_for("profile_pages.change_password"),
    )
    response: Response = make_response(page, status)
    return response


def _tokens() -> dict[str, Any] | None:
    """One's API tokens, where there are such, and one may see them."""
    entity = registry.current().of(EntityType).get("api_token")
    principal = access.principal()
    if entity is None or not principal.can(f"{entity.plural}:view"):
        return None
    rows = fetch_page(entity, {"page_size": TOKENS_SHOWN, "user_id": principal.id}).rows
    return {
        "rows": rows,
        "path": entity.plural.replace("_", "-"),
        "may_create": principal.can(f"{entity.plural}:create"),
    }


def _with_headers(response: Response, error: HTTPException) -> Response:
    for name, value in error.get_headers():
        if name == "Retry-After":
            response.headers[name] = value
    return response
