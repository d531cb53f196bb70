"""Assets: values and secrets that the orchestrator keeps, asked of the runner when they are needed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bvo_job._channel import ask
from bvo_job._context import file_from


class AssetError(Exception):
    """The asset can't be had, or is of the other kind; the message says why."""

    __module__ = "bvo_job"  # as tracebacks, and so the messages of failed jobs, name it


@dataclass(frozen=True)
class Credential:
    """A user name and a password, which `repr` does not show."""

    username: str
    password: str = field(repr=False)


def asset(name: str) -> Any:
    """The value of an asset: a str, an int or a bool, by the asset's type; a secret is a str.

    It is fetched anew at each call. Raises AssetError, also for a credential.
    """
    found = _fetch(name)
    if "password" in found:
        raise AssetError(f"The asset {name!r} is a credential: use bvo_job.credential({name!r}).")
    return found.get("value")


def credential(name: str) -> Credential:
    """The user name and password of a credential, fetched anew at each call. Raises AssetError."""
    found = _fetch(name)
    if "password" not in found:
        raise AssetError(f"The asset {name!r} is not a credential: use bvo_job.asset({name!r}).")
    return Credential(found.get("username") or "", found["password"])


def _fetch(name: str) -> dict[str, Any]:
    if not isinstance(name, str):
        raise TypeError(f"the name of an asset is a str, not {type(name).__name__}")
    channel = file_from("BVO_CHANNEL_FILE")
    found = _ask_runner(channel, name) if channel else _from_file(name)
    if "error" in found:
        raise AssetError(found["error"])
    return found


def _ask_runner(channel: Path, name: str) -> dict[str, Any]:
    try:
        return ask(channel, "asset", name=name)
    except (OSError, ValueError) as error:
        raise AssetError(f"The runner does not answer: {error}. Has the job ended?") from error


def _from_file(name: str) -> dict[str, Any]:
    """What stands in for the server outside a job: a JSON file of names and values."""
    file = file_from("BVO_ASSETS_FILE")
    try:
        assets = dict(json.loads(file.read_text(encoding="utf-8"))) if file else {}
    except (OSError, TypeError, ValueError) as error:
        raise AssetError(f"BVO_ASSETS_FILE can't be read: {error}") from error
    if name not in assets:
        raise AssetError(
            f'There is no asset {name!r} outside a job. Write a JSON file such as {{{json.dumps(name)}: "value"}},'
            ' {"username": …, "password": …} for a credential, and name it in BVO_ASSETS_FILE.'
        )
    value = assets[name]
    return dict(value) if isinstance(value, dict) else {"value": value}
