"""How the totals look: as a workbook and as a page of Markdown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.chart import BarChart, Reference
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

HEADER = ("Orders", "Units", "Revenue")
BOLD = Font(bold=True)
SHADE = PatternFill("solid", fgColor="DDE6F0")


@dataclass
class Totals:
    """What a group of orders comes to."""

    orders: int = 0
    units: Decimal = Decimal(0)
    revenue: Decimal = Decimal(0)

    @classmethod
    def of(cls, parts: Iterable[Totals]) -> Totals:
        """The sum of the parts."""
        total = cls()
        for part in parts:
            total.orders += part.orders
            total.units += part.units
            total.revenue += part.revenue
        return total

    def add(self, units: Decimal, unit_price: Decimal) -> None:
        """Count one order."""
        self.orders += 1
        self.units += units
        self.revenue += units * unit_price

    def values(self) -> tuple[int, int | float, float]:
        """The numbers as JSON and Excel know them: whole units as int, revenue to the cent."""
        units = int(self.units) if self.units == int(self.units) else float(self.units)
        return self.orders, units, float(round(self.revenue, 2))

    def as_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return dict(zip(("orders", "units", "revenue"), self.values(), strict=True))


def write_workbook(path: Path, regions: dict[str, Totals], products: dict[str, Totals]) -> None:
    """One sheet for the regions, with a chart, and one for the products."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.title = "By region"
    fill_sheet(sheet, "Region", regions)
    add_chart(sheet, len(regions))
    fill_sheet(book.create_sheet("By product"), "Product", products)
    book.save(path)


def fill_sheet(sheet: Worksheet, heading: str, groups: dict[str, Totals]) -> None:
    """Header, one row for each group, and the total."""
    sheet.append((heading, *HEADER))
    for name, totals in (*groups.items(), ("Total", Totals.of(groups.values()))):
        sheet.append((name, *totals.values()))
    for row in sheet.iter_rows(min_row=2):
        row[0].data_type = "s"  # a name such as "=1+1" must not become a formula
        for cell in row[1:]:
            cell.number_format = "#,##0" if isinstance(cell.value, int) else "#,##0.00"
    for cell in sheet[1]:
        cell.fill = SHADE
        cell.alignment = Alignment(horizontal="center")
    embolden((*sheet[1], *sheet[sheet.max_row]))
    set_widths(sheet, groups)
    sheet.freeze_panes = "A2"


def embolden(cells: Iterable[Cell]) -> None:
    """Set the cells in bold."""
    for cell in cells:
        cell.font = BOLD


def set_widths(sheet: Worksheet, groups: dict[str, Totals]) -> None:
    """Widths in characters: names as long as they are, up to 40, and numbers alike."""
    sheet.column_dimensions["A"].width = min(40, max(map(len, (*groups, "Product")))) + 2
    for column in "BCD":
        sheet.column_dimensions[column].width = 14


def add_chart(sheet: Worksheet, groups: int) -> None:
    """Revenue of each group as a bar, beside the table."""
    chart = BarChart()
    chart.title = "Revenue by region"
    chart.legend = None
    chart.add_data(Reference(sheet, min_col=4, min_row=1, max_row=groups + 1), titles_from_data=True)
    chart.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=groups + 1))
    for axis in (chart.x_axis, chart.y_axis):
        axis.delete = False  # without this, new versions of Excel draw no labels
    sheet.add_chart(chart, "F2")


def write_page(path: Path, regions: dict[str, Totals], products: dict[str, Totals]) -> None:
    """The same numbers as Markdown."""
    orders, units, revenue = Totals.of(regions.values()).values()
    lines = ["# Sales report", "", f"{orders} orders, {units:,} units, revenue **{revenue:,.2f}**."]
    for heading, groups in (("Region", regions), ("Product", products)):
        lines += ["", f"## By {heading.lower()}", "", *table(heading, groups)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def table(heading: str, groups: dict[str, Totals]) -> list[str]:
    """A Markdown table whose columns also line up as plain text."""
    names = {name: " ".join(name.split()).replace("|", "\\|") for name in groups}
    width = max(map(len, (heading, *names.values())))
    lines = [f"| {heading:<{width}} | {'Orders':>7} | {'Units':>10} | {'Revenue':>14} |"]
    lines.append(f"| {'-' * width} | ------: | ---------: | -------------: |")
    for name, totals in groups.items():
        orders, units, revenue = totals.values()
        lines.append(f"| {names[name]:<{width}} | {orders:>7,} | {units:>10,} | {revenue:>14,.2f} |")
    return lines
