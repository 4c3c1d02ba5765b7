"""What is exported: columns, rows, and what the reader must know about them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

Cell = str | int | Decimal | None
Row = tuple[Cell, ...]


class Kind(Enum):
    """What a column's cells are, and so how they are written."""

    TEXT = auto()
    COUNT = auto()
    DOLLARS = auto()
    """The cell is an integer of nano-dollars; dollars are written."""
    NANO = auto()
    """The same integer as it is: for who adds up, and wants no digit lost."""
    SHARE = auto()
    """A Decimal from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Column:
    """`name` heads it for programs (CSV, JSON), `title` for people (spreadsheets)."""

    name: str
    title: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """`rows` is called once, when the file is written: it may read a million rows, some at a time."""

    name: str
    """Of the file, without its ending."""
    columns: tuple[Column, ...]
    rows: Callable[[], Iterable[Row]]
    about: tuple[tuple[str, str], ...]
