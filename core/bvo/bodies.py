"""How large the body of a request may be. A view that takes files declares it, for what reads them before the view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

V = TypeVar("V", bound=Callable[..., Any])

MAX_BODY_BYTES = 4 * 1024 * 1024
"""The largest body of a request, in bytes: a job's result of 1 MiB, however it is escaped, fits with its log."""


def takes(max_bytes: int | Callable[..., int]) -> Callable[[V], V]:
    """Declare that a view takes bodies of up to `max_bytes`, instead of MAX_BODY_BYTES.

    Where that depends on the address, a function gets the values in it.
    """

    def mark(view: V) -> V:
        view.bvo_max_body = max_bytes  # type: ignore[attr-defined]
        return view

    return mark


def init_app(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES  # of what a form has beside files
    app.before_request(raise_limit)


def max_of(view: object) -> int:
    """How large the bodies are that a view takes, or a service's method behind it."""
    limit = getattr(view, "bvo_max_body", MAX_BODY_BYTES)
    return int(limit(**(request.view_args or {})) if callable(limit) else limit)


def raise_limit() -> None:
    """Let the body of this request be as large as its view takes: for what reads it of somebody who is known."""
    request.max_content_length = max_of(current_app.view_functions.get(request.endpoint or ""))
