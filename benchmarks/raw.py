"""The same work without a server around it: pgbench on PostgreSQL, a loop around `sqlite3` on SQLite.

Both write exactly the rows that a claim of the product writes. The texts of their event are taken from a claim that the
product has made, so that they are as long.
"""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from postgres import binary
from rounds import Figures
from rows import robot_token
from servers import Database
from sqlalchemy import select

from bvo.event_log import LoggedEvent

FREE = (
    "FROM robots WHERE {robot} AND NOT is_draining"
    " AND NOT EXISTS (SELECT 1 FROM jobs other WHERE other.status = 'running' AND other.robot_id = robots.id)"
)
FIRST = (
    "SELECT id FROM jobs WHERE status = 'pending' AND available_at IS NULL AND robot_id IS NULL"
    " ORDER BY rank, id LIMIT 1"
)
TAKE = (
    "UPDATE jobs SET status = 'running', robot_id = {robot}, attempt = attempt + 1, lease_hash = {hash},"
    " lease_expires_at = {soon}, started_at = {now}, confirmed_at = NULL, claim_key = {hash}"
)
LOGGED = (
    "INSERT INTO events (event_id, type, timestamp, actor_id, actor_kind, actor_username, ip_address, user_agent,"
    " action, action_type, entity_type, entity_display, entity_id, entity_name, message, after_data)"
)
HASH = "0" * 64


@dataclass(frozen=True, kw_only=True)
class Texts:
    """What the product wrote beside a claim."""

    event: dict[str, Any]
    after: str

    @classmethod
    def of(cls, database: Database) -> Texts:
        """Those of the newest claim in this database."""
        newest = select(LoggedEvent).where(LoggedEvent.action == "job.started").order_by(LoggedEvent.id.desc()).limit(1)
        with database.engine.connect() as connection:
            event = connection.execute(newest).one()._asdict()
        return cls(event=event, after=json.dumps(event["after_data"]))

    def words(self) -> list[str]:
        """The columns of the event that are text, from actor_kind to message, without those that say which job."""
        names = ("actor_kind", "actor_username", "ip_address", "user_agent", "action", "action_type")
        return [str(self.event[name]) for name in (*names, "entity_type", "entity_display")]


def pgbench(database: Database, texts: Texts, folder: Path, connections: int, seconds: float) -> Figures:
    """Claims per second of one statement, prepared, that does all of it."""
    script = folder / "claim.sql"
    script.write_text(f"\\set i :i + 1\n\\set robot 1 + (:client_id + :i * {connections})\n{_statement(texts)};\n")
    address = database.engine.url
    command = [
        *(binary("pgbench"), "-n", "-M", "prepared", "-f", str(script), "-D", "i=0"),
        *("-c", str(connections), "-j", str(min(connections, 2)), "-T", str(max(round(seconds), 1))),
        *("-h", str(address.host), "-p", str(address.port), "-U", str(address.username), str(address.database)),
    ]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    done, rate = re.search(r"actually processed: (\d+)", output), re.search(r"tps = ([\d.]+)", output)
    if done is None or rate is None:
        raise RuntimeError(f"pgbench printed no rate:\n{output}")
    return {"done": int(done[1]), "rate": float(rate[1])}


def _statement(texts: Texts) -> str:
    token = f"api_token_hash = encode(sha256(('{robot_token(0)[:-1]}' || :robot)::bytea), 'hex')"
    take = TAKE.format(robot="idle.id", hash=f"'{HASH}'", soon="now() + interval '60 s'", now="now()")
    words = ", ".join(_quoted(word) for word in texts.words())
    parts = (
        f"WITH idle AS (SELECT id {FREE.format(robot=token)}), first AS ({FIRST} FOR UPDATE SKIP LOCKED),",
        f"taken AS ({take} FROM idle, first WHERE jobs.id = first.id RETURNING jobs.id, jobs.robot_id)",
        f"{LOGGED} SELECT gen_random_uuid()::text, {_quoted(texts.event['type'])}, now(), robot_id, {words}, id::text,",
        f"'Daily report #' || id, {_quoted(texts.event['message'])}, {_quoted(texts.after)}::jsonb FROM taken",
    )
    return " ".join(parts)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def sqlite_loop(database: Database, texts: Texts, seconds: float) -> Figures:
    """Claims per second of one connection that waits for the disk at each commit, as the product's does."""
    connection = sqlite3.connect(str(database.engine.url.database), isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    started, robot = time.perf_counter(), 0
    while time.perf_counter() < started + seconds:
        robot += 1
        _claim(connection, texts, robot)
    taken = time.perf_counter() - started
    connection.close()
    return {"done": robot, "rate": robot / taken}


def _claim(connection: sqlite3.Connection, texts: Texts, number: int) -> None:
    now = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())
    connection.execute("BEGIN IMMEDIATE")
    found = connection.execute(f"SELECT id {FREE.format(robot='id = ?')}", (number,)).fetchone()
    robot = found[0] if found else None
    take = TAKE.format(robot="?", hash="?", soon="?", now="?")
    job = connection.execute(f"{take} WHERE id = ({FIRST}) RETURNING id", (robot, HASH, now, now, HASH)).fetchone()[0]
    about = (*texts.words(), str(job), f"Daily report #{job}", texts.event["message"], texts.after)
    row = (f"{now}-{job}", texts.event["type"], now, robot, *about)
    connection.execute(f"{LOGGED} VALUES ({', '.join('?' * len(row))})", row)
    connection.execute("COMMIT")
