"""The example packages do what their README says, run as a robot runs them: in another process."""

from __future__ import annotations

import base64
import importlib
import io
import json
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bvo_packages.archive import extract, inspect

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "examples" / "packages"
COLUMNS = ("region", "product", "units", "unit_price")


def needed(name: str) -> Any:
    """The module; a machine that lacks it skips these tests, CI fails."""
    return importlib.import_module(name) if os.environ.get("CI") else pytest.importorskip(name)


openpyxl, _ = needed("openpyxl"), needed("wcwidth")


@dataclass(frozen=True)
class Run:
    """What one run of a script left behind."""

    exit_code: int
    output: str
    result: Any
    progress: Any
    artifacts: Path


def run(script: Path, folder: Path, parameters: dict[str, Any]) -> Run:
    files = {name: folder / f"{name}.json" for name in ("parameters", "result", "progress")}
    files["parameters"].write_text(json.dumps(parameters), encoding="utf-8")
    environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT / "plugins")}
    environment |= {f"BVO_{name.upper()}_FILE": str(path) for name, path in files.items()}
    environment["BVO_ARTIFACTS_DIR"] = str(folder / "artifacts")
    command = [sys.executable, "-B", str(script)]
    options: dict[str, Any] = {"capture_output": True, "encoding": "utf-8", "timeout": 60, "check": False}
    done = subprocess.run(command, env=environment, cwd=folder, **options)
    found = {name: json.loads(path.read_text("utf-8")) for name, path in files.items() if path.exists()}
    output = done.stdout + done.stderr
    return Run(done.returncode, output, found.get("result"), found.get("progress"), folder / "artifacts")


def sales(folder: Path, **parameters: Any) -> Run:
    return run(PACKAGES / "sales_report" / "main.py", folder, parameters)


def words(folder: Path, **parameters: Any) -> Run:
    return run(PACKAGES / "word_count" / "word_count.py", folder, parameters)


def workbook(*rows: tuple[Any, ...]) -> str:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for cell in (cell for row in book.active.iter_rows() for cell in row if isinstance(cell.value, str)):
        cell.data_type = "s"  # "=1+1" is a name here
    out = io.BytesIO()
    book.save(out)
    return base64.b64encode(out.getvalue()).decode("ascii")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Run:
    rows = [
        (" Product ", "note", "REGION", "Unit_Price", "units"),
        ("Desk", "x", "North", 0.1, 3),
        ("Lamp", None, "South", 20, 2),
        (None, None, None, None, None),
        ("Lamp", None, "=1+1", 5.5, 1),
        ("Desk", None, "North", 100, 1),
    ]
    return sales(tmp_path_factory.mktemp("sales"), workbook_base64=workbook(*rows))


def test_the_result_has_the_totals_to_the_cent(report: Run) -> None:
    assert report.exit_code == 0, report.output
    assert report.result == {
        "orders": 4,
        "units": 7,
        "revenue": 145.8,
        "by_region": {
            "North": {"orders": 2, "units": 4, "revenue": 100.3},
            "South": {"orders": 1, "units": 2, "revenue": 40.0},
            "=1+1": {"orders": 1, "units": 1, "revenue": 5.5},
        },
    }
    assert report.progress == {"fraction": 1.0, "message": "done"}
    assert "North: 2 orders, revenue 100.30" in report.output


def test_the_workbook_is_formatted_and_has_a_chart(report: Run) -> None:
    book = openpyxl.load_workbook(report.artifacts / "report.xlsx")
    regions, products = book.worksheets
    assert [row[0].value for row in regions.iter_rows()] == ["Region", "North", "South", "=1+1", "Total"]
    assert [cell.value for cell in products[2]] == ["Desk", 2, 4, 100.3]
    assert [cell.value for cell in regions[5]] == ["Total", 4, 7, 145.8]
    assert regions["A4"].data_type == "s"
    assert all(cell.font.bold for cell in (*regions[1], *regions[5]))
    assert not regions["A2"].font.bold
    assert [cell.number_format for cell in regions[2]][1:] == ["#,##0", "#,##0", "#,##0.00"]
    assert regions.column_dimensions["D"].width == 14
    with zipfile.ZipFile(report.artifacts / "report.xlsx") as parts:
        assert "'By region'!$D$2:$D$4" in parts.read("xl/charts/chart1.xml").decode("utf-8")


def test_the_page_reads_as_plain_text(report: Run) -> None:
    page = (report.artifacts / "report.md").read_text("utf-8")
    assert "4 orders, 7 units, revenue **145.80**." in page
    assert "| North  |       2 |          4 |         100.30 |" in page
    assert re.findall("^## (.*)$", page, re.MULTILINE) == ["By region", "By product"]


