import csv
import io
import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from openpyxl import Workbook, load_workbook

from compliance.evidence.formats import csv as events_csv
from compliance.evidence.formats.rows import Row
from tests.unit.compliance.formats.events import a_row, hostile, rows

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def cells_of(row: Row) -> dict[str, str]:
    text = events_csv.header() + events_csv.event(row)
    (read,) = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    return read


@given(rows)
def test_what_was_written_is_read_back(row: Row) -> None:
    cells = cells_of(row)
    for name in ("actor_id", "action", "target_id", "reason", "user_agent", "request_id", "ip"):
        assert events_csv.unguarded(cells[name]) == row.text(name)
    for name in ("before", "after"):
        assert (json.loads(cells[name]) if cells[name] else {}) == row.changed(name + ".")


@given(rows)
def test_no_cell_begins_like_a_formula(row: Row) -> None:
    for cell in cells_of(row).values():
        assert not cell.startswith(FORMULA)
        assert not cell.strip().startswith(FORMULA)
        assert not cell.lstrip("\u200b\ufeff").startswith(FORMULA)


@pytest.mark.parametrize("separator", [";", "\t"], ids=["semicolon", "tab"])
@given(row=rows)
@example(row=a_row(user_agent="Mozilla/5.0 (X11;=1+1;x)", reason='a\t=2+2;"=3";\n@x\r\n+4'))
@example(row=a_row(after__name="n;=3+3;", before__name=';"', target_id=";'=1"))
def test_no_cell_does_where_the_separator_is_another_one(separator: str, row: Row) -> None:
    text = events_csv.header() + events_csv.event(row)
    for line in re.split(r"[\r\n]+", text):
        for reader in (csv.reader([line.replace("\0", "")], delimiter=separator), [line.split(separator)]):
            for cell in next(iter(reader), []):
                assert not cell.strip('"').strip().strip('"').startswith(FORMULA)


def test_a_browsers_name_is_left_as_it_is() -> None:
    name = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101"
    assert cells_of(a_row(user_agent=name))["user_agent"] == name
    assert cells_of(a_row(user_agent="x;=1"))["user_agent"] == "x;'=1"


@given(hostile)
def test_the_guard_can_be_taken_away(text: str) -> None:
    assert events_csv.unguarded(events_csv.guarded(text)) == text


def test_a_workbook_holds_no_formula(tmp_path: Path) -> None:
    """What a spreadsheet does: a cell of text that begins with = becomes a formula."""
    evil = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", " =1", "\u3000=1", "=cmd|' /C calc'!A0", "'=1"]
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for text in evil:
        cells = cells_of(a_row(reason=text, user_agent=text, actor_id=text))
        sheet.append([cell.replace("\t", " ") for cell in cells.values()])
    book.save(tmp_path / "events.xlsx")
    opened = load_workbook(tmp_path / "events.xlsx").active
    assert opened is not None
    assert {cell.data_type for line in opened.iter_rows() for cell in line} <= {"s", "n", "inlineStr"}


def test_a_line_of_rfc_4180() -> None:
    line = events_csv.event(a_row(reason='He said "no", then\nleft', ip="192.0.2.1"))
    assert '"He said ""no"", then\nleft"' in line
    assert line.endswith("\r\n")
