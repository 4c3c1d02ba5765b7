"""The lines of a reconciliation, for its page and its file."""

from decimal import Decimal
from typing import Any

from django.db.models import Case, QuerySet, When

from billing import money
from billing.exports.table import Column, Kind, Row, Table
from billing.models import Reconciliation, ReconciliationLine

Side = ReconciliationLine.Side
MEASURES = (
    ("Requests", "requests", Kind.COUNT),
    ("Input tokens", "input_tokens", Kind.COUNT),
    ("Cached tokens", "cached_tokens", Kind.COUNT),
    ("Output tokens", "output_tokens", Kind.COUNT),
    ("Cost", "nano", Kind.DOLLARS),
)


def lines_of(row: Reconciliation) -> QuerySet[ReconciliationLine]:
    """Those that differ come first."""
    return row.lines.order_by(Case(When(is_within=False, then=0), default=1), "day", "model")


def shown(line: ReconciliationLine) -> dict[str, Any]:
    """A line in texts, with a row for each measure that a side has."""
    said = [
        {
            "title": title,
            "ours": _text(getattr(line, f"ours_{name}"), kind),
            "theirs": _text(getattr(line, f"theirs_{name}"), kind),
            "difference": _text(_difference(line, name), kind),
            "percent": _percent(line, name),
        }
        for title, name, kind in MEASURES
        if line.side != Side.BOTH or getattr(line, f"theirs_{name}") is not None
    ]
    present = [each for each in said if (each["ours"], each["theirs"]) != ("–", "–")]
    return {"line": line, "model": line.model or "All models", "side": line.get_side_display(), "said": present}


def _difference(line: ReconciliationLine, name: str) -> int | None:
    """What is recorded here beyond what the provider says; None where it does not say."""
    ours, theirs = getattr(line, f"ours_{name}"), getattr(line, f"theirs_{name}")
    return None if ours is None or theirs is None else ours - theirs


def _share(line: ReconciliationLine, name: str) -> Decimal | None:
    difference, theirs = _difference(line, name), getattr(line, f"theirs_{name}")
    return (
        None
        if difference is None or not theirs
        else (Decimal(difference) / Decimal(theirs)).quantize(Decimal("0.0001"))
    )


def _percent(line: ReconciliationLine, name: str) -> str:
    share = _share(line, name)
    return "–" if share is None else f"{share * 100:+.2f} %".replace("-", "−")


def _text(number: int | None, kind: Kind) -> str:
    if number is None:
        return "–"
    return money.in_full(number) if kind is Kind.DOLLARS else f"{number:,}".replace("-", "−")


def table_of(row: Reconciliation) -> Table:
    """All lines, day by day, as a file has them."""
    columns = [Column("day", "Day", Kind.TEXT), Column("model", "Model", Kind.TEXT), Column("side", "Side", Kind.TEXT)]
    columns.append(Column("within_tolerance", "Within tolerance", Kind.TEXT))
    for title, name, kind in MEASURES:
        word = "cost_usd" if name == "nano" else name
        columns += [
            Column(f"ours_{word}", f"{title}, here", kind),
            Column(f"theirs_{word}", f"{title}, there", kind),
            Column(f"difference_{word}", f"{title}, difference", kind),
            Column(f"difference_share_{word}", f"{title}, share", Kind.SHARE),
        ]
    return Table(
        name=f"reconciliation-{row.provider}-{row.starts_on:%Y-%m-%d}-{row.ends_on:%Y-%m-%d}",
        columns=tuple(columns),
        rows=lambda: (_cells(line) for line in row.lines.order_by("day", "model").iterator()),
        about=(("Provider", row.provider),),
    )


def _cells(line: ReconciliationLine) -> Row:
    cells: list[Any] = [f"{line.day:%Y-%m-%d}", line.model, line.side, "yes" if line.is_within else "no"]
    for _, name, _kind in MEASURES:
        cells += [
            getattr(line, f"ours_{name}"),
            getattr(line, f"theirs_{name}"),
            _difference(line, name),
            _share(line, name),
        ]
    return tuple(cells)
