"""Configuration from the environment: `BVO_*`, and `BVO_*_FILE` for secrets that lie in files."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
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
        values = _Values({**os.environ, **{key: str(value) for key, value in (overrides or {}).items()}})
        env = values.get("BVO_ENV", "development")
        if env not in ENVIRONMENTS:
            raise StartupError(f"BVO_ENV is {env!r}: use {' or '.join(ENVIRONMENTS)}.")
        data_dir = _make_folder(values.get("BVO_DATA_DIR", "bvo-data"))
        return cls(
            env=env,
            data_dir=data_dir,
            database_url=_database_url(values, data_dir),
            secret_key=_secret_key(values, data_dir),
            encryption_keys=_encryption_keys(values, data_dir),
            disabled_plugins=names(values.get("BVO_DISABLED_PLUGINS", "")),
            required_plugins=names(values.get("BVO_REQUIRED_PLUGINS", "")),
            package_stores=_in_order(values.get("BVO_PACKAGE_STORE", "")) or ("folder",),
            proxy_hops=_number(values, "BVO_PROXY_HOPS", 0),
            runner_lane=_switch(values, "BVO_RUNNER_LANE", "on"),
        )


class _Values:
    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def get(self, name: str, default: str) -> str:
        return self._values.get(name) or default

    def secret(self, name: str) -> str:
        """The value of `name`, or the content of the file that `<name>_FILE` points to."""
        if path := self._values.get(f"{name}_FILE"):
            return _content(Path(path), f"{name}_FILE points to {path}, which")
        return self._values.get(name, "")


def secret(name: str) -> str:
    """A variable of a plugin's own: the value of `name`, or the content of the file that `<name>_FILE` points to."""
    return _Values(os.environ).secret(name)


def _number(values: _Values, name: str, default: int) -> int:
    text = values.get(name, str(default))
    if not text.isdecimal() or len(text) > 3:
        raise StartupError(f"{name} is {text!r}: use a whole number, e.g. 1.")
    return int(text)


def _switch(values: _Values, name: str, default: str) -> bool:
    text = values.get(name, default)
    if text not in ("on", "off"):
        raise StartupError(f"{name} is {text!r}: use on or off.")
    return text == "on"


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


def names(text: str) -> frozenset[str]:
    """What a comma-separated list names."""
    return frozenset(_in_order(text))


def _in_order(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _database_url(values: _Values, data_dir: Path) -> str:
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


def _secret_key(values: _Values, data_dir: Path) -> str:
    key = values.secret("BVO_SECRET_KEY") or _generated_key(data_dir / "secret_key", 48)
    if len(key.encode()) < MIN_SECRET_BYTES:
        raise StartupError(
            f"BVO_SECRET_KEY has fewer than {MIN_SECRET_BYTES} bytes. Make one with"
            " `python -c 'import secrets; print(secrets.token_urlsafe(48))'`."
        )
    return key


def _encryption_keys(values: _Values, data_dir: Path) -> tuple[str, ...]:
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
