"""Errors that stop a start. Errors of requests are werkzeug's, see `bvo.problems`."""

from __future__ import annotations


class StartupError(Exception):
    """The product can't start as it is configured. The message says what is wrong and what to do about it."""
