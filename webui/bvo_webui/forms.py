"""The pages on which rows of every entity type are created and changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import flash, make_response, redirect, render_template, request
from markupsafe import Markup
from marshmallow import Schema, ValidationError
from sqlalchemy import select
from werkzeug.exceptions import NotFound, UnprocessableEntity
from werkzeug.wrappers import Response

from bvo.access import requires
from bvo.bodies import takes
from bvo.database import transaction
from bvo.entities import find
from bvo.forms import Form, Overtaken, search
from bvo_hookspecs import EntityType

from . import beginnings, errors
from .offers import chosen_first, max_body, new_url, proposed, schema_of, visible, writable, write
from .records import Record, load
from .shell import list_url, title_of


@requires(None)
def new(entity: str) -> Response:
    kind = writable(entity, "create")
    if (first := chosen_first(kind)) and not request.args.get(first):
        return make_response(_first_choice(kind, first))
    return make_response(_new_page(kind, _empty(kind)))


@requires(None)
@takes(max_body)
def create(entity: str) -> Response:
    """Make the row. What goes wrong is said on the form, which keeps what was entered."""
    kind = writable(entity, "create")
    form = _empty(kind).entered(request.form, request.files)
    errors.show_on(lambda problem: _new_page(kind, form.with_problem(problem)))
    try:
        row = write(kind, "create")({**_chosen(kind), **form.data()})
    except (ValidationError, UnprocessableEntity) as error:
        return make_response(_new_page(kind, form.refused(error)), 422)
    record = Record(kind, kind.read_schema().dump(row))
    if record.once:
        title = f"{record.heading} was created"
        return make_response(render_template(beginnings.created_template_of(kind), record=record, title=title))
    flash(Markup("{} {} was created.").format(kind.label, record.link))
    return _on_to(record.url)


@requires(None)
def edit(entity: str, row_id: int) -> Response:
    record = load(writable(entity, "update"), row_id)
    return make_response(_edit_page(record, _of_row(record.entity, row_id)))


@requires(None)
def update(entity: str, row_id: int) -> Response:
    """Change what was touched, unless somebody else has changed what the form shows: then both are shown."""
    record = load(writable(entity, "update"), row_id)
    form = _of_row(record.entity, row_id).entered(request.form)
    errors.show_on(lambda problem: _edit_page(record, form.with_problem(problem)))
    try:
        data = form.data()
        changed = _change(record.entity, row_id, form, data)
    except (ValidationError, UnprocessableEntity) as error:
        return make_response(_edit_page(record, form.refused(error)), 422)
    except Overtaken as overtaken:
        return make_response(_edit_page(record, overtaken.form), 412)
    told = Markup("{} {} was saved.") if data else Markup("{} {}: nothing was changed.")
    flash(told.format(record.entity.label, changed.link))
    return redirect(record.url)


@requires(None)
def suggestions(entity: str) -> Response:
    """Rows whose name contains what is typed into the field `of`, for those that are too many for a list."""
    kind = visible(entity)
    typed = request.args.get(request.args.get("of", ""), "")
    return make_response(render_template("webui/_suggestions.html", options=search(kind, typed)))


def _change(entity: EntityType, row_id: int, form: Form, data: Mapping[str, Any]) -> Record:
    """One transaction, with the row locked: of two who change the same, one wins and the other is told."""
    with transaction() as session:
        session.execute(select(entity.model.id).where(entity.model.id == row_id).with_for_update())
        form.check_current(_of_row(entity, row_id))
        if not data:
            return load(entity, row_id)
        return Record(entity, entity.read_schema().dump(write(entity, "update")(row_id, data)))


def _on_to(target: str) -> Response:
    """To the row's page; a script that shows how far an upload is goes there itself."""
    if "HX-Request" not in request.headers:
        return redirect(target)
    response: Response = make_response("")
    response.headers["HX-Redirect"] = target
    return response


def _empty(kind: EntityType) -> Form:
    chosen = _chosen(kind)
    schema = schema_of(kind, None, chosen)
    _leave_out(schema, chosen)
    given = {name: value for name, value in request.args.items() if name in schema.load_fields}
    values = {**proposed(kind, request.args), **given}
    return Form.of(schema, model=kind.model, secrets=kind.secrets, values=values)


def _leave_out(schema: Schema, names: Mapping[str, Any]) -> None:
    """What is chosen already is not asked again."""
    for name in names:
        schema.fields.pop(name, None)
        schema.load_fields.pop(name, None)


def _chosen(kind: EntityType) -> dict[str, Any]:
    """What was chosen before the rest of the form could be shown, by the address. Raises NotFound for what is none."""
    first = chosen_first(kind)
    control = Form.of(schema_of(kind, None, {}), model=kind.model).control(first)
    if control is None:
        return {}
    form = Form(schema_of(kind, None, {}), (control,)).entered(request.args)
    form.schema.partial = True
    try:
        return form.data()
    except ValidationError:
        raise NotFound from None


def _of_row(kind: EntityType, row_id: int) -> Form:
    row = find(kind, row_id)
    schema = schema_of(kind, row, {})
    shown = kind.read_schema().dump(row)
    more = {name: getattr(row, name, None) for name, field in schema.load_fields.items() if not field.load_only}
    return Form.of(schema, model=kind.model, secrets=kind.secrets, values={**more, **shown}, editing=True)


def _first_choice(kind: EntityType, first: str) -> str:
    form = Form.of(schema_of(kind, None, {}), model=kind.model)
    return _page("choose", kind, new_url(kind), choice=form.control(first))


def _new_page(kind: EntityType, form: Form) -> str:
    """The form; above it what was chosen before, with a way back to that choice."""
    first, chosen = chosen_first(kind), _chosen(kind)
    shown = Form.of(schema_of(kind, None, {}), model=kind.model, values=chosen).control(first)
    return _page(
        "new", kind, new_url(kind, **chosen), form=form, chosen=shown, again=new_url(kind), back=list_url(kind)
    )


def _edit_page(record: Record, form: Form) -> str:
    return _page("edit", record.entity, request.path, form=form, record=record, back=record.url)


def _page(name: str, kind: EntityType, action: str, **context: Any) -> str:
    context |= {"entity": kind, "list_title": title_of(kind), "list_url": list_url(kind), "action": action}
    return render_template(f"webui/{name}.html", **context)
