"""What the commands that need an app share."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import click
from flask import Flask

from bvo import consumers, create_app, database, logs, registry
from bvo.errors import StartupError

P = ParamSpec("P")
R = TypeVar("R")


def ready_app() -> Flask:
    """The app, after its database has answered. Raises StartupError.

    It lives as long as the process, so the garbage collector never looks at it: neither while the program runs, nor at
    its end, where that takes longer than all the rest.
    """
    built = create_app()
    gc.freeze()
    with built.app_context():
        config = registry.current().config
        logs.configure(config)
        database.check_reachable(config)
    logs.follow(built)
    return built


def with_app(command: Callable[P, R]) -> Callable[P, R]:
    """Run a command inside the app's context."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with ready_app().app_context():
            return command(*args, **kwargs)

    return run


def require_migrated() -> None:
    """Raise StartupError where the database lacks revisions; in development mode they are applied instead.

    From here on every event reaches the emitters and sinks that are installed, also new ones.
    """
    from bvo import migrations

    if registry.current().config.development:
        if migrations.pending():
            click.echo("bvo: bringing the database up to date", err=True)
            migrations.upgrade()
        else:
            migrations.seed()
    elif pending := migrations.pending():
        raise StartupError(f"The database lacks migrations of: {', '.join(pending)}. Run `bvo db upgrade` first.")
    else:
        consumers.enroll()
