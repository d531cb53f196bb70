"""The database: typed models, one way to write, and what SQLite needs to be durable."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from inspect import iscoroutinefunction
from typing import Any
from weakref import WeakKeyDictionary

from flask import Flask
from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    TypeDecorator,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from .config import Config
from .errors import StartupError

BUSY_TIMEOUT_MS = 10_000
WRITE = "bvo_write"

BigId = BigInteger().with_variant(Integer, "sqlite")
"""The id of a table that grows without end. SQLite numbers only INTEGER keys, and those have 64 bits there."""

Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class UTCDateTime(TypeDecorator[datetime]):
    """A point in time, always with its zone: stored in UTC, returned in UTC. Naive values are refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of every model of every plugin."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime, dict[str, Any]: Json, list[str]: Json}  # noqa: RUF012


def utcnow() -> datetime:
    """The server's time, in UTC. The one clock of everything that is stored."""
    return datetime.now(UTC)


class Timestamps:
    """The columns `created_at` and `updated_at`, kept by the server."""

    created_at: Mapped[datetime] = mapped_column(default=utcnow, sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, onupdate=utcnow, sort_order=91)


db = SQLAlchemy(session_options={"expire_on_commit": False})


def init_app(app: Flask, config: Config) -> None:
    """Make the engine; it connects when it is used first. Raises StartupError where the URL names no usable one."""
    try:
        url = make_url(config.database_url)
        options: dict[str, Any] = {"url": url}
        if url.get_backend_name() == "postgresql":
            options |= {"pool_pre_ping": True, "connect_args": {"connect_timeout": 5}}
        app.config["SQLALCHEMY_ENGINES"] = {"default": options}
        db.init_app(app)
        _without_async_sessions(app)
        app.teardown_appcontext(_leave_broken_connections)  # runs before the one of db
    except ImportError as error:
        raise StartupError(
            f"BVO_DATABASE_URL needs the driver {error.name}, which is not installed."
            " For PostgreSQL: pip install 'bv-orchestrator[postgres]'."
        ) from None
    except (SQLAlchemyError, ValueError) as error:
        raise StartupError(f"BVO_DATABASE_URL can't be used: {error}. Its value is not shown here.") from None
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            _prepare_sqlite(db.engine)


@contextmanager
def transaction() -> Iterator[Session]:
    """The one way to write: everything inside is committed together, or nothing is.

    A transaction inside another one joins it. What `after_commit` was given runs after the commit, and only then.
    """
    session = db.session
    if WRITE in session.info:
        yield session
        return
    session.rollback()  # ends what was read before: on SQLite a reading transaction can't become a writing one
    with writing(db.engine):
        session.connection(execution_options={WRITE: True})
        session.info[WRITE] = []
        try:
            yield session
            session.commit()
            callbacks: list[Callable[[], None]] = session.info.pop(WRITE)
        except BaseException:
            session.info.pop(WRITE, None)
            session.rollback()
            raise
    for callback in callbacks:
        callback()


@contextmanager
def writing(engine: Engine) -> Iterator[None]:
    """One at a time, first come, first served, where the database takes one writer: SQLite, and only in this process.

    Others try again and again until they get a turn, which whoever writes all the time could keep from them for long.
    After BUSY_TIMEOUT_MS it is the database's turn to decide.
    """
    turns: Turns | None = _turns.get(engine)
    if turns is None:
        yield
        return
    taken = turns.take(BUSY_TIMEOUT_MS / 1000)
    try:
        yield
    finally:
        if taken:
            turns.give()


class Turns:
    """A lock that is handed on in the order in which it was asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Lock] = deque()
        self._taken = False

    def take(self, seconds: float) -> bool:
        """True as soon as it is this one's turn; False where it was not in time."""
        with self._lock:
            if not self._taken:
                self._taken = True
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=seconds):
            return True
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        return True  # it came at this moment

    def give(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False


_turns: WeakKeyDictionary[Engine, Turns] = WeakKeyDictionary()


def after_commit(callback: Callable[[], None]) -> None:
    """Run `callback` after the running transaction was committed; never where it is rolled back."""
    waiting: list[Callable[[], None]] | None = db.session.info.get(WRITE)
    if waiting is None:
        raise RuntimeError("after_commit needs a transaction: call it inside of `with transaction()`")
    waiting.append(callback)


def _leave_broken_connections(error: BaseException | None) -> None:
    """Let a session go whose connection broke: to close it would raise, and the answer that is ready would be lost."""
    try:
        db.session.rollback()
    except DBAPIError:
        db.session.invalidate()


def _without_async_sessions(app: Flask) -> None:
    """Leave out that async sessions are closed, which we have none of: each context would start a thread and a loop."""
    app.teardown_appcontext_funcs[:] = [step for step in app.teardown_appcontext_funcs if not iscoroutinefunction(step)]


def check_reachable(config: Config) -> None:
    """Raise StartupError, without the password, where the database does not answer."""
    shown = make_url(config.database_url).set(query={}).render_as_string()  # the query may hold a password, too
    try:
        with db.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
    except DBAPIError as error:
        reason = str(error.orig).strip().splitlines()[0]
        raise StartupError(
            f"The database {shown} does not answer: {reason}. Is it running? Check BVO_DATABASE_URL."
        ) from None


def _prepare_sqlite(engine: Engine) -> None:
    _turns[engine] = Turns()

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself: the listener below does
        for pragma in (f"busy_timeout={BUSY_TIMEOUT_MS}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
