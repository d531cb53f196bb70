"""A job's log in the web UI: any part of it as a page or as the lines alone, and all of it as a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, make_response, render_template, request, stream_with_context, url_for
from marshmallow import EXCLUDE, Schema, ValidationError, fields, validate
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from bvo import registry
from bvo.access import requires
from bvo.entities import ROW, is_storable

from . import lines, states
from .lines import Excerpt, Log, Position, Sought
from .models import Job
from .service import JobService

MAX_NUMBER = 2**31 - 1

pages = Blueprint("job_log_pages", __name__, url_prefix=f"/ui/jobs/{ROW}")


class Query(Schema):
    class Meta:
        unknown = EXCLUDE

    search = fields.String(load_default="", validate=[validate.Length(max=200), is_storable])
    level = fields.String(load_default="", validate=validate.OneOf(list(lines.LEVELS)))
    attempt = fields.Integer(validate=validate.Range(0, 100_000))
    line = fields.Integer(validate=validate.Range(1, MAX_NUMBER))
    before = fields.Integer(validate=validate.Range(1, MAX_NUMBER))
    after = fields.String(validate=validate.Regexp(r"\d{1,9}\.\d{1,9}\.\d{1,9}$"))


@pages.get("/log")
@requires("jobs:view")
def log(row_id: int) -> Response:
    """The log's end, or what is asked for. To a page that has a part of it already: only the lines."""
    job, query = _job(row_id), _query()
    shown = view(job, query)
    if "HX-Request" not in request.headers:
        return make_response(render_template("bvo_jobs/log.html", **shown))
    response: Response = make_response(render_template("bvo_jobs/log_lines.html", **shown))
    response.headers["Cache-Control"] = "private, no-cache"
    response.add_etag()
    return response.make_conditional(request)


@pages.get("/log.txt")
@requires("jobs:view")
def file(row_id: int) -> Response:
    """The whole log as a file."""
    job = _job(row_id)
    attempt = _query().get("attempt", job.attempt)
    response: Response = make_response(stream_with_context(Log(job.id, attempt).text()))
    response.mimetype = "text/plain"
    name = f"job-{job.id}-attempt-{attempt}.log"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def view(job: Job, query: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates of a log need: the lines, and the addresses of what is before, behind and new.

    Who follows an attempt that is over gets the end of the one that came after it.
    """
    following = "after" in query
    attempt = job.attempt if following else query.get("attempt", job.attempt)
    moved_on = following and query.get("attempt", attempt) != attempt
    sought = Sought(query.get("search", ""), query.get("level", ""))
    part = _part(Log(job.id, attempt), sought, query, moved_on=moved_on)
    path = partial(url_for, "job_log_pages.log", **_chosen(sought), row_id=job.id, attempt=attempt)
    finished = (states.is_final(job.status) or attempt < job.attempt) and not part.more
    return {
        "job": job,
        "attempt": attempt,
        "sought": sought,
        "part": part,
        "chosen_line": query.get("line"),
        "follow": "" if finished or query.get("line") or query.get("before") else path(after=str(part.position)),
        "earlier": path(before=part.earlier) if part.earlier else "",
        "later": path(line=part.later) if part.later else "",
        "file": url_for("job_log_pages.file", row_id=job.id, attempt=attempt),
    }


def _part(log: Log, sought: Sought, query: Mapping[str, Any], *, moved_on: bool) -> Excerpt:
    if moved_on:
        return replace(log.end(sought), replaces=True)
    if "after" in query:
        return log.after(Position.parse(query["after"]), sought)
    return log.around(query["line"]) if "line" in query else log.end(sought, query.get("before"))


def _chosen(sought: Sought) -> dict[str, Any]:
    return {name: value for name, value in (("search", sought.text), ("level", sought.level)) if value}


def _query() -> dict[str, Any]:
    """What the address asks for; a form sends fields that were left empty, too. Raises BadRequest."""
    try:
        found: dict[str, Any] = Query().load({name: value for name, value in request.args.items() if value})
    except ValidationError as error:
        names = ", ".join(sorted(map(str, error.messages_dict)))
        raise BadRequest(f"The address has a value for {names} that is none.") from None
    return found


def _job(row_id: int) -> Job:
    return registry.current().service(JobService).get(row_id)
