"""How large the body of a request may be. A view that takes files declares it, for what reads them before the view."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

V = TypeVar("V", bound=Callable[..., Any])

MAX_BODY_BYTES = 4 * 1024 * 1024
"""The largest body of a request, in bytes: a job's result of 1 MiB, however it is escaped, fits with its log."""


def takes(max_bytes: int) -> Callable[[V], V]:
    """Declare that a view takes bodies of up to `max_bytes`, instead of MAX_BODY_BYTES."""

    def mark(view: V) -> V:
        view.bvo_max_body = max_bytes  # type: ignore[attr-defined]
        return view

    return mark


def init_app(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.before_request(_raise_limit)


def _raise_limit() -> None:
    view = current_app.view_functions.get(request.endpoint or "")
    if limit := getattr(view, "bvo_max_body", None):
        request.max_content_length = limit
