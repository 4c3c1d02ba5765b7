"""Reads what providers say they have served: their usage exports, as CSV. Pure.

A file is read as a whole or refused: the message names the line, and what to do.
"""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

from billing import money

MOST_BYTES = 10 * 1024 * 1024
MOST_ROWS = 200_000
MOST = 2**53
"""Of a count; what is more is no count of a day."""
MOST_DOLLARS = 10**9
MODEL_LENGTH = 200
COUNT = re.compile(r"\d{1,16}(\.0+)?", re.ASCII)
AMOUNT = re.compile(r"-?\d{1,12}(\.\d{1,40})?([eE][-+]?\d{1,2})?", re.ASCII)


class BadExport(ValueError):
    """The file cannot be read; the message is for who has sent it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a provider served on a day (UTC) of a model; empty: of all models. None: it does not say. Input tokens
    include the cached ones."""

    day: date
    model: str
    requests: int | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cost_nano: int | None = None


Cells = Mapping[str, str]
Reader = Callable[[Cells], Served | None]


def parse(data: bytes, *, form: str) -> list[Served]:
    """The rows of a file of that form (a key of FORMS), in its order; rows that say nothing are left out.

    Raises:
        BadExport: and what is wrong with it.
    """
    read, needed = FORMS[form]
    rows = csv.DictReader(io.StringIO(_text(data), newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in rows.fieldnames or ()]
        _check_header(header, needed)
        rows.fieldnames = header
        found = (_row(read, cells, line) for line, cells in _lines(rows))
        return [served for served in found if served is not None]
    except csv.Error as error:
        raise BadExport(f"Line {rows.reader.line_num}: this is not CSV: {error}.") from error


def _text(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise BadExport(f"The file has more than {MOST_BYTES // 1024 // 1024} MB; export a shorter span.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadExport(f"Line {line}: this is not UTF-8; save the file as CSV in UTF-8.") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadExport(f"Line {line}: a NUL character; this is not a text file.")
    return text


def _check_header(header: Sequence[str], needed: Sequence[str]) -> None:
    if not any(header):
        raise BadExport("The file is empty.")
    if len(header) == 1 and any(mark in header[0] for mark in (";", "\t")):
        raise BadExport("Line 1: the columns are not separated by commas; save the file as CSV with commas.")
    missing = [name for name in needed if not any(each in header for each in name.split("|"))]
    if missing:
        words = ", ".join(name.replace("|", " or ") for name in missing)
        raise BadExport(f"Line 1: there is no column {words}. Columns found: {', '.join(filter(None, header))}.")
    if twice := sorted({name for name in header if name and header.count(name) > 1}):
        raise BadExport(f"Line 1: the column {twice[0]} is there twice.")


def _lines(rows: "csv.DictReader[str]") -> Iterator[tuple[int, Cells]]:
    for count, cells in enumerate(rows, start=1):
        if count > MOST_ROWS:
            raise BadExport(f"The file has more than {MOST_ROWS:,} rows; export a shorter span.")
        if None in cells or None in cells.values():
            raise BadExport(f"Line {rows.line_num}: it has another number of cells than the header.")
        yield rows.line_num, {name: text.strip() for name, text in cells.items()}


def _row(read: Reader, cells: Cells, line: int) -> Served | None:
    try:
        return read(cells) if any(cells.values()) else None
    except BadExport as error:
        raise BadExport(f"Line {line}: {error}") from error


# --- the forms -------------------------------------------------------------------------------------------------------


def _generic(cells: Cells) -> Served:
    return Served(
        day=_day(cells["date"], "date"),
        model=_model(cells["model"]),
        requests=_count(cells, "requests"),
        input_tokens=_count(cells, "input_tokens"),
        cached_tokens=_count(cells, "cached_tokens"),
        output_tokens=_count(cells, "output_tokens"),
        cost_nano=_amount(cells, "cost"),
    )


def _openai_usage(cells: Cells) -> Served | None:
    """A row without requests stands for a day without any."""
    if not cells["num_model_requests"]:
        return None
    return Served(
        day=_openai_day(cells),
        model=_model(cells.get("model", "")),
        requests=_count(cells, "num_model_requests"),
        input_tokens=_count(cells, "input_tokens"),
        cached_tokens=_count(cells, "input_cached_tokens"),
        output_tokens=_count(cells, "output_tokens"),
    )


def _openai_costs(cells: Cells) -> Served | None:
    """A line item is a model and a kind of token: `gpt-4o-2024-08-06, input`."""
    if not cells["amount_value"]:
        return None
    currency = cells.get("amount_currency", "")
    if currency.lower() not in ("", "usd"):
        raise BadExport(f"amount_currency is {currency!r}; only US dollars can be compared.")
    model = cells.get("line_item", "").partition(",")[0].strip()
    return Served(day=_openai_day(cells), model=_model(model), cost_nano=_amount(cells, "amount_value"))


FORMS: dict[str, tuple[Reader, tuple[str, ...]]] = {
    "openai_usage": (
        _openai_usage,
        ("start_time_iso|start_time", "num_model_requests", "input_tokens", "output_tokens"),
    ),
    "openai_costs": (_openai_costs, ("start_time_iso|start_time", "amount_value")),
    "generic": (_generic, ("date", "model")),
}
"""What reads a row, and the columns that it needs (of several, one)."""


# --- cells -----------------------------------------------------------------------------------------------------------


def _openai_day(cells: Cells) -> date:
    if text := cells.get("start_time_iso", ""):
        return _day(text, "start_time_iso")
    text = cells.get("start_time", "")
    if not re.fullmatch(r"\d{9,11}", text, re.ASCII):
        raise BadExport(f"start_time is {text!r}, which is no time in seconds since 1970.")
    return datetime.fromtimestamp(int(text), UTC).date()


def _day(text: str, column: str) -> date:
    """A day as `2026-03-01`, or the day (UTC) of a time."""
    try:
        at = datetime.fromisoformat(text)
        return (at.astimezone(UTC) if at.tzinfo else at).date()
    except (ValueError, OverflowError) as error:
        raise BadExport(f"{column} is {text!r}, which is no day such as 2026-03-01.") from error


def _model(text: str) -> str:
    if len(text) > MODEL_LENGTH:
        raise BadExport(f"the model's name is longer than {MODEL_LENGTH} characters.")
    return text


def _count(cells: Cells, column: str) -> int | None:
    text = cells.get(column, "")
    if not text:
        return None
    _refuse_comma(text, column)
    if not COUNT.fullmatch(text) or (count := int(text.partition(".")[0])) > MOST:
        raise BadExport(f"{column} is {text!r}, which is no count.")
    return count


def _amount(cells: Cells, column: str) -> int | None:
    """Dollars as nano-dollars; what is finer is rounded half to even."""
    text = cells.get(column, "")
    if not text:
        return None
    _refuse_comma(text, column)
    if not AMOUNT.fullmatch(text.removeprefix("$")) or abs(dollars := Decimal(text.removeprefix("$"))) > MOST_DOLLARS:
        raise BadExport(f"{column} is {text!r}, which is no amount of dollars.")
    return money.from_dollars(dollars)


def _refuse_comma(text: str, column: str) -> None:
    if "," in text:
        raise BadExport(f"{column} is {text!r}; write decimals with a point, and no marks between thousands.")
