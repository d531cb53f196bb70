"""Seals of the audit log: what is changed behind them is found, and named."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from bvo import create_app, delivery, event_log, events
from bvo.database import db, transaction, utcnow
from bvo.event_log import Horizon, LoggedEvent
from bvo.observers import Observers
from bvo.settings import StoredSetting
from bvo.worker import Worker
from bvo_audit import canonical, retention, sealing, verification
from bvo_audit.canonical import Tally
from bvo_audit.models import AuditSeal
from bvo_audit.verification import Result
from support.databases import SqliteDatabases
from support.program import Program, disposing
from support.walls import happen, logged

COPY = "INSERT INTO events ({columns}) SELECT {values} FROM events WHERE id = 5"
GAP = 6
HASH = "4fc964bed04dbe094d7097472b955c036d614588083ac4f79bbae4c54ae13e7a"
"""That of the event below. Where another one is right, logs that are sealed can't be verified any more."""


@pytest.fixture(autouse=True)
def _short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "STRETCH", 4)
    monkeypatch.setattr(verification, "PAGE", 2)


@pytest.fixture
def sealed(app_context: Flask) -> Flask:
    """Events at the places 1 to 11, without GAP, under three seals: 1 to 4, 5 to 9, 10 and 11."""
    with transaction():
        for number in range(1, 12):
            happen(f"wall {number}", before={"height": number}, after={"height": number + 1})
    run("DELETE FROM events WHERE id = :place", place=GAP)
    sealing.seal()
    return app_context


def run(*statements: str, **values: Any) -> None:
    """What somebody does who can write to the database."""
    with transaction() as session:
        for statement in statements:
            session.execute(text(statement), values)


def insert_at(place: int) -> str:
    columns = ", ".join(column.name for column in event_log.TABLE.c)
    values = ", ".join(str(place) if column.name == "id" else column.name for column in event_log.TABLE.c)
    return COPY.format(columns=columns, values=values)


def verify(*heads: str, kept_days: int = 0) -> Result:
    db.session.rollback()
    db.session.expunge_all()
    return verification.verify(heads, kept_days, lambda done: None)


def found(*heads: str, kept_days: int = 0) -> tuple[str, int | None, int | None] | None:
    """The kind of what does not fit, and where; None where the log is whole."""
    fault = verify(*heads, kept_days=kept_days).fault
    return fault and (fault.kind, fault.seal, fault.place)


def seals() -> list[AuditSeal]:
    db.session.rollback()
    return list(db.session.scalars(select(AuditSeal).order_by(AuditSeal.id)))


# --- sealing


def test_what_is_sealed_is_whole(sealed: Flask) -> None:
    assert [(seal.first, seal.last, seal.count) for seal in seals()] == [(1, 4, 4), (5, 9, 4), (10, 11, 2)]
    result = verify()
    assert (result.fault, result.events, result.seals, result.unsealed) == (None, 10, 3, 0)
    happen("tower")
    assert verify().unsealed == 1
    sealing.seal()
    sealing.seal()
    assert [(seal.first, seal.last) for seal in seals()][3:] == [(12, 12)]
    assert verify().unsealed == 0


def test_a_worker_seals_what_is_new(sqlite_app: Callable[..., Flask]) -> None:
    app = sqlite_app()
    with app.app_context():
        happen()
    Worker(app).step()
    with app.app_context():
        assert [seal.count for seal in seals()] == [1]


def test_a_log_without_events_has_no_seal_and_is_whole(app_context: Flask) -> None:
    sealing.seal()
    assert (seals(), found()) == ([], None)


def test_a_backlog_is_sealed_bit_by_bit_so_that_events_are_delivered_meanwhile(
    app_context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "SECONDS", 0)
    for number in range(10):
        happen(f"wall {number}")
    counts = []
    for _ in range(4):
        sealing.seal()
        counts.append(len(seals()))
    assert counts == [1, 2, 3, 3]


