"""Every plugin has the same shape, says what it needs, and registers without loading a framework."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bvo import plugins

ROOT = Path(__file__).parents[2]
FOLDERS = {path.name: path for path in (ROOT / "plugins").iterdir() if (path / "__init__.py").exists()}
SHELL = ROOT / "webui/bvo_webui"
LOADED = {plugin.package: plugin for plugin in plugins.load().all if plugin.builtin}
STANDARD = {
    "__init__.py": "the hook implementations",
    "api.py": "routes that the entity engine does not derive",
    "entities.py": "entity types",
    "models.py": "tables",
    "pages.py": "pages that the web UI does not derive",
    "schemas.py": "what comes in and goes out",
    "service.py": "behaviour",
    "commands.py": "commands of `bvo`",
    "migrations": "Alembic revisions",
    "templates": "templates",
}
LISTS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]


def modules(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def imported(path: Path) -> set[str]:
    """The top-level packages that a module imports when it runs, also inside of functions."""
    found: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("package", sorted(FOLDERS))
def test_a_module_beside_the_standard_ones_is_named_after_what_it_does(package: str) -> None:
    """No rule for its name, but those of the kind that collects everything are a smell."""
    names = {path.name for path in FOLDERS[package].iterdir()} - set(STANDARD)
    assert not names & {"utils.py", "util.py", "helpers.py", "common.py", "misc.py", "core.py", "base.py", "lib.py"}
    assert "py.typed" in names


@pytest.mark.parametrize("package", sorted(LOADED))
def test_the_entry_module_only_registers(package: str) -> None:
    """Nothing but hook implementations: no classes, no constants, no behaviour."""
    tree = ast.parse((SHELL if package == "bvo_webui" else FOLDERS[package]).joinpath("__init__.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            assert [ast.unparse(decorator) for decorator in node.decorator_list] == ["hookimpl"], node.name
        else:
            assert isinstance(node, (ast.Import, ast.ImportFrom, ast.If, ast.Expr)), ast.unparse(node)
    assert {node.test.id for node in tree.body if isinstance(node, ast.If)} <= {"TYPE_CHECKING"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("package", sorted(LOADED.keys() & FOLDERS.keys()))
def test_a_plugin_requires_every_plugin_that_it_imports(package: str) -> None:
    names = {other: plugin.name for other, plugin in LOADED.items()}
    needed = set().union(*(imported(path) for path in modules(FOLDERS[package]))) & names.keys() - {package}
    assert {names[other] for other in needed} <= set(LOADED[package].info.requires)


def test_tables_and_behaviour_know_nothing_of_routes() -> None:
    """`models` and `service` import neither `api` nor `entities`."""
    for package in LOADED.keys() & FOLDERS.keys():
        for name in ("models.py", "service.py"):
            path = FOLDERS[package] / name
            if not path.exists():
                continue
            relative = {
                node.module
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
                if isinstance(node, ast.ImportFrom) and node.level == 1
            }
            assert not relative & {"api", "entities", "pages"}, path


def test_every_package_stands_in_the_lists_that_keep_the_imports_in_order() -> None:
    packages = {"bvo", "bvo_hookspecs", "bvo_webui", *FOLDERS}
    assert set(LISTS["root_packages"]) == packages
    layered = {name for layer in LISTS["contracts"][0]["layers"] for name in layer.split(" | ")}
    assert layered == packages - {"bvo_webui"}
    assert set(LOADED) <= packages
    by_name = {contract["name"]: contract for contract in LISTS["contracts"]}
    assert set(by_name["The web UI imports no plugin"]["forbidden_modules"]) >= set(LOADED) - {"bvo_webui"}


def test_every_folder_with_plugin_info_is_a_builtin_and_every_table_has_migrations() -> None:
    registering = {name for name, path in FOLDERS.items() if "def plugin_info" in (path / "__init__.py").read_text()}
    assert registering | {"bvo_webui"} == set(plugins.BUILTINS)
    for name, path in FOLDERS.items():
        assert (path / "migrations").is_dir() or not (path / "models.py").exists(), name


def test_loading_every_plugin_loads_neither_flask_nor_sqlalchemy() -> None:
    code = "from bvo.plugins import load; load(); import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"flask", "sqlalchemy", "marshmallow", "werkzeug"} & set(done.stdout.split())
