"""CSV as RFC 4180 has it (a header, CRLF, quotes where needed), in UTF-8, and inert in spreadsheet programs."""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal

from billing import money
from billing.exports.table import Cell, Column, Kind, Table

CONTENT_TYPE = "text/csv; charset=utf-8; header=present"
ROWS_AT_ONCE = 1000
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What spreadsheet programs take for the beginning of a formula (OWASP, "CSV Injection")."""


def chunks(table: Table) -> Iterator[bytes]:
    """The file, piece by piece; the first piece is the header alone."""
    yield _lines([[column.name for column in table.columns]])
    pending: list[list[str]] = []
    for row in table.rows():
        pending.append([text(cell, column) for cell, column in zip(row, table.columns, strict=True)])
        if len(pending) == ROWS_AT_ONCE:
            yield _lines(pending)
            pending = []
    if pending:
        yield _lines(pending)


def text(cell: Cell, column: Column) -> str:
    """A cell as it stands in the file. Dollars have all of their nine places."""
    if cell is None:
        return ""
    if column.kind is Kind.TEXT:
        return inert(str(cell))
    if column.kind is Kind.DOLLARS:
        return f"{money.to_dollars(int(cell)):f}"
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


def inert(value: str) -> str:
    """The text, behind an apostrophe where a program might otherwise compute it."""
    return f"'{value}" if value.startswith(_STARTS_A_FORMULA) else value


def _lines(rows: list[list[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode("utf-8", "replace")