def test_the_log_of_an_older_installation_is_sealed_from_where_it_begins(app_context: Flask) -> None:
    for number in range(6):
        happen(f"wall {number}")
    run("UPDATE events SET id = id + 500")
    sealing.seal()
    assert [(seal.first, seal.last) for seal in seals()] == [(501, 504), (505, 506)]
    assert found() is None
    run(insert_at(3).replace("id = 5", "id = 501"))
    assert found() == ("event_added", 1, 3)


def test_workers_at_the_same_time_seal_each_event_once(app_context: Flask) -> None:
    for number in range(30):
        happen(f"wall {number}")
    start, sealed = threading.Barrier(3), []

    def work() -> None:
        with app_context.app_context():
            start.wait()
            while True:
                with suppress(IntegrityError):
                    if not (count := sealing.seal_next(30)):
                        return
                    sealed.append(count)

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sum(sealed) == sum(seal.count for seal in seals()) == 30
    assert found() is None


def test_a_worker_that_dies_while_it_seals_leaves_nothing_half(sealed: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    happen("tower")
    with monkeypatch.context() as dying:
        dying.setattr(sealing, "utcnow", lambda: utcnow() + timedelta(days=1))
        dying.setattr(sealing, "_tell", lambda seal: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sealing.seal()
    assert (len(seals()), found()) == (3, None)
    sealing.seal()
    assert (len(seals()), found()) == (4, None)


def test_an_event_that_is_committed_late_is_not_left_out(app_context: Flask) -> None:
    """PostgreSQL numbers events before they are committed: nothing is sealed that one may still appear before."""
    if db.engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one writer")
    happen("first")
    with db.engine.connect() as slow:
        slow.execute(
            text(insert_at(2).replace("id = 5", "id = 1").replace("SELECT 2", "SELECT nextval('events_id_seq')"))
        )
        happen("third")
        for _ in range(3):
            sealing.seal()
        assert [seal.last for seal in seals()] in ([], [1])
        slow.commit()
    sealing.seal()
    assert (sum(seal.count for seal in seals()), seals()[-1].last, found()) == (3, 3, None)


# --- the canonical form


def test_an_event_has_the_same_form_and_hash_on_every_database(app_context: Flask) -> None:
    times = datetime(2026, 11, 2, 9, 30, 0, 5, tzinfo=UTC)
    named = {name: f"{name} ü" for name in canonical.FIELDS if name not in ("actor_id", "actor_user_id")}
    data = {"b": [1.0, 1e16, 1e23, 0.1, -0.0, 1.5e-7], "a": {"ä": None, "Z": True, "": "\u2028\U0001f916"}}
    row = {**named, "timestamp": times, "before_data": data, "after_data": None, "details": {"big": 2**60 + 1}}
    with transaction() as session:
        session.execute(insert(event_log.TABLE), {"id": 7, **row})
    tally = Tally()
    (line,) = [tally.add(row) for row in sealing.read()]
    assert line.startswith(b'{"event":{"action":"action \\u00fc","action_type":"action_type \\u00fc","actor_id":null,')
    assert b'"b":[1,10000000000000000,100000000000000000000000,0.1,0,1.5e-07]}' in line
    assert b'"before_data":{"a":{"":"\\u2028\\ud83e\\udd16","Z":true,"\\u00e4":null},"b"' in line
    assert b'"timestamp":"2026-11-02T09:30:00.000005Z"' in line
    assert line.endswith(b'},"place":7}\n')
    assert tally.events_hash == hashlib.sha256(line).hexdigest() == HASH


def test_a_seal_holds_the_hash_of_the_one_before(sealed: Flask) -> None:
    first, second, _ = seals()
    assert (first.previous_hash, second.previous_hash) == ("", first.hash)
    told = json.dumps(canonical.told(second), sort_keys=True, separators=(",", ":"))
    assert second.hash == hashlib.sha256(told.encode()).hexdigest()


# --- what is found

FALSIFIED = {
    "a text": (["UPDATE events SET message = 'Nobody did it.' WHERE id = 7"], ("event_edited", 2, 7)),
    "a time": (
        ["UPDATE events SET timestamp = '2020-01-01 00:00:00.000000+00:00' WHERE id = 11"],
        ("event_edited", 3, 11),
    ),
    "a value": (["""UPDATE events SET after_data = '{"height": 99}' WHERE id = 1"""], ("event_edited", 1, 1)),
    "a value to null": (["UPDATE events SET before_data = NULL WHERE id = 4"], ("event_edited", 1, 4)),
    "a deleted event": (["DELETE FROM events WHERE id = 7"], ("event_deleted", 2, 7)),
    "the first of a stretch": (["DELETE FROM events WHERE id = 5"], ("event_deleted", 2, 5)),
    "a whole stretch": (["DELETE FROM events WHERE id BETWEEN 5 AND 9"], ("event_deleted", 2, 5)),
    "all events": (["DELETE FROM events"], ("event_deleted", 1, 1)),
    "an event in a gap": ([insert_at(GAP)], ("event_added", 2, GAP)),
    "an event before all": ([insert_at(0)], ("event_added", 1, 0)),
    "a renumbered event": (["UPDATE events SET id = 6 WHERE id = 9"], ("events_renumbered", 2, GAP)),
    "two in another order": (
        [
            "UPDATE events SET id = 99 WHERE id = 7",
            "UPDATE events SET id = 7 WHERE id = 8",
            "UPDATE events SET id = 8 WHERE id = 99",
        ],
        ("events_renumbered", 2, 7),
    ),
    "one deleted, the next in its place": (
        ["DELETE FROM events WHERE id = 7", "UPDATE events SET id = 7 WHERE id = 8"],
        ("event_deleted", 2, 7),
    ),
    "one moved behind the end": (["UPDATE events SET id = 99 WHERE id = 3"], ("event_deleted", 1, 3)),
    "a changed seal": (["UPDATE audit_seals SET count = 3 WHERE id = 2"], ("seal_changed", 2, 5)),
    "a seal of an unknown version": (["UPDATE audit_seals SET version = 2 WHERE id = 2"], ("seal_changed", 2, 5)),
    "a removed seal": (["DELETE FROM audit_seals WHERE id = 2"], ("seal_removed", 2, 5)),
    "the first seal removed": (["DELETE FROM audit_seals WHERE id = 1"], ("seal_removed", 1, None)),
    "a renumbered seal": (
        ["DELETE FROM audit_seals WHERE id = 2", "UPDATE audit_seals SET id = 2 WHERE id = 3"],
        ("seal_changed", 2, 10),
    ),
    "an event and the fingerprints": (
        ["UPDATE events SET message = '' WHERE id = 7", "UPDATE audit_seals SET fingerprints = NULL"],
        ("event_edited", 2, 5),
    ),
    "a deleted event and the fingerprints": (
        ["DELETE FROM events WHERE id = 7", "UPDATE audit_seals SET fingerprints = fingerprints_of_nothing"],
        ("event_deleted", 2, 5),
    ),
}


@pytest.mark.parametrize(("statements", "fault"), FALSIFIED.values(), ids=FALSIFIED)
def test_what_was_changed_is_found_and_named(sealed: Flask, statements: list[str], fault: tuple[str, int, int]) -> None:
    head = seals()[-1].hash
    nothing = "X'00'" if db.engine.dialect.name == "sqlite" else "'\\x00'::bytea"
    run(*(statement.replace("fingerprints_of_nothing", nothing) for statement in statements))
    assert found() == found(head) == fault


def test_a_seal_that_was_made_anew_for_other_events_does_not_fit_the_next_one(sealed: Flask) -> None:
    run("UPDATE events SET message = 'Nobody did it.' WHERE id = 7")
    tally = Tally()
    for row in sealing.read(LoggedEvent.id >= 5, LoggedEvent.id <= 9):
        tally.add(row)
    second = seals()[1]
    second.events_hash = tally.events_hash
    run(
        "UPDATE audit_seals SET events_hash = :events, hash = :hash WHERE id = 2",
        events=tally.events_hash,
        hash=canonical.hash_of(second),
    )
    assert found() == ("seal_changed", 3, 10)


@pytest.mark.parametrize("cut", ["end", "all", "anew"])
def test_only_a_hash_that_was_kept_elsewhere_shows_what_happened_to_the_end(sealed: Flask, cut: str) -> None:
    old, head = (seal.hash for seal in seals()[1:])
    if cut == "end":
        run("DELETE FROM events WHERE id > 9", "DELETE FROM audit_seals WHERE id > 2")
    elif cut == "all":
        run("DELETE FROM events", "DELETE FROM audit_seals")
    else:
        run("UPDATE events SET message = '' WHERE id = 10", "DELETE FROM audit_seals WHERE id > 2")
        sealing.seal()
    assert found() is None
    assert found(head) == ("end_removed", None, None)
    assert found(old) == (None if cut != "all" else ("end_removed", None, None))


def test_a_hash_that_was_kept_elsewhere_is_found_also_when_the_log_went_on(sealed: Flask) -> None:
    kept = [seals()[0].hash, seals()[2].hash]
    happen("tower")
    sealing.seal()
    assert verify(*kept).heads == {kept[0]: 1, kept[1]: 3}


# --- retention


def keep(days: int) -> None:
    with transaction() as session:
        session.merge(StoredSetting(group="logging", name="audit_retention_days", value=days))


def happened(days_ago: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    now = utcnow()
    for days in days_ago:
        with monkeypatch.context() as past:
            past.setattr(events, "utcnow", lambda days=days: now - timedelta(days=days))
            happen(f"{days} days ago")
    delivery.dispatch(Observers(), Horizon())


def test_what_is_too_old_to_be_kept_is_removed_by_whole_stretches_and_is_no_falsification(
    app_context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened([100.3, 100.2, 100.1, 100, 60.2, 60.1, 59.9, 59.8, 9.1, 9], monkeypatch)
    keep(60)
    retention.prune()
    assert len(logged()) == 10, "nothing goes that is not sealed"
    sealing.seal()
    retention.prune()
    assert [event.place for event in logged()] == [5, 6, 7, 8, 9, 10], "the second stretch has a young event"
    result = verify(seals()[0].hash, kept_days=60)
    assert (result.fault, result.removed, result.events) == (None, 4, 6)
    assert [seal.fingerprints is None for seal in seals()] == [True, False, False]


def test_nobody_disguises_a_deletion_as_retention(app_context: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    happened([100.3, 100.2, 100.1, 100, 50.3, 50.2, 50.1, 50, 9], monkeypatch)
    sealing.seal()
    keep(60)
    retention.prune()
    assert found(kept_days=60) is None
    assert found(kept_days=0) == found(kept_days=365) == ("event_deleted", 1, 1)
    run("DELETE FROM events WHERE id BETWEEN 5 AND 8", "UPDATE audit_seals SET fingerprints = NULL WHERE id = 2")
    assert found(kept_days=60) == ("event_deleted", 2, 5)


def test_the_events_of_an_old_log_that_are_days_apart_are_not_sealed_together(
    app_context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one would be kept as long as the other, however much younger that one is."""
    happened([100, 99.5, 70, 40, 39.9], monkeypatch)
    sealing.seal()
    assert [(seal.first, seal.last) for seal in seals()] == [(1, 2), (3, 3), (4, 5)]


@pytest.mark.parametrize("place", [1, 4])
def test_a_single_old_event_that_is_gone_is_a_falsification(
    app_context: Flask, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    happened([100.3, 100.2, 100.1, 100, 9], monkeypatch)
    sealing.seal()
    run("DELETE FROM events WHERE id = :place", place=place)
    assert found(kept_days=30) == ("event_deleted", 1, place)


def test_an_event_that_is_added_where_old_ones_were_removed_is_found(
    app_context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened([100.3, 100.2, 100.1, 100, 9], monkeypatch)
    sealing.seal()
    keep(30)
    retention.prune()
    run(insert_at(3))
    assert found(kept_days=30) is not None


def test_the_newest_event_stays_so_that_the_next_one_gets_a_later_place(
    app_context: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened([100] * 6, monkeypatch)
    sealing.seal()
    keep(30)
    retention.prune()
    assert [event.place for event in logged()] == [5, 6]
    happen("tower")
    sealing.seal()
    assert ([event.place for event in logged()], found(kept_days=30)) == ([5, 6, 7], None)
    retention.prune()
    assert [event.place for event in logged()] == [7]


# --- telling it


def told() -> list[tuple[dict[str, Any], str]]:
    return [(dict(event.metadata), event.message) for event in logged() if event.type == "audit.sealed"]


def test_the_first_seal_of_a_day_is_told_to_all_who_get_events(
    app_context: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")

    def seal_on(day: int) -> None:
        monkeypatch.setattr(sealing, "utcnow", lambda: datetime(2026, 11, day, 12, tzinfo=UTC))
        sealing.seal()

    happen("wall 1")
    seal_on(1)
    happen("wall 2")
    seal_on(1)
    assert told() == []
    happen("wall 3")
    seal_on(2)
    newest = seals()[-1]
    message = f"The audit log is sealed up to event 3: {newest.hash}"
    assert told() == [({"seal": 3, "place": 3, "hash": newest.hash}, message)]
    assert message in caplog.text
    seal_on(3)
    assert (len(seals()), len(told())) == (4, 1), "nothing else has happened"
    seal_on(4)
    assert (len(seals()), len(told()), found()) == (4, 1, None)
    happen("wall 4")
    seal_on(4)
    assert len(told()) == 2


# --- the commands


@pytest.fixture
def log(sqlite: SqliteDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Program) -> Program:
    """The program, where nothing has happened."""
    monkeypatch.setenv("BVO_DATABASE_URL", sqlite.fresh())
    monkeypatch.setenv("BVO_DATA_DIR", str(tmp_path / "data"))
    return cli


def in_app(*steps: Callable[[], Any]) -> None:
    with disposing(), create_app().app_context():
        for step in steps:
            step()


def test_the_program_verifies_and_says_by_its_exit_code_what_it_found(log: Program) -> None:
    assert log.run("audit", "head") == 1
    assert "Nothing is sealed yet" in log.err
    in_app(happen, sealing.seal, happen)
    assert log.run("audit", "head") == 0
    hash_, place = log.out.split()
    assert log.run("audit", "head", "--json") == 0
    assert json.loads(log.out).items() >= {"hash": hash_, "place": int(place), "seal": 1}.items()

    assert log.run("audit", "verify", "--head", hash_.upper()) == 0
    assert log.out.startswith("The log is whole.\nSealed events: 1\nSeals: 1\n")
    assert f"\nKept elsewhere: {hash_}, seal 1\nNot sealed yet: 1, the oldest of 20" in log.out
    assert log.run("audit", "verify", "--json") == 0
    report = json.loads(log.out)
    assert (report["whole"], report["fault"], report["unsealed"], report["head"]["hash"]) == (True, None, 1, hash_)
    assert "1/1" in log.err, "progress is shown beside what scripts read"

    in_app(lambda: run("DELETE FROM events WHERE id = 1"))
    assert log.run("audit", "verify") == 1
    assert log.out == ""
    assert "Falsified (event_deleted): Every event from 1 to 1 was deleted" in log.err
    assert log.run("audit", "verify", "--json", "--kept-days", "30") == 1
    assert json.loads(log.out)["fault"].items() >= {"kind": "event_deleted", "seal": 1, "place": 1}.items()


@pytest.mark.parametrize("head", ["abc", "z" * 64])
def test_what_is_no_hash_is_wrong_usage(log: Program, head: str) -> None:
    assert log.run("audit", "verify", "--head", head) == 2
    assert "is no hash of a seal: give what `bvo audit head` printed" in log.err


def test_a_database_without_seals_is_told_and_is_no_falsification(unmigrated: str, cli: Program) -> None:
    assert cli.run("audit", "verify") == 2
    assert "The database lacks migrations of: audit. Run `bvo db upgrade` first." in cli.err
