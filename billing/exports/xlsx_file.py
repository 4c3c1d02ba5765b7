"""A spreadsheet with numbers that are numbers, written row by row in constant memory."""

import tempfile
from collections.abc import Generator
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from billing import money
from billing.exports.table import Cell, Column, Kind, Table

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MOST_ROWS = 1_048_576
"""Of a sheet, as the format has it; what is more goes on in the next sheet."""
PIECE_BYTES = 64 * 1024
EXACTNESS = (
    "A spreadsheet's numbers hold about 15 digits. Dollars are numbers here, for reading and charts; where every digit "
    "counts, use the column in nano-dollars (a billionth of a dollar), which is text and exact."
)
_FORMATS = {Kind.COUNT: "#,##0", Kind.DOLLARS: "$#,##0.00#######", Kind.SHARE: "0.0%"}
_WIDTHS = {Kind.TEXT: 28, Kind.COUNT: 14, Kind.DOLLARS: 18, Kind.NANO: 20, Kind.SHARE: 11}


def chunks(table: Table) -> Generator[bytes]:
    """The file, piece by piece. It is complete on disk before the first piece: its directory stands at its end."""
    with tempfile.NamedTemporaryFile(suffix=".xlsx") as file:
        _write(table, file.name)
        while piece := file.read(PIECE_BYTES):
            yield piece


def _write(table: Table, path: str) -> None:
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    import xlsxwriter  # here, so that processes that serve requests need not hold it

    with xlsxwriter.Workbook(path, options) as book:
        formats = {kind: book.add_format({"num_format": text}) for kind, text in _FORMATS.items()}
        bold = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        _add_sheets(book, table, formats, bold)
        _add_about(book, table, bold)


def _add_sheets(book: Any, table: Table, formats: dict[Kind, Any], bold: Any) -> None:
    rows = iter(table.rows())
    first: tuple[Any, ...] | None = next(rows, None)
    number = 1
    while first is not None or number == 1:
        sheet = book.add_worksheet("Report" if number == 1 else f"Report {number}")
        _add_header(sheet, table.columns, bold)
        some = chain([] if first is None else [first], islice(rows, MOST_ROWS - 2))
        for line, row in enumerate(some, start=1):
            for place, (cell, column) in enumerate(zip(row, table.columns, strict=True)):
                _write_cell(sheet, (line, place), cell, column, formats)
        first, number = next(rows, None), number + 1


def _add_header(sheet: Any, columns: tuple[Column, ...], bold: Any) -> None:
    for place, column in enumerate(columns):
        sheet.set_column(place, place, _WIDTHS[column.kind])
        sheet.write_string(0, place, column.title, bold)
    sheet.freeze_panes(1, 0)


def _write_cell(sheet: Any, at: tuple[int, int], cell: Cell, column: Column, formats: dict[Kind, Any]) -> None:
    """Texts are written as texts whatever they look like, so that none becomes a formula or a link."""
    if cell is None:
        return
    if column.kind in (Kind.TEXT, Kind.NANO):
        sheet.write_string(*at, str(cell))
    else:
        number = money.to_dollars(int(cell)) if column.kind is Kind.DOLLARS else Decimal(cell)
        sheet.write_number(*at, number, formats[column.kind])


def _add_about(book: Any, table: Table, bold: Any) -> None:
    sheet = book.add_worksheet("About")
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 80)
    for line, (what, words) in enumerate((*table.about, ("Exactness", EXACTNESS))):
        sheet.write_string(line, 0, what, bold)
        sheet.write_string(line, 1, words, wrapped)
