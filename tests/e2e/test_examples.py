"""The example packages, run by a real runner for a real server."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import openpyxl
import pytest

from support.runners import wait_for_job
from support.servers import Server, queue_job

PACKAGES = Path(__file__).parents[2] / "examples" / "packages"

pytestmark = pytest.mark.usefixtures("runner")


def files_of(package: str) -> dict[str, bytes | str]:
    folder = PACKAGES / package
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def workbook(*rows: tuple[object, ...]) -> str:
    book = openpyxl.Workbook()
    for row in (("region", "product", "units", "unit_price"), *rows):
        book.active.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return base64.b64encode(buffer.getvalue()).decode()


def test_the_sales_report_turns_a_spreadsheet_into_totals_and_a_report(server: Server) -> None:
    parameters = {"workbook_base64": workbook(("North", "Lamp", 2, 10.0), ("South", "Desk", 1, 99.5))}
    job = wait_for_job(server, queue_job(server, "sales", files_of("sales_report"), parameters=parameters), seconds=120)
    assert job["error_message"] is None
    assert job["result"]["output"]["revenue"] == 119.5
    names = [artifact["name"] for artifact in server.call("GET", f"/api/jobs/{job['id']}/artifacts")]
    assert names == ["report.md", "report.xlsx"]


def test_the_word_count_is_one_script_that_names_its_own_dependencies(server: Server) -> None:
    parameters = {"text": "to be or not to be"}
    job_id = queue_job(server, "words", files_of("word_count"), script="word_count.py", parameters=parameters)
    job = wait_for_job(server, job_id, seconds=120)
    assert job["error_message"] is None
    assert job["result"]["output"]["words"] == 6
