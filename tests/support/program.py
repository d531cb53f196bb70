"""The `bvo` program inside this process, for what a process of its own would add nothing to."""

from __future__ import annotations

from typing import Any

import flask
import pytest
from flask import Flask

from bvo.cli import main, program
from bvo.database import db


class Program:
    """`bvo` inside this process: `run` returns the exit code; what it printed is in `out` and `err`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = self.err = ""

    def run(self, *arguments: str) -> int:
        program.__dict__.pop("_commands", None)  # the commands of the plugins that other tests installed
        self._capsys.readouterr()
        with pytest.raises(SystemExit) as exit_, disposing():
            main(list(arguments))
        self.out, self.err = self._capsys.readouterr()
        return int(exit_.value.code or 0)


class disposing:  # noqa: N801 - reads as the `with` statement that it is for
    """Closes the connections of every app that was used inside."""

    def __enter__(self) -> None:
        self._apps: dict[int, Flask] = {}
        flask.appcontext_pushed.connect(self._seen)

    def __exit__(self, *_: Any) -> None:
        flask.appcontext_pushed.disconnect(self._seen)
        for app in self._apps.values():
            with app.app_context():
                db.engine.dispose()

    def _seen(self, app: Flask, **_: Any) -> None:
        self._apps[id(app)] = app
