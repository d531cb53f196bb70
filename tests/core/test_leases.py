"""Leases: many claim at once, each row goes to one of them, none is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta

from flask import Flask
from sqlalchemy import delete, select, update

from bvo import leases, tokens
from bvo.consumers import EventConsumer
from bvo.database import db, transaction
from bvo.leases import Lease

MINUTE = timedelta(minutes=1)
FREE = EventConsumer.lease_hash.is_(None)


def fill(count: int) -> list[int]:
    with transaction() as session:
        session.execute(delete(EventConsumer))
        rows = [EventConsumer(name=f"consumer {number}", position=0) for number in range(count)]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def claim(limit: int = 1, ttl: timedelta = MINUTE, **values: object) -> Lease:
    with transaction() as session:
        return leases.claim(session, EventConsumer, FREE, ttl=ttl, limit=limit, **values)


def renew(token: str, ttl: timedelta = MINUTE) -> int:
    with transaction() as session:
        return leases.renew(session, EventConsumer, token, ttl)


def test_concurrent_claims_take_every_row_exactly_once(make_app: Callable[..., Flask]) -> None:
    app, taken, errors = make_app(), [], []
    with app.app_context():
        rows = fill(60)
    start = threading.Barrier(4)

    def work() -> None:
        try:
            with app.app_context():
                start.wait()
                misses = 0
                while misses < 3:  # on PostgreSQL, rows that others hold are skipped: one miss does not mean the end
                    ids = claim(limit=3).ids
                    misses = 0 if ids else misses + 1
                    taken.extend(ids)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(taken) == rows
    with app.app_context():
        assert set(db.session.scalars(select(EventConsumer.attempt))) == {1}


def test_a_claim_takes_the_oldest_rows_up_to_its_limit_and_sets_values(app_context: Flask) -> None:
    rows = fill(5)
    lease = claim(limit=2, position=9)
    assert sorted(lease.ids) == rows[:2]
    found = db.session.get_one(EventConsumer, rows[0])
    assert (found.attempt, found.position, found.lease_expires_at) == (1, 9, lease.expires_at)
    assert len(claim(limit=10).ids) == 3
    assert claim().ids == []


def test_a_claim_may_have_another_order(app_context: Flask) -> None:
    rows = fill(3)
    with transaction() as session:
        lease = leases.claim(session, EventConsumer, FREE, ttl=MINUTE, order_by=[EventConsumer.id.desc()])
    assert lease.ids == [rows[-1]]


def test_a_claim_that_is_rolled_back_took_nothing(app_context: Flask) -> None:
    fill(1)
    try:
        with transaction() as session:
            leases.claim(session, EventConsumer, FREE, ttl=MINUTE)
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert len(claim().ids) == 1


def test_the_database_holds_only_the_digest_of_the_token(app_context: Flask) -> None:
    fill(1)
    lease = claim()
    assert lease.token.startswith("bvol_")
    assert db.session.scalar(select(EventConsumer.lease_hash)) == tokens.digest(lease.token) != lease.token


def test_only_the_holder_renews_its_lease_also_one_that_ran_out_as_long_as_nobody_took_it(app_context: Flask) -> None:
    fill(3)
    lease = claim(limit=2)
    assert renew(lease.token, 2 * MINUTE) == 2
    assert db.session.get_one(EventConsumer, lease.ids[0]).lease_expires_at > lease.expires_at
    assert renew("bvol_another") == 0
    assert renew(lease.token, -MINUTE) == 2
    assert renew(lease.token, -MINUTE) == 2
    with transaction() as session:
        session.execute(update(EventConsumer).where(EventConsumer.id == lease.ids[0]).values(lease_hash="another"))
    assert renew(lease.token) == 1


def test_a_lease_that_ran_out_can_be_claimed_by_another_who_counts_the_attempt(app_context: Flask) -> None:
    (row,) = fill(1)
    old = claim(ttl=-MINUTE)
    with transaction() as session:
        new = leases.claim(session, EventConsumer, leases.expired(EventConsumer), ttl=MINUTE)
        assert leases.claim(session, EventConsumer, leases.expired(EventConsumer), ttl=MINUTE).ids == []
    assert new.ids == [row]
    assert db.session.scalar(select(EventConsumer.attempt)) == 2
    assert renew(old.token) == 0
    assert renew(new.token) == 1


def test_a_row_without_a_lease_has_not_run_out(app_context: Flask) -> None:
    fill(1)
    with transaction() as session:
        assert leases.claim(session, EventConsumer, leases.expired(EventConsumer), ttl=MINUTE).ids == []
