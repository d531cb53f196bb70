"""The pages on which operators change settings: a form for each group, made from what is declared."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, flash, make_response, redirect, render_template, request, url_for
from marshmallow import ValidationError
from werkzeug.exceptions import BadGateway, UnprocessableEntity
from werkzeug.wrappers import Response

from bvo import access, mail, registry, settings
from bvo.access import requires
from bvo.database import transaction
from bvo.forms import Control, Form, Overtaken
from bvo_hookspecs import Setting, SettingsGroup

from . import service
from .groups import GROUPS
from .schemas import MailTestIn

pages = Blueprint("settings_pages", __name__, template_folder="templates")

EMAIL = "email"
"""The group whose settings can be tried."""


@pages.get("/ui/settings")
@requires("settings:view", principals=("user",))
def start() -> Response:
    """The first group."""
    return redirect(url_for("settings_pages.show", group=_groups()[0].name))


@pages.get("/ui/settings/<group>")
@requires("settings:view", principals=("user",))
def show(group: str) -> Response:
    return _page(group, _form(group))


@pages.post("/ui/settings/<group>")
@requires("settings:edit", principals=("user",))
def save(group: str) -> Response:
    """Store what was touched, or leave one setting to its default."""
    if name := request.form.get("reset"):
        service.reset(group, name)
        return _done(group, "a setting is back to its default.")
    form = _form(group).entered(request.form)
    try:
        data = form.data()
        with transaction():
            form.check_current(_form(group))
            service.update(group, data)
    except (ValidationError, UnprocessableEntity) as error:
        return _page(group, form.refused(error), 422)
    except Overtaken as error:
        return _page(group, error.form, 412)
    return _done(group, "the settings were saved." if data else "nothing was changed.")


@pages.post("/ui/settings/email/test")
@requires("settings:edit", principals=("user",))
def test_mail() -> Response:
    """Send a mail now, with the stored settings."""
    form = Form.of(MailTestIn()).entered(request.form)
    try:
        to = form.data()["to"]
        service.send_test_mail(to)
    except (ValidationError, UnprocessableEntity, BadGateway) as error:
        status = error.code or 422 if isinstance(error, BadGateway) else 422
        return _page(EMAIL, _form(EMAIL), status, trial=form.refused(error))
    return _done(EMAIL, f"a test mail is on its way to {to}.")


def _groups() -> list[SettingsGroup]:
    """Those that have settings: the standard ones, then the others."""
    known, standard = registry.current().of(SettingsGroup), [group.name for group in GROUPS]
    names = [name for name, declared in settings.groups().items() if declared]
    return [known[name] for name in sorted(names, key=lambda name: (name not in standard, *map(name.__ne__, standard)))]


def _form(group: str) -> Form:
    values, declared = settings.read(group), settings.groups()[group]
    secrets = [name for name, setting in declared.items() if setting.secret]
    form = Form.of(settings.schema(group), values=values, secrets=secrets, editing=True)
    stored = settings.changed(group)
    return replace(form, controls=tuple(_control(made, declared[made.key], stored) for made in form.controls))


def _control(control: Control, setting: Setting, stored: set[str]) -> Control:
    unit = setting.unit or control.unit
    default = "" if setting.default in (None, [], "") else f" Default: {_shown(setting.default)}{f' {unit}'.rstrip()}."
    return replace(control, hint=f"{setting.help}{default}", unit=unit, kept=control.kept and setting.name in stored)


def _shown(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _page(group: str, form: Form, status: int = 200, trial: Form | None = None) -> Response:
    page = render_template(
        "bvo_settings/group.html",
        groups=_groups(),
        group=registry.current().of(SettingsGroup)[group],
        form=form,
        stored=[control for control in form.controls if control.key in settings.changed(group)],
        trial=(trial or Form.of(MailTestIn())) if group == EMAIL and mail.is_set_up() else None,
        may_edit=access.principal().can("settings:edit"),
        action=url_for("settings_pages.save", group=group),
    )
    response: Response = make_response(page, status)
    return response


def _done(group: str, words: str) -> Response:
    flash(f"{registry.current().of(SettingsGroup)[group].label}: {words}")
    return redirect(url_for("settings_pages.show", group=group))
