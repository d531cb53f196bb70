"""The runner's own log: plain lines on stderr."""

from __future__ import annotations

import logging
import sys


class LineFormatter(logging.Formatter):
    """`20:39:01 waiting for work`; from WARNING on the level stands before the text."""

    def format(self, record: logging.LogRecord) -> str:
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        record.message = level + record.getMessage()
        text = f"{self.formatTime(record, '%H:%M:%S')} {record.message}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def log_to_stderr() -> None:
    # A console that cannot show a character of a script's output must not stop the runner.
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    logger = logging.getLogger("bvo_agent")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
