"""Writing, on both kinds of databases: all or nothing, durable, with time zones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import StatementError

from bvo import create_app, registry
from bvo.consumers import EventConsumer
from bvo.database import after_commit, check_reachable, db, transaction
from bvo.errors import StartupError
from bvo.settings import StoredSetting


def put(name: str, value: object = 1) -> None:
    with transaction() as session:
        session.merge(StoredSetting(group="test", name=name, value=value))


def stored() -> set[str]:
    return set(db.session.scalars(select(StoredSetting.name).filter_by(group="test")))


def test_a_transaction_commits_everything_together(app_context: Flask) -> None:
    with transaction():
        put("a")
        put("b")
    db.session.rollback()
    assert stored() == {"a", "b"}


def test_an_error_rolls_everything_back_also_what_an_inner_transaction_wrote(app_context: Flask) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        put("a")
        raise ZeroDivisionError
    assert stored() == set()
    put("b")
    assert stored() == {"b"}


def test_what_was_added_outside_of_a_transaction_is_not_written_by_the_next_one(app_context: Flask) -> None:
    db.session.add(StoredSetting(group="test", name="stray", value=1))
    put("a")
    assert stored() == {"a"}


def test_callbacks_run_after_the_outermost_commit(app_context: Flask) -> None:
    seen: list[set[str]] = []
    with transaction():
        with transaction():
            put("a")
            after_commit(lambda: seen.append(stored()))
        assert seen == []
    assert seen == [{"a"}]


def test_callbacks_never_run_after_a_rollback_nor_twice(app_context: Flask) -> None:
    seen: list[str] = []
    with pytest.raises(ZeroDivisionError), transaction():
        after_commit(lambda: seen.append("never"))
        raise ZeroDivisionError
    with transaction():
        after_commit(lambda: seen.append("once"))
    put("a")
    assert seen == ["once"]


def test_a_callback_may_write_in_a_transaction_of_its_own(app_context: Flask) -> None:
    with transaction():
        after_commit(lambda: put("later"))
    assert stored() == {"later"}


def test_a_callback_belongs_into_a_transaction(app_context: Flask) -> None:
    with pytest.raises(RuntimeError, match="after_commit needs a transaction"):
        after_commit(lambda: None)


def test_times_are_stored_in_utc_and_come_back_in_utc(app_context: Flask) -> None:
    evening_in_india = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    with transaction() as session:
        session.add(row := EventConsumer(name="night owl", position=0, lease_expires_at=evening_in_india))
    db.session.expire_all()
    assert row.lease_expires_at == evening_in_india
    assert row.lease_expires_at.tzinfo is UTC


def test_a_time_without_zone_is_refused(app_context: Flask) -> None:
    with pytest.raises(StatementError, match="has no time zone"), transaction() as session:
        session.add(EventConsumer(name="", position=0, lease_expires_at=datetime(2026, 1, 1)))  # noqa: DTZ001 - that is the point


def test_sqlite_is_durable_and_keeps_references(sqlite_app: Callable[..., Flask]) -> None:
    with sqlite_app().app_context():
        pragmas = {
            name: db.session.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    full = 2
    assert pragmas == {"journal_mode": "wal", "synchronous": full, "foreign_keys": 1, "busy_timeout": 10000}


def test_writers_on_sqlite_wait_for_each_other_and_lose_nothing(sqlite_app: Callable[..., Flask]) -> None:
    """Each reads before it writes: with a plain BEGIN, SQLite answers `database is locked` at once."""
    app, errors = sqlite_app(), []

    def count_up() -> None:
        try:
            for _ in range(15):
                with app.app_context(), transaction() as session:
                    row = session.get(StoredSetting, ("test", "counter"))
                    session.merge(StoredSetting(group="test", name="counter", value=(row.value if row else 0) + 1))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=count_up) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with app.app_context():
        assert db.session.get_one(StoredSetting, ("test", "counter")).value == 45


def test_a_reader_on_sqlite_does_not_wait_for_a_writer(sqlite_app: Callable[..., Flask]) -> None:
    app = sqlite_app()
    with app.app_context(), transaction() as session:
        session.add(StoredSetting(group="test", name="a", value=1))
        session.flush()
        with app.app_context():
            started = time.monotonic()
            assert stored() == set()
            assert time.monotonic() - started < 2


def unreachable(tmp_path: Path, url: str) -> str:
    with pytest.raises(StartupError) as caught:
        app = create_app({"BVO_DATA_DIR": tmp_path / "data", "BVO_DATABASE_URL": url})
        with app.app_context():
            check_reachable(registry.current().config)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("postgresql://u:geheim@127.0.0.1:1/db", "does not answer"),
        ("postgresql://127.0.0.1:1/db?user=u&password=geheim", "does not answer"),
        ("postgresql://u:geheim@127.0.0.1:port/db", "port"),
        ("postgresql://u:geh@eim@127.0.0.1:1/db", "percent-encode"),
        ("postgresql+nothing://u:geheim@127.0.0.1/db", "can't be used"),
        ("postgresql+psycopg2cffi://u:geheim@127.0.0.1/db", "needs the driver"),
        ("sqlite:////proc/nowhere/bvo.db", "unable to open database file"),
        ("sqlite+nothing:///bvo.db", "can't be used"),
    ],
)
def test_a_database_that_can_not_be_used_is_told_without_its_password(tmp_path: Path, url: str, why: str) -> None:
    message = unreachable(tmp_path, url)
    assert why in message
    assert "BVO_DATABASE_URL" in message
    assert "geheim" not in message
    assert "eim" not in message