def test_without_parameters_the_sample_is_reported_as_the_readme_says(tmp_path: Path) -> None:
    done = sales(tmp_path)
    shown = re.search(r'{"orders".*', (PACKAGES / "sales_report" / "README.md").read_text("utf-8"))
    assert shown
    promised = json.loads(shown[0])
    assert {**done.result, "by_region": {"North": done.result["by_region"]["North"]}} == promised
    assert sorted(path.name for path in done.artifacts.iterdir()) == ["report.md", "report.xlsx"]


ORDER = ("North", "Desk", 3, 10.0)


def sheet_with(*order: Any) -> str:
    return workbook(COLUMNS, order)


BAD = {
    "no text": (17, "workbook_base64 is not base64"),
    "no base64": ("###", "workbook_base64 is not base64"),
    "no workbook": (base64.b64encode(b"region;product").decode(), r"not an \.xlsx workbook"),
    "another zip": (base64.b64encode(b"PK\x05\x06" + bytes(18)).decode(), r"not an \.xlsx workbook"),
    "nothing in it": (workbook(), "no column region, product, units, unit_price: it has nothing"),
    "header only": (workbook(COLUMNS), "The sheet has no orders"),
    "column missing": (workbook(COLUMNS[:3]), r"no column unit_price: it has region, product, units\."),
    "cell empty": (workbook(COLUMNS, ORDER, ("South", "", 1, 2)), r"Row 3: product is empty"),
    "price short": (sheet_with("South", "Desk", 1), r"Row 2: unit_price is empty"),
    "text as number": (sheet_with("North", "Desk", "many", 1), r"Row 2: units is 'many', not a number"),
    "truth as number": (sheet_with("North", "Desk", True, 1), r"Row 2: units is True, not a number"),
    "absurd number": (sheet_with("North", "Desk", 1, 1e300), r"Row 2: unit_price is 1e\+300, out of range"),
}


@pytest.mark.parametrize("case", BAD)
def test_input_that_cannot_be_used_ends_with_one_clear_line(case: str, tmp_path: Path) -> None:
    encoded, message = BAD[case]
    done = sales(tmp_path, workbook_base64=encoded)
    assert (done.exit_code, done.result) == (1, None)
    assert re.search(f"ERROR .*{message}", done.output)
    assert "Traceback" not in done.output
    assert not done.artifacts.exists()


def test_words_are_counted_whatever_their_case_and_unicode_form(tmp_path: Path) -> None:
    done = words(tmp_path, text="It's CAF\u00c9, cafe\u0301! Well-known 42 it's.", top=2)
    assert done.exit_code == 0, done.output
    frequent = [{"word": "it's", "count": 2}, {"word": "caf\u00e9", "count": 2}]
    assert done.result == {"words": 5, "distinct": 3, "most_frequent": frequent}


def test_the_table_is_aligned_though_some_letters_are_wide(tmp_path: Path) -> None:
    lines = words(tmp_path, text="ロボット ロボット robot").output.splitlines()
    assert [line[27:] for line in lines] == [
        "word      count",
        "--------  -----",
        "ロボット      2",
        "robot         1",
    ]


def test_words_without_parameters_count_the_sample(tmp_path: Path) -> None:
    assert words(tmp_path).result["words"] == 31


@pytest.mark.parametrize(
    ("given", "message"),
    [({"text": 5}, "text is int: send a string"), ({"top": 0}, "top is 0: send a whole number from 1")],
)
def test_wrong_parameters_end_with_one_clear_line(given: dict[str, Any], message: str, tmp_path: Path) -> None:
    done = words(tmp_path, **given)
    assert (done.exit_code, done.result) == (1, None)
    assert message in done.output
    assert "Traceback" not in done.output


def test_an_empty_text_has_no_words(tmp_path: Path) -> None:
    assert words(tmp_path, text="").result == {"words": 0, "distinct": 0, "most_frequent": []}


@pytest.mark.parametrize(("name", "script"), [("sales_report", "main.py"), ("word_count", "word_count.py")])
def test_zipped_as_the_readme_says_an_example_runs(name: str, script: str, tmp_path: Path) -> None:
    files = [path.name for path in sorted((PACKAGES / name).iterdir()) if path.is_file()]
    package = tmp_path / "package.zip"
    command = [sys.executable, "-m", "zipfile", "-c", str(package), *files]
    subprocess.run(command, cwd=PACKAGES / name, check=True, timeout=60)
    assert script in inspect(package).scripts
    extract(package, tmp_path / "run")
    assert run(tmp_path / "run" / script, tmp_path, {}).exit_code == 0


def test_the_readme_packs_every_file_of_the_example() -> None:
    packed = re.search(r"sales_report\.zip (.*)", (ROOT / "examples" / "README.md").read_text("utf-8"))
    assert packed
    present = {path.name for path in (PACKAGES / "sales_report").iterdir() if path.is_file()}
    assert set(packed[1].split()) == present
