"""No page costs more as the tables grow: what SQLite does for each is counted, with few rows and with many.

It counts steps, not time, so a busy machine changes nothing. Rows and addresses are those of `benchmarks/pages.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from bvo.database import db
from bvo.entities import looking, query, slices
from bvo_audit import query as audit_query
from bvo_dashboard import attention
from bvo_jobs import cards as job_cards
from bvo_jobs import hours, troubles, utilisation
from bvo_queues import board, failures
from bvo_queues import cards as queue_cards
from bvo_webui import bulk, bulk_actions, finding
from docs.markdown import ROOT
from support.browser import Browser
from support.databases import SqliteDatabases

FEW, MANY, CAP = 4_000, 16_000, 50
CAPS: tuple[tuple[ModuleType, str], ...] = (
    *((module, "MAX_COUNT") for module in (query, slices, audit_query)),
    *((looking, name) for name in ("IN_AN_INDEX", "IN_A_ROW", "APART")),
    (audit_query, "LOOKED_THROUGH"),
    *((module, "MOST") for module in (attention, troubles, queue_cards, board)),
    *((board, "MOST_ENDED"), (failures, "LOOKED_AT"), (job_cards, "JOBS_OF_A_ROBOT"), (utilisation, "MAX_JOBS")),
    *((finding, "RECENT"), (bulk, "MAX_ROWS"), (bulk_actions, "MAX_ROWS")),
)
"""How much pages read at most: so little here that the tables have more of it, also where they are small."""
STEPS = 10
"""SQLite reports every so many of its steps."""
GROWS, NOISE = 1.3, 3_000
"""So much more may be asked of the larger tables: their trees are deeper, and the last hours have more in them."""


Make = Callable[[int], "Site"]


class Site:
    """An app with so many jobs, and what its pages ask of the database."""

    def __init__(self, app: Flask, jobs: int) -> None:
        self.app, self.jobs, self.steps = app, jobs, 0
        self.browser = Browser(app.test_client())
        with app.app_context():
            event.listen(db.engine, "checkout", self._count)
        self.browser.log_in()

    def without(self, index: str) -> Site:
        with self.app.app_context(), db.engine.begin() as connection:
            connection.exec_driver_sql(f"DROP INDEX {index}")
        return self

    def costs(self, addresses: list[str]) -> list[int]:
        """The steps for each page."""
        found = []
        for address in addresses:
            self.steps = 0
            self.browser.get(address)
            found.append(self.steps)
        with self.app.app_context():
            event.remove(db.engine, "checkout", self._count)
        return found

    def _count(self, connection: Any, record: object, proxy: object) -> None:
        connection.set_progress_handler(self._step, STEPS)

    def _step(self) -> int:
        self.steps += STEPS
        return 0


@pytest.fixture
def make(lend: Callable[..., Flask], sqlite: SqliteDatabases, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a site with so many jobs, and forgets the one before."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import audit_rows
    import page_rows

    for module, name in CAPS:
        monkeypatch.setattr(module, name, CAP)

    def made(jobs: int) -> Site:
        app = lend(sqlite)
        with app.app_context():
            page_rows.fill(db.engine, jobs)
            page_rows.tell(db.engine, jobs)
            list(audit_rows.grow(db.engine, 2 * jobs))
            for _ in range(1 + hours.KEPT // hours.HOUR // hours.BATCH):
                hours.summarise()
        return Site(app, jobs)

    return made


def more_than(few: int, many: int) -> bool:
    return many > GROWS * few + NOISE


def test_no_page_asks_more_of_larger_tables(make: Make) -> None:
    import page_addresses

    costs = []
    addresses: list[str] = []
    for jobs in (FEW, MANY):
        site = make(jobs)
        addresses = page_addresses.pages(site.app, jobs)
        costs.append(site.costs(addresses))
    grown = {address: (few, many) for address, few, many in zip(addresses, *costs, strict=True) if more_than(few, many)}
    assert grown == {}
    assert len(addresses) > 500


def test_it_is_noticed_where_an_index_is_missing(make: Make) -> None:
    few, many = (make(jobs).without("ix_jobs_status").costs(["/ui/jobs/?status=running"])[0] for jobs in (FEW, MANY))
    assert more_than(few, many)
