"""The lines of a plan, or of a run, as people read them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from compliance.admin.names import Names
from compliance.purgers import PLATFORM, title_of


@dataclass(frozen=True, slots=True)
class Shown:
    """One line: how much of what and whose goes, why, since when it lies there, and what which hold keeps of it."""

    what: str
    tenant: SafeString
    rows: int
    removed: int | None
    why: str
    oldest: str
    held_rows: int
    holds: list[tuple[SafeString, int]]


def shown(lines: Iterable[Mapping[str, Any]], removed: Mapping[str, Mapping[str, int]] | None = None) -> list[Shown]:
    """The lines as a plan's JSON has them; with `removed` also how far a run got."""
    lines = list(lines)
    references = [("tenant", str(line["tenant"])) for line in lines]
    names = Names([*references, *(("legalhold", pk) for line in lines for pk in line["held"])])
    return [
        Shown(
            what=title_of(line["store"]),
            tenant=names.of("tenant", line["tenant"]).link
            if line["tenant"] != PLATFORM
            else SafeString("the platform"),
            rows=line["rows"],
            removed=None if removed is None else removed.get(line["store"], {}).get(str(line["tenant"]), 0),
            why=line["why"],
            oldest=line["oldest"] or "–",
            held_rows=line["held_rows"],
            holds=[(names.of("legalhold", pk).link, rows) for pk, rows in line["held"].items()],
        )
        for line in lines
    ]
