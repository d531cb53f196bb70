"""The address of every page of the web UI: each list with each filter and in each order, and whatever is no list."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations, product
from typing import Any
from urllib.parse import urlencode

import audit_filters
import page_rows
from flask import Flask
from marshmallow import fields, validate

from bvo.database import utcnow
from bvo.entities import order_of, sortable
from bvo.settings import groups
from bvo_hookspecs import EntityType, Filter

LARGE = ("jobs", "queue_items")
"""Lists in which filters are combined."""
SOUGHT = {"queue_items": ("ORD-1", "nowhere to be found")}
BY_TIME = "sort=created_at&after={}:2020-01-01T00:00:00%2B00:00"
NO_PAGES = {
    "webui.static": "a file",
    "webui.export": "a file",
    "job_log_pages.file": "a file",
    "webui.login": "for those who are not signed in",
    "webui.logged_out": "for those who are not signed in",
    "auth_pages.forgot": "for those who are not signed in",
    "auth_pages.choose": "for those who are not signed in",
    "settings_pages.start": "leads to the first group",
}
"""What is not asked, and why."""


def pages(app: Flask, jobs: int) -> list[str]:
    """Every page of an app with so many jobs. Raises LookupError for one that nobody thought of."""
    with app.app_context():
        found = list(dict.fromkeys([*_others(app, jobs), *_lists(app, jobs)]))
    adapter = app.url_map.bind("localhost")
    seen = {str(adapter.match(address.partition("?")[0])[0]) for address in found}
    rules = (
        rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/ui/") and "GET" in (rule.methods or ())
    )
    if missing := {rule.endpoint for rule in rules} - seen - NO_PAGES.keys():
        raise LookupError(f"No address is known for {', '.join(sorted(missing))}: add one to page_addresses.py.")
    return found


def _others(app: Flask, jobs: int) -> Iterator[str]:
    """What is no list, with the parts that pages ask for by themselves."""
    middle, newest, running = max(1, jobs // 2), jobs, jobs - page_rows.waiting(jobs)
    yield from (f"/ui/{part}{days}" for part, days in product(("", "cards"), ("", "?range=7d", "?range=30d")))
    yield from ("/ui/plugins", "/ui/styleguide", "/ui/profile", "/ui/search")
    yield from ("/ui/event-types", "/ui/event-types/job.completed")
    yield from (
        f"/ui/{each}?q={text}" for each, text in product(("search", "palette"), ("r", "process", "4711", "ORD"))
    )
    yield from (f"/ui/settings/{name}" for name in groups())
    yield from (f"/ui/jobs/{job}" for job in (middle, newest, running))
    yield from (f"/ui/jobs/{middle}/log{query}" for query in ("", "?search=booked", "?line=2500", "?level=error"))
    yield from ("/ui/processes/1/versions/1", "/ui/jobs/new?process_id=1", "/ui/processes/suggestions?of=name&name=7")
    yield f"/ui/jobs/{newest}/edit"
    for action, query in (("cancel", "status=pending"), ("cancel", ""), ("retry", "status=failed")):
        yield f"/ui/jobs/bulk?action={action}&all=true&{query}"
    yield from (f"/ui/queue-items/bulk?action={action}&all=true" for action in ("retry", "delete"))
    for entity in app.extensions["bvo"].of(EntityType).values():
        row = {"jobs": middle, "webhook_deliveries": middle, "queue_items": min(9, max(1, jobs // 4))}.get(
            entity.plural, 1
        )
        if entity.plural == "api_tokens":
            continue  # there is none
        yield from (f"{_path(entity)}{row}{part}" for part in ("", "/live"))
        if entity.has("update") and entity.plural != "jobs":
            yield f"{_path(entity)}{1 if entity.plural != 'roles' else 2}/edit"
        if entity.has("create"):
            yield f"{_path(entity)}new"


def _lists(app: Flask, jobs: int) -> Iterator[str]:
    for entity in app.extensions["bvo"].of(EntityType).values():
        yield f"{_path(entity)}rows"
        if entity.plural == "audit":
            asked = audit_filters.questions(jobs * 10).values()
            yield from (_address(entity, question) for question in asked if "page" not in question)
            continue
        for given in _filters(entity):
            yield _address(entity, given)
            if entity.plural in LARGE or not given:
                yield from (_address(entity, {**given, "sort": order}) for order in _orders(entity, given))
    places = (f"after={jobs // 2}", f"before={jobs // 2}", BY_TIME.format(jobs // 2))
    yield from (f"/ui/jobs/?{place}" for place in places)
    yield from (f"/ui/jobs/?status=completed&{place}" for place in places[:2])


def _filters(entity: EntityType) -> Iterator[dict[str, Any]]:
    """No filter; each value of each one; and where the table is large, two of each of several together.

    A range of time, from or before, and what is wrong with a job are combined with one other filter at most.
    """
    yield {}
    values = {criterion.name: _values(entity, criterion) for criterion in entity.filters}
    in_pairs = {criterion.name for criterion in entity.filters if criterion.orders or criterion.name == "trouble"}
    for name, some in values.items():
        yield from ({name: value} for value in some)
    if entity.plural in LARGE:
        for count in range(2, len(values) + 1):
            for names in combinations(values, count):
                if count == 2 or not in_pairs.intersection(names):
                    each = product(*(values[name][-2:] for name in names))
                    yield from (dict(zip(names, chosen, strict=True)) for chosen in each)


def _orders(entity: EntityType, given: dict[str, Any]) -> Iterator[str]:
    """Every one; where a range of time is combined with another filter, the opposite of the list's own."""
    own = order_of(entity, given)
    if own.column != "id" and len(given) > 1:
        yield own.reversed.text
    else:
        yield from (f"{sign}{column}" for column in sorted(sortable(entity, given)) for sign in ("", "-"))


def _values(entity: EntityType, criterion: Filter) -> tuple[Any, ...]:
    if isinstance(criterion.field, fields.Boolean):
        return ("true",)
    if isinstance(criterion.field, fields.AwareDateTime):
        return tuple(f"{utcnow() - timedelta(days=days):%Y-%m-%dT%H:00}" for days in (1, 20))
    for validator in criterion.field.validators:
        if isinstance(validator, validate.OneOf):
            return tuple(map(str, validator.choices))
    if criterion.name == "search":
        return SOUGHT.get(entity.plural, ("r",))
    if criterion.name == "event_type":
        return ("job.failed", "job.eaten")
    return (3,) if criterion.name.endswith("_id") else ("int" if criterion.name == "type" else "report",)


def _address(entity: EntityType, query: dict[str, Any]) -> str:
    return f"{_path(entity)}?{urlencode(query)}" if query else _path(entity)


def _path(entity: EntityType) -> str:
    return f"/ui/{entity.plural.replace('_', '-')}/"
