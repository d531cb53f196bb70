"""BV Orchestrator: a self-hosted control plane for automation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from . import collector

if TYPE_CHECKING:
    from flask import Flask

__version__ = "0.1.0"


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Build the app; here so that `flask --app bvo` finds it. See `bvo.app.create_app`."""
    with collector.paused():
        from .app import create_app as build  # importing `bvo` must not import Flask: the robot does not need it

        return build(config)
