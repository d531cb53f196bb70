"""The pages on which many rows are acted upon: first what would be touched, then how it went."""

from __future__ import annotations

import secrets

from flask import make_response, render_template, request
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from bvo import access
from bvo.access import requires
from bvo.database import db
from bvo.dumps import dumper
from bvo.entities import first, scoped
from bvo_hookspecs import EntityType

from . import choices
from .bulk_actions import MAX_ROWS, Candidate, Deed, candidates, carry_out, chosen, deeds
from .lists import Row, ask_or_refuse, row_of
from .offers import visible
from .references import with_names
from .shell import list_url, title_of
from .values import detail_url, path_of

FIRST_ROWS = 10


@requires(None)
def preview(entity: str) -> Response:
    """What would be touched: how many, and the first of them."""
    kind = visible(entity)
    deed = _deed(kind, request.args.get("action", ""))
    question = ask_or_refuse(kind)
    everything = "all" in request.args
    if everything:
        rows = first(kind, question.arguments, question.order, MAX_ROWS)
    else:
        rows = chosen(kind, _ids(request.args.getlist("ids")))
    found = candidates(kind, deed, rows)
    touched = [each for each in found if each.applies]
    columns = [choice for choice in choices.of(kind) if choice.shown]
    page = render_template(
        "webui/bulk.html",
        entity=kind,
        title=title_of(kind),
        path=path_of(kind),
        deed=deed,
        back=question.url,
        found=found,
        touched=touched,
        headings=[choice.label for choice in columns],
        first=_first(kind, touched, [choice.name for choice in columns]),
        more=everything and len(rows) == MAX_ROWS,
        max_rows=MAX_ROWS,
        key=secrets.token_urlsafe(18),
    )
    return make_response(page)


@requires(None)
def run(entity: str) -> Response:
    """Do it, and tell how it went."""
    kind = visible(entity)
    deed = _deed(kind, request.form.get("action", ""))
    ids = _ids(request.form.get("ids", "").split(","))
    names = {each.id: each.name for each in candidates(kind, deed, chosen(kind, ids))}
    outcome = carry_out(kind, deed, ids)
    made = chosen(kind, list(outcome.made.values())[:FIRST_ROWS])
    names |= {each.id: each.name for each in candidates(kind, deed, made)}

    def named(row_id: int) -> dict[str, str]:
        return {"name": names.get(row_id, f"#{row_id}"), "url": detail_url(kind, row_id)}

    told = outcome.done[:FIRST_ROWS]
    page = render_template(
        "webui/bulk_done.html",
        entity=kind,
        title=title_of(kind),
        path=path_of(kind),
        deed=deed,
        back=list_url(kind),
        outcome=outcome,
        done=[(named(each), named(outcome.made[each]) if each in outcome.made else None) for each in told],
        failed=[{**named(each), "reason": reason} for each, reason in outcome.failed.items()],
        key=secrets.token_urlsafe(18),
    )
    return make_response(page)


def _deed(entity: EntityType, name: str) -> Deed:
    """Raises NotFound where the type has no such action, and Forbidden where the principal may not use it."""
    allowed = {deed.name: deed for deed in deeds(entity)}
    if name in allowed:
        return allowed[name]
    if name == "delete" and entity.has("delete"):
        access.require(f"{entity.plural}:delete")
    for action in entity.actions:
        if action.name == name and action.bulk:
            access.require(f"{entity.plural}:{action.operation}")
    raise NotFound(f"{entity.label} has no action {name!r}.")


def _ids(values: list[str]) -> list[int]:
    """Raises BadRequest where nothing was chosen, or more than can be done at once."""
    ids = list(dict.fromkeys(int(value) for value in values if value.isascii() and value.isdigit() and len(value) < 10))
    if not ids:
        raise BadRequest("Nothing was chosen. Go back, and select the rows that you mean.")
    if len(ids) > MAX_ROWS:
        raise BadRequest(f"At most {MAX_ROWS:,} rows can be changed at once.")
    return ids


def _first(entity: EntityType, touched: list[Candidate], columns: list[str]) -> list[Row]:
    """The first of these rows, with what belongs to them: read at once, not row by row."""
    ids, dump = [each.id for each in touched[:FIRST_ROWS]], dumper(entity.read_schema)
    whole = db.session.scalars(scoped(entity).where(entity.model.id.in_(ids))).unique()
    rows = {row.id: dump(row) for row in whole}
    return [row_of(entity, row, columns) for row in with_names((rows[each] for each in ids if each in rows), columns)]
