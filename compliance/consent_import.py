"""Reads consents that were collected elsewhere from CSV. Pure; `actions/consent_imports.py` records them.

What is wrong is told by the number of the line, never by what it says: lines name people.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from compliance.actions.consents import OFFERED, Decision
from compliance.actions.subjects import LONGEST

COLUMNS: Mapping[str, str] = {
    "subject": "The person, as the application names them. Required.",
    "purpose": "store_conversations, training, or another purpose. Required.",
    "state": f"{', '.join(OFFERED)}. Required.",
    "at": "When they decided, e.g. 2026-01-31T12:00:00Z. Empty: now.",
    "notice_version": "Of the notice that they saw. Empty: the newest.",
    "language": "Of the notice, e.g. de. Empty: English, or whatever there is.",
    "expires_at": "Until when it holds. Empty: without end.",
    "collection_method": "E.g. sign-up form.",
    "jurisdiction": "E.g. EU. Empty: the notice's.",
}
REQUIRED = ("subject", "purpose", "state")
MOST_BYTES = 2**20
MOST_LINES = 10_000


@dataclass(frozen=True, slots=True)
class Line:
    """One decision, and the number of the line that tells it."""

    number: int
    subject: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that cannot be recorded, and why."""

    number: int
    reason: str


class Unreadable(ValueError):
    """The file as a whole makes no sense. The message says what to change."""


def lines(text: str) -> Iterator[Line | Refusal]:
    """The lines of a file, each as a decision or with what is wrong with it.

    Raises:
        Unreadable: the header lacks columns or has others, or there are too many lines, or none.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(rows, [])]
        _check(header)
        found = 0
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            found += 1
            if found > MOST_LINES:
                raise Unreadable(f"It has more than {MOST_LINES:,} lines; split it.")
            yield _line(rows.line_num, header, row)
    except csv.Error as error:
        raise Unreadable(f"Line {rows.line_num} is no CSV: {error}.") from error
    if not found:
        raise Unreadable("It has no lines but the header.")


def _check(header: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in header]
    unknown = [name for name in header if name not in COLUMNS]
    if missing:
        raise Unreadable(f"The first line must name the columns; {', '.join(missing)} is missing.")
    if unknown or len(set(header)) < len(header):
        raise Unreadable(f"Use these columns, each once: {', '.join(COLUMNS)}.")


def _line(number: int, header: list[str], row: list[str]) -> Line | Refusal:
    if len(row) != len(header):
        return Refusal(number, f"It has {len(row)} values, the header names {len(header)}.")
    cells = {name: cell for name, cell in zip(header, row, strict=True) if cell.strip()}
    try:
        return Line(number, _subject(cells), _decision({name: cell.strip() for name, cell in cells.items()}))
    except ValueError as error:
        return Refusal(number, str(error))


def _subject(cells: Mapping[str, str]) -> str:
    subject = cells.get("subject", "")
    if not subject or len(subject) > LONGEST:
        raise ValueError(f"subject has 1 to {LONGEST} characters.")
    return subject


def _decision(cells: Mapping[str, str]) -> Decision:
    if cells.get("state") not in list(OFFERED):
        raise ValueError(f"state is one of {', '.join(OFFERED)}.")
    if not cells.get("purpose"):
        raise ValueError("purpose is missing.")
    for name, most in (("collection_method", 100), ("jurisdiction", 50)):
        if len(cells.get(name, "")) > most:
            raise ValueError(f"{name} has at most {most} characters.")
    return Decision(
        purpose=cells["purpose"],
        state=cells["state"],
        notice_version=_version(cells),
        language=cells.get("language"),
        expires_at=_time(cells, "expires_at"),
        collection_method=cells.get("collection_method", ""),
        jurisdiction=cells.get("jurisdiction", ""),
        at=_time(cells, "at"),
    )


def _version(cells: Mapping[str, str]) -> int | None:
    text = cells.get("notice_version")
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:12]) < 2**31):
        raise ValueError("notice_version is a number from 1.")
    return int(text)


def _time(cells: Mapping[str, str], name: str) -> datetime | None:
    """A moment; without a zone it is in UTC."""
    text = cells.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{name} is a date and time such as 2026-01-31T12:00:00Z.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
