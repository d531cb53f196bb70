"""What getting-started.md says of variables, settings and messages is what the code has."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from bvo import create_app
from bvo_settings import description
from docs.markdown import ROOT, code, section, tables

DOCUMENT = ROOT / "docs" / "getting-started.md"
SOURCES = [path for folder in ("core", "plugins", "webui") for path in (ROOT / folder).rglob("*.py")]
VARIABLE = re.compile(r"(?<![A-Z0-9_])(?:BVO_[A-Z0-9_]*[A-Z0-9]|DATABASE_URL)")


def test_every_variable_of_the_code_is_in_the_tables_and_no_other() -> None:
    read = {name for text in texts() for name in VARIABLE.findall(text)}
    listed = {name for table in _tables()[:3] for row in table for name in VARIABLE.findall(" ".join(row))}
    assert {name.removesuffix("_FILE") for name in listed} == {name.removesuffix("_FILE") for name in read}


def test_every_setting_is_listed_as_the_api_describes_it(tmp_path: Path) -> None:
    with create_app({"BVO_DATA_DIR": tmp_path}).app_context():
        groups = description.groups()
    described = {
        f"{group}.{name}": (_kind(shown), json.dumps(shown["default"]), shown.get("x-unit", ""), shown["description"])
        for group, schema in groups.items()
        for name, shown in schema["properties"].items()
    }
    listed = {code(name): (kind, code(default), unit, help_) for name, kind, default, unit, help_ in _tables()[3]}
    assert listed == described


def _kind(shown: dict[str, Any]) -> str:
    """A setting's type in words: `string or null, secret`."""
    kinds = shown["type"] if isinstance(shown["type"], list) else [shown["type"]]
    if kinds == ["string"] and "enum" in shown:
        return f"one of {', '.join(shown['enum'])}"
    words = " or ".join(f"array of {shown['items']['type']}" if kind == "array" else kind for kind in kinds)
    return f"{words}, secret" if shown.get("format") == "password" else words


def test_every_message_of_the_troubleshooting_table_is_one_of_the_product() -> None:
    (rows,) = tables(section(DOCUMENT, "## Troubleshooting"))
    messages = [code(message) for message, _ in rows if message.startswith("`")]
    assert len(messages) > 15
    assert [message for message in messages if not _is_said(message)] == []


def _is_said(message: str) -> bool:
    parts = [part.strip() for part in message.split("…") if part.strip()]
    return any(all(part in text for part in parts) for text in texts())


def _tables() -> list[list[list[str]]]:
    return tables(section(DOCUMENT, "## Configuration"))


@cache
def texts() -> list[str]:
    """Every text of the product's code; what is filled in at run time is left out."""
    return [text for path in SOURCES for text in _texts(ast.parse(path.read_text("utf-8")))]


def _texts(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
