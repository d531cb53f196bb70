"""The table of endpoints: complete, and each with a test that there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from flask import Flask

from bvo import create_app, openapi
from docs.markdown import ROOT

DOCUMENT = ROOT / "docs" / "endpoints.md"
SHOWN_BY = r"\[`(?P<test>\w+)`\]\(\.\./(?P<file>[\w/.]+)\)"
ROW = re.compile(rf"\| `(?P<endpoint>[A-Z]+ [^`]+)` \| (?P<what>.+) \| (?P<who>.+) \| {SHOWN_BY} \|")


def rows() -> list[dict[str, str]]:
    lines = DOCUMENT.read_text("utf-8").splitlines()
    return [found.groupdict() for line in lines if (found := ROW.fullmatch(line))]


def described(tmp_path: Path) -> dict[str, Any]:
    app: Flask = create_app({"BVO_DATABASE_URL": "sqlite://", "BVO_DATA_DIR": tmp_path})
    paths: dict[str, dict[str, Any]] = openapi.describe(app)["paths"]
    return {
        f"{method.upper()} {path}": operation
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method != "parameters"
    }


def who(operation: dict[str, Any]) -> str:
    if permission := re.search(r"Permission: (`\S+`)", operation.get("description", "")):
        return permission[1]
    if not operation["security"]:
        return "everybody"
    return "robots" if operation["security"] == [{"robot": []}] else "anybody logged in"


def test_every_endpoint_stands_in_the_table_as_the_api_describes_it(tmp_path: Path) -> None:
    expected = {name: (operation["summary"], who(operation)) for name, operation in described(tmp_path).items()}
    assert {row["endpoint"]: (row["what"], row["who"]) for row in rows()} == expected


def test_every_test_of_the_table_is_there() -> None:
    for row in rows():
        tree = ast.parse((ROOT / row["file"]).read_text("utf-8"))
        names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert f"test_{row['test']}" in names, row["endpoint"]
