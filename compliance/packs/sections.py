"""What a pack is made of. Each app registers its own sections; nothing in them names end users, and staff only where it
is the point."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

SOC2, GDPR, HIPAA, AI_ACT = "soc2", "gdpr", "hipaa", "ai_act"
EVERY = frozenset({SOC2, GDPR, HIPAA, AI_ACT})


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days (UTC), both included."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        return datetime.combine(self.first, time(), UTC)

    @property
    def until(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.last + timedelta(days=1), time(), UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One table of a pack.

    Args:
        name: of its files.
        title, why: for the page: what it is, and what it shows.
        frameworks: who asks for it.
        columns: in their order; rows have these and no others.
        rows: what was so, or was done, in a period. Values are texts, numbers, truth values, None, or JSON of these.
        is_now: it tells what is so when the pack is made, not what was in the period.
    """

    name: str
    title: str
    why: str
    columns: tuple[str, ...]
    rows: Callable[[Period], Iterator[dict[str, Any]]]
    frameworks: frozenset[str] = EVERY
    is_now: bool = False


_sections: dict[str, Section] = {}


def register(*added: Section) -> None:
    """Adds sections, in `AppConfig.ready`.

    Raises:
        ValueError: there is another one of that name.
    """
    for section in added:
        if _sections.setdefault(section.name, section) is not section:
            raise ValueError(f"there are two sections {section.name}")


def sections(framework: str) -> list[Section]:
    """Those that a framework asks for, or with `all` every one: how controls stand, then as they were registered."""
    found = [each for each in _sections.values() if framework == "all" or framework in each.frameworks]
    return sorted(found, key=lambda each: each.name != "controls")
