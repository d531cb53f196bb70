"""Fills an audit log with rows that look like years of use: skewed, a little out of order, with a few rare values.

Nothing is random, so that two runs measure the same log.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, text

from bvo.event_log import LoggedEvent

BATCH = 100_000
FIRST = datetime(2023, 1, 1, tzinfo=UTC)
APART = timedelta(seconds=10)
RARE = 1_000_000
"""One row in so many, the seventh, is of the user `rare-user`: `settings.update`, with the word `needle`."""

KINDS = [
    (f"{entity}.{verb}", action_type, entity)
    for verb, action_type in (("create", "created"), ("update", "modified"), ("started", "status_changed"))
    for entity in ("job", "queue_item", "asset", "robot", "process", "package", "user", "role", "queue", "machine")
]
"""The 30 usual actions; the first ones are the most frequent, as are those of 200 users and robots."""

SERIES = {
    "postgresql": "SELECT generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS i",
    "sqlite": "WITH RECURSIVE s(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM s WHERE i < :last) SELECT i FROM s",
}
TIME = {
    "postgresql": "CAST(:start AS timestamptz) + (i * :apart + d % 5) * interval '1 second'",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', :start, (i * :apart + d % 5) || ' seconds')",
}
ROWS = """
INSERT INTO events (id, event_id, timestamp, actor_kind, actor_id, actor_user_id, actor_username, action, type,
                    action_type, entity_type, entity_display, entity_id, entity_name, message)
WITH kinds(n, action, action_type, entity_type) AS (VALUES {kinds})
SELECT i, '01890000-0000-7000-8000-' || substr(CAST(1000000000000 + i AS text), 2), {time},
       CASE WHEN who < 100 THEN 'robot' ELSE 'user' END, who, CASE WHEN who < 100 THEN NULL ELSE who END,
       CASE WHEN rare THEN 'rare-user' WHEN who < 100 THEN 'robot-' || who ELSE 'user-' || who END,
       CASE WHEN rare THEN 'settings.update' ELSE kinds.action END,
       CASE WHEN rare THEN 'settings.updated' ELSE kinds.action END,
       CASE WHEN rare THEN 'modified' ELSE kinds.action_type END,
       CASE WHEN rare THEN 'settings' ELSE kinds.entity_type END, kinds.entity_type,
       CAST(CASE WHEN kinds.entity_type = 'robot' THEN thing % 100 ELSE thing END AS text), 'thing-' || thing,
       CASE WHEN rare THEN 'A needle in the log, ' ELSE 'Robot robot-' END || who || ': ' || kinds.action
       || ' of the thing number ' || thing || ' was done'
FROM (SELECT i, d, i % :rare = 7 AS rare, a * a / 1000003 * 30 / 1000003 AS kind,
             u * u / 999983 * 200 / 999983 AS who, (i * 77317) % 1000033 AS thing
      FROM (SELECT i, (i * 48271) % 1000003 AS a, (i * 69621) % 999983 AS u, (i * 16807) % 999979 AS d
            FROM ({series}) AS series) AS numbers) AS drawn
JOIN kinds ON kinds.n = drawn.kind
ORDER BY i
"""


def grow(engine: Engine, rows: int) -> Iterator[int]:
    """Add rows until the log has `rows` of them; yields how many it has. The indexes are made at the end: faster."""
    with engine.connect() as connection:
        present = connection.scalar(text("SELECT coalesce(max(id), 0) FROM events"))
    if present >= rows:
        return
    indexes = LoggedEvent.__table__.indexes  # type: ignore[attr-defined]
    with engine.begin() as connection:
        for index in indexes:
            index.drop(connection, checkfirst=True)
    for last in range(present, rows, BATCH):
        with engine.begin() as connection:
            _add(connection, last + 1, min(rows, last + BATCH))
        yield min(rows, last + BATCH)
    with engine.begin() as connection:
        for index in indexes:
            index.create(connection)
    if engine.dialect.name == "postgresql":  # as autovacuum does; nothing does it for SQLite
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE events"))


def _add(connection: Connection, first: int, last: int) -> None:
    dialect = connection.dialect.name
    kinds = ", ".join(f"({n}, '{action}', '{kind}', '{entity}')" for n, (action, kind, entity) in enumerate(KINDS))
    statement = ROWS.format(series=SERIES[dialect], time=TIME[dialect], kinds=kinds)
    start = f"{FIRST:%Y-%m-%d %H:%M:%S}" + ("+00" if dialect == "postgresql" else "")
    values = {"first": first, "last": last, "start": start, "apart": int(APART.total_seconds()), "rare": RARE}
    connection.execute(text(statement), values)
