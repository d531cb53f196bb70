"""Finds out what a script needs: where it is written, which Python, which wheels come along."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bvo_agent.errors import JobFailed

# The regular expression that PEP 723 gives.
SCRIPT_BLOCK = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
# What a requirements file may take from elsewhere in the package: then its own text does not tell everything.
LOCAL = re.compile(
    r"(?m)^\s*(-r|-c|-e|--requirement|--constraint|--editable|\.|file:|[\w./-]+\.whl)|@\s*(file:|\.)|\bpath\s*="
)


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """`source` is the file to install from, None for nothing; `text` is what decides the environment."""

    source: Path | None = None
    text: str = ""
    requires_python: str | None = None
    wheels: Path | None = None

    @property
    def uses_local_files(self) -> bool:
        return LOCAL.search(self.text) is not None

    def wheel_digests(self) -> list[str]:
        """Name and sha256 of each file in `wheels`, sorted."""
        files = sorted(self.wheels.iterdir()) if self.wheels else []
        return [f"{path.name} {_digest(path)}" for path in files if path.is_file()]


def find(package: Path, script: Path) -> Dependencies:
    """Looks into the script, beside it, then at the package's root; the first find wins.

    Raises JobFailed.
    """
    wheels = next((each / "wheels" for each in (script.parent, package) if (each / "wheels").is_dir()), None)
    block = _script_block(script)
    if block is not None:
        python = _toml(block, script).get("requires-python")
        return Dependencies(source=script, text=block, requires_python=python, wheels=wheels)
    for folder in dict.fromkeys((script.parent, package)):
        source, python = _source_in(folder), _requires_python(folder)
        if source or python:
            text = _read(source) if source else ""
            return Dependencies(source=source, text=text, requires_python=python, wheels=wheels)
    return Dependencies(wheels=None)


def _source_in(folder: Path) -> Path | None:
    names = ["pylock.toml", "requirements.lock", "requirements.txt"]
    if (folder / "pyproject.toml").is_file():
        names = ["uv.lock", *names]
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    project = _project(folder)
    if found is None and (project.get("dependencies") or "dependencies" in project.get("dynamic", [])):
        return folder / "pyproject.toml"
    return found


def _requires_python(folder: Path) -> str | None:
    value = _project(folder).get("requires-python")
    return str(value) if value else None


def _project(folder: Path) -> dict[str, Any]:
    path = folder / "pyproject.toml"
    project = _toml(_read(path), path).get("project") if path.is_file() else None
    return project if isinstance(project, dict) else {}


def _script_block(script: Path) -> str | None:
    match = SCRIPT_BLOCK.search(_read(script).replace("\r\n", "\n"))
    if match is None:
        return None
    lines = match["content"].splitlines(keepends=True)
    return "".join(line[2:] if line.startswith("# ") else line[1:] for line in lines)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig", errors="replace")


def _toml(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise JobFailed(f"{path.name} of the package is not valid TOML: {error}") from error
