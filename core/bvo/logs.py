"""Logging: readable lines in development, JSON lines in production, both on stderr."""

from __future__ import annotations

import logging
import sys
import time

import structlog
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from . import registry, settings
from .config import Config
from .database import db

REFRESH_SECONDS = 5.0
DUE = "bvo_log_level_due"


def configure(config: Config) -> None:
    """Send every logger of the process through structlog's formatter."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    last: list[structlog.types.Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,  # rich ones show local variables, and so secrets
            )
        ]
        if config.development
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def follow(app: Flask) -> None:
    """From here on, this process logs at `logging.level`, as it is now: web requests and the worker look after it."""
    app.extensions[DUE] = 0.0
    app.before_request(refresh)


def refresh() -> None:
    """Take the level from the settings, in a process that follows them; asks the database at most every 5 s."""
    if time.monotonic() < current_app.extensions.get(DUE, float("inf")):
        return
    current_app.extensions[DUE] = time.monotonic() + REFRESH_SECONDS
    try:
        _set_level(logging.getLevelNamesMapping()[settings.get("logging.level").upper()])
    except SQLAlchemyError:
        db.session.rollback()  # whoever needs the database tells that it fails


def _set_level(level: int) -> None:
    """Debug is for the product and its plugins: libraries would log the addresses that they call, tokens included."""
    logging.getLogger().setLevel(max(level, logging.INFO))
    for package in ("bvo", *(plugin.package for plugin in registry.current().plugins)):
        logging.getLogger(package).setLevel(level)
