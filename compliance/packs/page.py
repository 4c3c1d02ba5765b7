"""The page of a pack: how controls stand, and of each section what it is about and its first rows, in words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from compliance.controls import WORDS, State
from compliance.packs.sections import Section

SHOWN = 10
ONLY_IN_FILES = frozenset({"request_id", "note"})
"""Columns for programs."""
BEFORE, AFTER, CHANGED = "before", "after", "changed"
LONGEST = 60
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)(:\d\d)?(\.\d+)?(Z|\+00:00)")


@dataclass(slots=True)
class Shown:
    """What the page shows of a section."""

    section: Section
    count: int = 0
    rows: list[list[list[str]]] = field(default_factory=list)
    states: dict[State, int] = field(default_factory=dict)

    @property
    def more(self) -> int:
        return self.count - len(self.rows)

    @property
    def is_open(self) -> bool:
        """Whether it is read at once, without being unfolded."""
        return self.section.name == "controls"

    @property
    def headings(self) -> list[str]:
        return [name.replace("_", " ").capitalize() for name in _columns(self.section)]

    def add(self, row: Mapping[str, Any]) -> None:
        """Counts a row, and keeps it where it is to be shown."""
        self.count += 1
        if self.is_open:
            state = State(row["state"])
            self.states[state] = self.states.get(state, 0) + 1
            row = {**row, "state": WORDS[state]}
        if self.is_open or len(self.rows) < SHOWN:
            self.rows.append([_lines(name, row) for name in _columns(self.section)])


def counted(shown: Sequence[Shown]) -> list[tuple[State, str, int]]:
    """How many controls stand how, the words for people among it."""
    states = next((each.states for each in shown if each.states), {})
    return [(state, WORDS[state], states[state]) for state in State if state in states]


def _columns(section: Section) -> list[str]:
    """Those that are shown: what was before and what is after are told as one."""
    names = [name for name in section.columns if name not in ONLY_IN_FILES]
    if BEFORE not in names or AFTER not in names:
        return names
    return [CHANGED if name == BEFORE else name for name in names if name != AFTER]


def _lines(name: str, row: Mapping[str, Any]) -> list[str]:
    """A cell, as the lines that it has."""
    if name == CHANGED and name not in row:
        before, after = row[BEFORE], row[AFTER]
        return [_change(each, before, after) for each in dict.fromkeys((*before, *after))]
    value = row[name]
    if isinstance(value, Mapping):
        return [f"{_named(each)}: {_words(told)}" for each, told in value.items()]
    return [_words(value, longest=300)]


def _change(name: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    if name not in before:
        return f"{_named(name)}: {_words(after[name])}"
    return f"{_named(name)}: {_words(before[name])} → {_words(after[name]) if name in after else 'removed'}"


def _named(name: str) -> str:
    return name.replace("_", " ")


def _words(value: Any, *, longest: int = LONGEST) -> str:
    match value:
        case None | "" | {} | []:
            return "–"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            told = ", ".join(f"{_named(str(name))} {_words(each)}" for name, each in value.items())
        case list():
            told = ", ".join(map(_words, value))
        case _:
            told = _TIME.sub(r"\1 \2", str(value))
    return told if len(told) <= longest else f"{told[: longest - 1]}…"
