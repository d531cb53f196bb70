"""The pages for those who forgot their password: ask for a link, and choose a new one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from marshmallow import EXCLUDE, ValidationError
from werkzeug.exceptions import Unauthorized
from werkzeug.wrappers import Response

from bvo import problems
from bvo.access import public

from . import accounts, reset_mail
from .schemas import ForgotIn, ResetIn

pages = Blueprint("auth_pages", __name__, template_folder="templates")


@pages.get("/ui/forgot")
@public
def forgot() -> Response:
    """Ask for user name and e-mail address."""
    return _page("forgot", offered=reset_mail.is_offered())


@pages.post("/ui/forgot")
@public
def ask() -> Response:
    """Answer the same, whoever asks."""
    try:
        data = ForgotIn(only=("username", "email"), unknown=EXCLUDE).load(request.form)
    except ValidationError as error:
        return _page("forgot", 422, offered=True, problem=_told(error))
    accounts.forgot(data["username"], data.get("email"), None)
    return _page("asked")


@pages.get(accounts.RESET_PAGE)
@public
def choose() -> Response:
    """Where a link leads. It is not used up by looking: programs that check mails open links, too."""
    if not (token := request.args.get("token", "")):
        return redirect(url_for("auth_pages.forgot"))
    return _page("choose", token=token)


@pages.post(accounts.RESET_PAGE)
@public
def change() -> Response:
    """Change the password. The token proves who it is: there is no session that another site's form could use."""
    token = request.form.get("token", "")
    try:
        data = ResetIn().load({"token": token, "newPassword": request.form.get("password", "")})
        accounts.reset(data["token"], data["new_password"])
    except ValidationError as error:
        return _page("choose", 422, token=token, problem=_told(error))
    except Unauthorized as error:
        return _page("forgot", 401, offered=reset_mail.is_offered(), problem=error.description)
    return _page("changed")


def _page(name: str, status: int = 200, **context: Any) -> Response:
    """A page that tells no other address, nor a log of one, the link that led to it."""
    response: Response = make_response(render_template(f"bvo_auth/{name}.html", **context), status)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    return response


def _told(error: ValidationError) -> str:
    return " ".join(message for messages in problems.field_errors(error.messages).values() for message in messages)
