"""Tables as CSV and as spreadsheets: exact, complete and inert."""

import asyncio
import csv
import io
import tempfile
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest

from billing.exports import csv_text, download, xlsx_file
from billing.exports.table import Column, Kind, Row, Table

COLUMNS = (
    Column("model", "Model", Kind.TEXT),
    Column("requests", "Requests", Kind.COUNT),
    Column("cost_usd", "Cost (USD)", Kind.DOLLARS),
    Column("cost_nano", "Cost (nano-dollars)", Kind.NANO),
    Column("cost_share", "Share of cost", Kind.SHARE),
)
MOST = 9_223_372_036_854_775_807
"""The largest amount that a column can hold."""


def a_row(model: str = "gpt-test", *, nano: int = 1_000_000, share: str = "0.25") -> Row:
    return (model, 3, nano, nano, Decimal(share))


def a_table(*rows: Row) -> Table:
    return Table(name="usage", columns=COLUMNS, rows=lambda: rows, about=(("Span", "May 2026"),))


def as_csv(table: Table) -> str:
    return b"".join(csv_text.chunks(table)).decode()


def as_book(table: Table) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(b"".join(xlsx_file.chunks(table))))


def test_it_works() -> None:
    assert as_csv(a_table(a_row())) == (
        "model,requests,cost_usd,cost_nano,cost_share\r\ngpt-test,3,0.001000000,1000000,0.25\r\n"
    )
    sheet = as_book(a_table(a_row()))["Report"]
    assert [[cell.value for cell in row] for row in sheet.rows] == [
        ["Model", "Requests", "Cost (USD)", "Cost (nano-dollars)", "Share of cost"],
        ["gpt-test", 3, 0.001, "1000000", 0.25],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"], ids=ascii)
def test_no_text_in_csv_is_a_formula(start: str) -> None:
    hostile = f'{start}HYPERLINK("http://evil.example","x")'
    (_, row) = csv.reader(io.StringIO(as_csv(a_table(a_row(hostile))), newline=""))
    assert row[0] == f"'{hostile}"


@pytest.mark.parametrize("text", ["=1+1", "http://evil.example", "{=1}", "007", "_x0041_", "a\x07b"], ids=ascii)
def test_texts_in_a_spreadsheet_are_texts(text: str) -> None:
    cell = as_book(a_table(a_row(text)))["Report"]["A2"]
    assert cell.data_type == "s"
    assert cell.hyperlink is None
    assert openpyxl.utils.escape.unescape(cell.value) == text


@pytest.mark.parametrize("text", ["a,b", 'say "hi"', "two\nlines", "naïve 模型 🙂", " spaces "], ids=ascii)
def test_csv_gives_back_what_was_put_in(text: str) -> None:
    (_, row) = csv.reader(io.StringIO(as_csv(a_table(a_row(text))), newline=""))
    assert row[0] == text


@pytest.mark.parametrize("nano", [0, 1, -1, 123_456_789_123_456_789, MOST, -MOST])
def test_money_is_exact(nano: int) -> None:
    (_, row) = csv.reader(io.StringIO(as_csv(a_table(a_row(nano=nano))), newline=""))
    assert Decimal(row[2]) * 10**9 == nano
    assert row[3] == str(nano)
    assert as_book(a_table(a_row(nano=nano)))["Report"]["D2"].value == str(nano)


def test_a_spreadsheet_has_number_formats_a_frozen_header_and_says_what_it_shows() -> None:
    book = as_book(a_table(a_row()))
    sheet = book["Report"]
    assert sheet.freeze_panes == "A2"
    assert [sheet[f"{letter}2"].number_format for letter in "BCE"] == ["#,##0", "$#,##0.00#######", "0.0%"]
    about = {row[0].value: row[1].value for row in book["About"].rows}
    assert about["Span"] == "May 2026"
    assert "about 15 digits" in about["Exactness"]


@pytest.mark.parametrize(("rows", "sheets"), [(0, 1), (3, 1), (4, 2), (6, 2), (7, 3)])
def test_a_full_sheet_goes_on_in_the_next(rows: int, sheets: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "MOST_ROWS", 4)
    book = as_book(a_table(*(a_row(f"model-{n}") for n in range(rows))))
    reports = [sheet for sheet in book if sheet.title.startswith("Report")]
    assert len(reports) == sheets
    names = [row[0].value for sheet in reports for row in sheet.iter_rows(min_row=2)]
    assert names == [f"model-{n}" for n in range(rows)]
    assert all(sheet["A1"].value == "Model" for sheet in reports)


def a_long_table(read: list[int]) -> Table:
    """Of 5,000 rows, each of which leaves its number in `read` when it is read."""

    def rows() -> Iterable[Row]:
        for number in range(5000):
            read.append(number)
            yield a_row()

    return Table(name="usage", columns=COLUMNS, rows=rows, about=())


def test_csv_is_sent_while_rows_are_read() -> None:
    read: list[int] = []
    pieces = csv_text.chunks(a_long_table(read))
    assert next(pieces).startswith(b"model,")
    assert read == []
    next(pieces)
    assert len(read) == csv_text.ROWS_AT_ONCE


def test_an_asynchronous_server_sends_it_while_rows_are_read_too() -> None:
    read: list[int] = []

    async def send() -> list[int]:
        return [len(read) async for _ in download.download(a_long_table(read), form="csv")]

    assert asyncio.run(send()) == [0, 1000, 2000, 3000, 4000, 5000]


def test_a_spreadsheet_that_nobody_reads_to_its_end_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    pieces = xlsx_file.chunks(a_table(a_row()))
    next(pieces)
    assert len(list(tmp_path.iterdir())) == 1
    pieces.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_download_is_a_file_with_a_name(form: str) -> None:
    response = download.download(a_table(a_row()), form=form)
    assert response["Content-Disposition"] == f'attachment; filename="usage.{form}"'
    assert len(b"".join(response)) > 50
