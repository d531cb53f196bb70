"""Exports of the audit log: files that are checked without the database, by the key of the installation."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from sqlalchemy import select, text

from bvo import create_app, delivery, events, secrets
from bvo.database import db, transaction
from bvo.event_log import Horizon
from bvo.observers import Observers
from bvo.settings import StoredSetting
from bvo_audit import exports, retention, sealing, signing
from bvo_audit.exports import Content
from bvo_audit.models import AuditKey
from support.databases import Databases, SqliteDatabases
from support.program import Program, disposing
from support.walls import happen, logged

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
Lines = list[bytes]


@pytest.fixture
def hours(app_context: Flask) -> Flask:
    """The app with a log of some hours, inside its context."""
    fill()
    return app_context


@pytest.fixture(scope="module")
def exported(sqlite: SqliteDatabases, lend: Callable[[Databases], Flask]) -> tuple[Lines, str]:
    """The lines of an export, and the key that signed it."""
    with lend(sqlite).app_context():
        fill()
        return export(), own_key()


def fill() -> None:
    """Ten events, one each hour, under four seals of three: 1 to 3, 4 to 6, 7 to 9, 10."""
    with pytest.MonkeyPatch.context() as patch:
        with transaction():
            for hour in range(10):
                patch.setattr(events, "utcnow", lambda hour=hour: START + timedelta(hours=hour))
                happen(f"wall {hour + 1}", after={"height": 1.5})
        patch.setattr(sealing, "STRETCH", 3)
        sealing.seal()


def export(since: datetime | None = None, until: datetime | None = None) -> Lines:
    file = BytesIO()
    exports.write(file, exports.span(since, until), lambda done: None)
    return file.getvalue().splitlines(keepends=True)


def check(lines: Lines, key: str | None = None) -> Content:
    return exports.check(lines, key, lambda done: None)


def kind(lines: Lines, key: str | None = None) -> str | None:
    fault = check(lines, key).fault
    return fault and fault.kind


def own_key() -> str:
    return signing.public(signing.key())


def signed(lines: Lines, key: Ed25519PrivateKey) -> Lines:
    """The lines without their signature, signed anew."""
    digest = hashlib.sha256(b"".join(lines))
    told = {"key": signing.public(key), "sha256": digest.hexdigest(), "signature": signing.sign(key, digest.digest())}
    return [*lines, f"{json.dumps(told)}\n".encode()]


def test_an_export_has_the_events_with_their_seals_and_is_signed(hours: Flask) -> None:
    lines = export()
    told = [json.loads(line) for line in lines]
    assert [part["place"] for part in told if "event" in part] == list(range(1, 11))
    assert [part["seal"]["number"] for part in told if "seal" in part] == [1, 2, 3, 4]
    assert [part["event"]["message"] for part in told if "event" in part] == [event.message for event in logged()]
    content = check(lines, own_key())
    assert (content.fault, content.events, content.seals, content.key) == (None, 10, 4, own_key())


@pytest.mark.parametrize(
    ("since", "until", "places"),
    [
        (None, None, (1, 10)),
        (START + timedelta(hours=4), START + timedelta(hours=4, minutes=1), (4, 6)),
        (START + timedelta(hours=2), START + timedelta(hours=3), (1, 3)),
        (START + timedelta(hours=2), START + timedelta(hours=3, minutes=1), (1, 6)),
        (START + timedelta(hours=9), None, (10, 10)),
    ],
)
def test_an_export_of_a_time_has_whole_stretches(
    hours: Flask, since: datetime | None, until: datetime | None, places: tuple[int, int]
) -> None:
    content = check(export(since, until))
    assert (content.fault, (content.first, content.last)) == (None, places)


def test_nothing_that_is_sealed_is_no_export(hours: Flask) -> None:
    with pytest.raises(LookupError, match="Nothing of this time is sealed"):
        export(since=START + timedelta(hours=10))


def edited(part: str, old: bytes, new: bytes) -> Callable[[Lines], Lines]:
    """The first line of this kind that has `old` gets `new` there."""

    def edit(lines: Lines) -> Lines:
        at = next(i for i, line in enumerate(lines) if f'"{part}":' in line.decode() and old in line)
        return [*lines[:at], lines[at].replace(old, new, 1), *lines[at + 1 :]]

    return edit


FALSIFIED: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "an event": (edited("event", b"Built wall 5.", b"Built wall 6."), "event_edited"),
    "a place": (edited("event", b'"place":5', b'"place":6'), "event_edited"),
    "an event left out": (lambda lines: [*lines[:6], *lines[7:]], "event_deleted"),
    "an event put in": (lambda lines: [*lines[:6], lines[6], *lines[6:]], "event_added"),
    "an event put in behind the seals": (lambda lines: [*lines[:-1], lines[6], lines[-1]], "event_added"),
    "another order": (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], "event_edited"),
    "all events of a stretch left out": (lambda lines: [*lines[:5], *lines[8:]], "file_changed"),
    "a stretch left out": (lambda lines: [*lines[:5], *lines[9:]], "seal_removed"),
    "the last stretch left out": (lambda lines: [*lines[:-3], lines[-1]], "file_changed"),
    "a seal": (edited("seal", b'"count":3', b'"count":2'), "seal_changed"),
    "the head": (edited("export", b'"since":null', b'"since":"2026-01-01T00:00:00.000000Z"'), "file_changed"),
    "the end cut off": (lambda lines: lines[:-1], "file_cut_off"),
    "the end cut off in a line": (lambda lines: [*lines[:7], lines[7][:50]], "file_changed"),
    "nothing": (lambda lines: [], "file_cut_off"),
    "something behind": (lambda lines: [*lines, lines[1]], "file_changed"),
    "the signature": (edited("signature", b'"signature":"', b'"signature":"AAAA'), "file_changed"),
    "a key that is none": (edited("signature", b'"key":"', b'"key":"AAAA'), "file_changed"),
    "no export at all": (lambda lines: [b"\xff\n"], "file_changed"),
    "an array": (lambda lines: [b"[1]\n"], "file_changed"),
    "a number": (lambda lines: [lines[0], b"7\n"], "file_changed"),
    "a newer form": (edited("export", b'"version":1', b'"version":2'), "file_changed"),
    "signed by somebody else": (lambda lines: signed(lines[:-1], Ed25519PrivateKey.generate()), "other_key"),
}


@pytest.mark.parametrize(("falsify", "fault"), FALSIFIED.values(), ids=FALSIFIED)
def test_what_was_changed_in_a_file_is_found(
    exported: tuple[Lines, str], falsify: Callable[[Lines], Lines], fault: str
) -> None:
    lines, key = exported
    assert kind(lines, key) is None
    assert kind(falsify(lines), key) == fault


def test_a_log_that_was_falsified_before_gives_a_file_that_is_not_whole(hours: Flask) -> None:
    with transaction() as session:
        session.execute(text("UPDATE events SET message = 'Nobody did it.' WHERE id = 5"))
    fault = check(export(), own_key()).fault
    assert fault is not None
    assert (fault.kind, fault.seal, fault.place) == ("event_edited", 2, 4)


def test_what_was_removed_by_its_age_is_said_and_is_no_falsification(
    hours: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "utcnow", lambda: START + timedelta(days=30, hours=6))
    delivery.dispatch(Observers(), Horizon())
    with transaction() as session:
        session.add(StoredSetting(group="logging", name="audit_retention_days", value=30))
    retention.prune()
    content = check(export(), own_key())
    assert (content.fault, content.events, content.removed) == (None, 4, 6)


def test_servers_that_need_the_key_at_the_same_time_make_one(app_context: Flask) -> None:
    start, keys = threading.Barrier(3), set()

    def ask() -> None:
        with app_context.app_context():
            db.session.connection()
            start.wait()
            keys.add(own_key())

    servers = [threading.Thread(target=ask) for _ in range(3)]
    for server in servers:
        server.start()
    for server in servers:
        server.join()
    assert keys == {own_key()}


def test_the_private_key_is_encrypted_in_the_database_and_counted_among_the_secrets(app_context: Flask) -> None:
    before = secrets.count()
    key = signing.key()
    stored = db.session.scalars(select(AuditKey)).one()
    assert stored.private_key.startswith("v1:")
    assert secrets.count() == before + 1
    assert key.private_bytes_raw() == signing.key().private_bytes_raw()


def test_the_program_exports_and_checks_what_it_exported(
    sqlite: SqliteDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Program
) -> None:
    def facts() -> dict[str, Any]:
        told: dict[str, Any] = json.loads(cli.out)
        return told

    monkeypatch.setenv("BVO_DATABASE_URL", sqlite.fresh())
    monkeypatch.setenv("BVO_DATA_DIR", str(tmp_path / "data"))
    file = tmp_path / "log.jsonl"
    with disposing(), create_app().app_context():
        happen()
        sealing.seal()
    assert cli.run("audit", "export", str(file), "--since", "2100-01-01") == 1
    assert not file.exists()
    assert cli.run("audit", "export", str(file), "--since", "2026-01-01", "--json") == 0
    assert facts().items() >= {"events": 1, "first": 1, "last": 1}.items()
    assert cli.run("audit", "key") == 0
    key = cli.out.strip()
    assert cli.run("audit", "export", str(file)) == 1
    assert "is there already: choose another name" in cli.err

    monkeypatch.setenv("BVO_DATABASE_URL", "sqlite:////nowhere/bvo.db")
    assert cli.run("audit", "verify-export", str(file), "--key", key) == 0
    assert cli.out == f"The file is whole.\nEvents: 1\nPlaces: 1 to 1\nSigned by: {key} (given)\n"
    assert cli.run("audit", "verify-export", str(file), "--json") == 0
    assert facts().items() >= {"whole": True, "key": key, "fault": None}.items()
    assert cli.run("audit", "verify-export", str(file), "--key", "AAAA") == 2
    assert "use what `bvo audit key` printed" in cli.err
    other = signing.public(Ed25519PrivateKey.generate())
    assert cli.run("audit", "verify-export", str(file), "--key", other) == 1
    assert "Falsified (other_key)" in cli.err
    file.write_bytes(file.read_bytes().replace(b"tower", b"power", 1))
    assert cli.run("audit", "verify-export", str(file), "--json") == 1
    assert facts()["fault"].items() >= {"kind": "event_edited", "seal": 1}.items()
