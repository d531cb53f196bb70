"""Configuration from the environment: `BVO_*`, and `BVO_*_FILE` for secrets that lie in files."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .errors import StartupError

MIN_SECRET_BYTES = 32
ENVIRONMENTS = ("development", "production")


@dataclass(frozen=True, kw_only=True)
class Config:
    """What the process was started with. Settings that change while it runs are in `bvo.settings`."""

    env: str
    data_dir: Path
    database_url: str
    secret_key: str
    encryption_keys: tuple[str, ...]
    disabled_plugins: frozenset[str]
    required_plugins: frozenset[str]
    package_stores: tuple[str, ...]
    proxy_hops: int
    runner_lane: bool

    @property
    def development(self) -> bool:
        return self.env == "development"

    @classmethod
    def load(cls, overrides: Mapping[str, Any] | None = None) -> Config:
        """Read the environment; `overrides` (keys such as `BVO_DATA_DIR`) win over it. Raises StartupError."""
        values = Environment({**os.environ, **{key: str(value) for key, value in (overrides or {}).items()}})
        env = values.text("BVO_ENV", "development")
        if env not in ENVIRONMENTS:
            raise StartupError(f"BVO_ENV is {env!r}: use {' or '.join(ENVIRONMENTS)}.")
        data_dir = _make_folder(values.text("BVO_DATA_DIR", "bvo-data"))
        return cls(
            env=env,
            data_dir=data_dir,
            database_url=_database_url(values, data_dir),
            secret_key=_secret_key(values, data_dir),
            encryption_keys=_encryption_keys(values, data_dir),
            disabled_plugins=frozenset(values.names("BVO_DISABLED_PLUGINS")),
            required_plugins=frozenset(values.names("BVO_REQUIRED_PLUGINS")),
            package_stores=values.names("BVO_PACKAGE_STORE") or ("folder",),
            proxy_hops=values.number("BVO_PROXY_HOPS", 0, most=99),
            runner_lane=values.switch("BVO_RUNNER_LANE", "on"),
        )


class Environment:
    """Variables by name. Who reads one gets what can be used, or StartupError, which says what to write instead.

    One that is empty counts as none.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, "").strip() or default

    def names(self, name: str) -> tuple[str, ...]:
        """What a comma-separated list names, each once and in its order."""
        return tuple(dict.fromkeys(part.strip() for part in self.text(name).split(",") if part.strip()))

    def number(self, name: str, default: int, *, least: int = 0, most: int) -> int:
        """A whole number from `least` to `most`."""
        text = self.text(name, str(default))
        number = int(text) if re.fullmatch("[0-9]{1,15}", text) else -1
        if not least <= number <= most:
            raise StartupError(f"{name} is {text!r}: use a whole number from {least} to {most}, e.g. {default}.")
        return number

    def switch(self, name: str, default: str) -> bool:
        text = self.text(name, default)
        if text not in ("on", "off"):
            raise StartupError(f"{name} is {text!r}: use on or off.")
        return text == "on"

    def secret(self, name: str) -> str:
        """The value of `name`, or the content of the file that `<name>_FILE` points to."""
        if path := self.text(f"{name}_FILE"):
            return _content(Path(path), f"{name}_FILE points to {path}, which")
        return self._values.get(name, "")


environment = Environment(os.environ)
"""That of this process, as it is now: for a plugin's own variables."""


def require(library: str, *, extra: str, by: str) -> None:
    """Raises StartupError where a library is not installed that `by`, a variable or a part, needs."""
    if find_spec(library) is None:
        raise StartupError(
            f"{by} needs the library {library}, which is not installed: pip install 'bv-orchestrator[{extra}]'."
        )


def _content(path: Path, subject: str) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StartupError(f"{subject} can't be read: {error}.") from None
    if not text:
        raise StartupError(f"{subject} is empty. Write the value into it, or remove it.")
    return text


def _make_folder(name: str) -> Path:
    try:
        path = Path(name).expanduser().resolve()
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError) as error:  # RuntimeError: `~somebody` without a home
        reason = getattr(error, "strerror", None) or error
        raise StartupError(
            f"The data folder {name} can't be made: {reason}. Set BVO_DATA_DIR to a folder that is writable."
        ) from None
    return path


def _database_url(values: Environment, data_dir: Path) -> str:
    url = values.secret("BVO_DATABASE_URL") or values.secret("DATABASE_URL")
    if not url:
        return f"sqlite:///{(data_dir / 'bvo.db').as_posix()}"
    scheme, separator, rest = url.partition("://")
    if scheme.startswith("postgres") and rest.partition("?")[0].count("@") > 1:
        raise StartupError("BVO_DATABASE_URL has more than one `@`: percent-encode that of the password as %40.")
    if scheme in ("postgres", "postgresql"):
        return f"postgresql+psycopg://{rest}"
    if not separator or scheme.split("+")[0] not in ("sqlite", "postgresql"):
        raise StartupError(
            "BVO_DATABASE_URL must begin with postgresql:// or sqlite:///."
            " Its value is not shown here: it may hold a password."
        )
    return url


def _secret_key(values: Environment, data_dir: Path) -> str:
    key = values.secret("BVO_SECRET_KEY") or _generated_key(data_dir / "secret_key", 48)
    if len(key.encode()) < MIN_SECRET_BYTES:
        raise StartupError(
            f"BVO_SECRET_KEY has fewer than {MIN_SECRET_BYTES} bytes. Make one with"
            " `python -c 'import secrets; print(secrets.token_urlsafe(48))'`."
        )
    return key


def _encryption_keys(values: Environment, data_dir: Path) -> tuple[str, ...]:
    """The keys of stored secrets, the current one first; older ones only decrypt."""
    text = values.secret("BVO_ENCRYPTION_KEY") or _generated_key(data_dir / "encryption_key", 32)
    return tuple(key.strip() for key in text.split(",") if key.strip())


def _generated_key(path: Path, size: int) -> str:
    """A key of `size` random bytes kept in the data folder, made at the first start. Several servers must share one."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return _content(path, f"The key {path}")
    except OSError as error:
        raise StartupError(f"The data folder {path.parent} is not writable: {error.strerror}.") from None
    key = secrets.token_urlsafe(size)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(key)
    return key
