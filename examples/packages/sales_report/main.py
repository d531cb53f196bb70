"""Add up the orders of a spreadsheet by region and product: a formatted workbook, a page and a result.

Parameter `workbook_base64`: the .xlsx itself; without it a small built-in sample is used.
"""

from __future__ import annotations

import base64
import io
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import openpyxl
from report import Totals, write_page, write_workbook

import bvo_job

COLUMNS = ("region", "product", "units", "unit_price")
LARGEST = 10**12
SAMPLE = [
    ("North", "Desk", 4, 310.0),
    ("North", "Chair", 18, 89.5),
    ("South", "Desk", 7, 305.0),
    ("South", "Lamp", 25, 24.9),
    ("East", "Chair", 11, 92.0),
    ("West", "Lamp", 40, 23.75),
    ("West", "Desk", 2, 315.0),
]


class InputError(Exception):
    """The spreadsheet cannot be used; the message says what to change in it."""


@dataclass(frozen=True)
class Order:
    """One row of the spreadsheet."""

    region: str
    product: str
    units: Decimal
    unit_price: Decimal


def main() -> int:
    """Run the report; the exit code is 1 for input that cannot be used."""
    try:
        bvo_job.progress(0, "reading the workbook")
        orders = list(read_orders(load_sheet(bvo_job.parameters.get("workbook_base64"))))
    except InputError as error:
        bvo_job.log(error, "error")
        return 1
    regions, products = add_up(orders)
    bvo_job.progress(0.8, "writing the report")
    write_workbook(bvo_job.artifacts_dir / "report.xlsx", regions, products)
    write_page(bvo_job.artifacts_dir / "report.md", regions, products)
    bvo_job.set_result(summary(regions))
    bvo_job.progress(1, "done")
    return 0


def load_sheet(encoded: Any) -> list[tuple[Any, ...]]:
    """The values of the first sheet, row by row."""
    data = sample_workbook() if encoded is None else decode(encoded)
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        rows = list(book.worksheets[0].iter_rows(values_only=True))
    except Exception as error:  # openpyxl lets through whatever its zip and XML readers raise
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"workbook_base64 is not an .xlsx workbook ({reason}).") from error
    bvo_job.log(f"Read {len(rows)} rows from the sheet {book.worksheets[0].title!r}.")
    return rows


def decode(encoded: Any) -> bytes:
    """The bytes of a parameter that holds a file."""
    try:
        return base64.b64decode(encoded, validate=True)
    except (TypeError, ValueError) as error:
        raise InputError("workbook_base64 is not base64: encode the .xlsx file and send that.") from error


def sample_workbook() -> bytes:
    """An .xlsx made in memory."""
    bvo_job.log("No workbook_base64 given: using the built-in sample.")
    book = openpyxl.Workbook()
    for row in (COLUMNS, *SAMPLE):
        book.worksheets[0].append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def read_orders(rows: list[tuple[Any, ...]]) -> Iterator[Order]:
    """Check and convert row by row; empty rows are skipped."""
    places = find_columns(rows[0] if rows else ())
    if not any(map(any, rows[1:])):
        raise InputError("The sheet has no orders: add rows below the header.")
    for number, row in enumerate(rows[1:], start=2):
        if any(value is not None for value in row):
            yield read_order(number, {name: row[place] for name, place in places.items() if place < len(row)})
        if number % 100 == 0:
            bvo_job.progress(0.7 * number / len(rows), f"row {number} of {len(rows)}")


def find_columns(header: tuple[Any, ...]) -> dict[str, int]:
    """Where each column stands; upper case and surrounding spaces do not matter."""
    found = [str(value or "").strip().lower() for value in header]
    missing = [name for name in COLUMNS if name not in found]
    if missing:
        has = ", ".join(filter(None, found)) or "nothing"
        raise InputError(f"The first row has no column {', '.join(missing)}: it has {has}.")
    return {name: found.index(name) for name in COLUMNS}


def read_order(number: int, cells: dict[str, Any]) -> Order:
    """One order, or an error that names the cell."""
    for name in COLUMNS:
        if str(cells.get(name) or "").strip() == "" and cells.get(name) != 0:
            raise InputError(f"Row {number}: {name} is empty.")
    for name in ("units", "unit_price"):
        if isinstance(cells[name], bool) or not isinstance(cells[name], (int, float)):
            raise InputError(f"Row {number}: {name} is {cells[name]!r}, not a number.")
        if not abs(cells[name]) < LARGEST:
            raise InputError(f"Row {number}: {name} is {cells[name]!r}, out of range.")
    # By way of text a price of 0.1 stays 0.1, and totals are right to the cent.
    units, price = Decimal(str(cells["units"])), Decimal(str(cells["unit_price"]))
    return Order(str(cells["region"]).strip(), str(cells["product"]).strip(), units, price)


def add_up(orders: Iterable[Order]) -> tuple[dict[str, Totals], dict[str, Totals]]:
    """Totals by region and by product, the highest revenue first."""
    regions: dict[str, Totals] = defaultdict(Totals)
    products: dict[str, Totals] = defaultdict(Totals)
    for order in orders:
        regions[order.region].add(order.units, order.unit_price)
        products[order.product].add(order.units, order.unit_price)
    for name, totals in regions.items():
        orders_of_it = "1 order" if totals.orders == 1 else f"{totals.orders} orders"
        bvo_job.log(f"{name}: {orders_of_it}, revenue {totals.revenue:,.2f}")
    return by_revenue(regions), by_revenue(products)


def by_revenue(groups: dict[str, Totals]) -> dict[str, Totals]:
    """The same groups in descending order of revenue."""
    return dict(sorted(groups.items(), key=lambda group: -group[1].revenue))


def summary(regions: dict[str, Totals]) -> dict[str, Any]:
    """The result of the job."""
    by_region = {name: totals.as_json() for name, totals in regions.items()}
    return Totals.of(regions.values()).as_json() | {"by_region": by_region}


if __name__ == "__main__":
    sys.exit(main())
