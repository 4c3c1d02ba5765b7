"""Texts that a model reads in one go: the parts of a message, and messages of the same role in a row. Pure.

Cut in pieces, nothing might be found in any of them. So guards look at them put together, too; of what they find there
counts here what reaches from one into the next.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, groupby, pairwise

from msgspec import Struct

from gateway.guards.base import Finding, Role, Terms, Text
from gateway.guards.replacing import Replacer
from gateway.guards.verdicts import Outcome

_PART = re.compile(r"(messages|choices)\[(\d+)\](?:\.message)?\.content(?:\[\d+\]\.(?:text|refusal))?")
_TOGETHER = "#joined"
"""What the places of texts end in that were put together."""


class _Edit(Struct, frozen=True):
    start: int
    end: int
    new: str


class Joined:
    """The texts of a request or an answer, and what is made of them by putting together."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self._edits: dict[str, list[_Edit]] = {}
        self._groups: dict[str, tuple[list[Text], str]] = {}
        self.texts: Sequence[Text] = texts
        for parts in _runs(texts):
            for between in ("", " ")[: 2 if _has_bare_seam(parts) else 1]:
                self._groups[f"{parts[0].place}{_TOGETHER}{len(between)}"] = (parts, between)
        if not self._groups:
            return
        self.texts = [
            *texts,
            *(
                Text(gap.join(part.text for part in parts), parts[0].role, at)
                for at, (parts, gap) in self._groups.items()
            ),
        ]

    def noting(self, instead: Replacer) -> Replacer:
        """Replaces as `instead` does, and keeps in mind where."""

        def noted(finding: Finding, value: str, terms: Terms) -> str:
            new = instead(finding, value, terms)
            self._edits.setdefault(finding.place, []).append(_Edit(finding.start, finding.end, new))
            return new

        return noted if self._groups else instead

    def apart(self, changed: dict[str, str]) -> dict[str, str]:
        """What changes in each of the texts as they stand."""
        found = {place: text for place, text in changed.items() if place not in self._groups}
        for place, (parts, between) in self._groups.items():
            if place in changed:
                self._cut(parts, between, self._edits.get(place, []), found)
        return found

    def once(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Without those that say of a text put together what was said of another one."""
        known = {(each.guard, each.rule) for each in outcomes if each.place not in self._groups}
        found = []
        for each in outcomes:
            if each.place not in self._groups or each.error or (each.guard, each.rule) not in known:
                found.append(each)
                known.add((each.guard, each.rule))
        return found

    def _cut(self, parts: list[Text], between: str, edits: list[_Edit], found: dict[str, str]) -> None:
        starts = [0]
        for part in parts:
            starts.append(starts[-1] + len(part.text) + len(between))
        known = [_covering(self._edits.get(part.place, ())) for part in parts]
        touched: set[int] = set()
        for edit in edits:
            first, last = bisect_right(starts, edit.start) - 1, bisect_right(starts, max(edit.start, edit.end - 1)) - 1
            for number in range(first, min(last, len(parts) - 1) + 1):
                start = max(edit.start - starts[number], 0)
                end = min(edit.end - starts[number], len(parts[number].text))
                if first == last and known[number](start, end):
                    continue  # found there on its own, too: what tells of it stands in the same part
                own = self._edits.setdefault(parts[number].place, [])
                own.append(_Edit(min(start, end), end, edit.new if number == first else ""))
                touched.add(number)
        for number in touched:
            found[parts[number].place] = _edited(parts[number].text, self._edits[parts[number].place])


def _runs(texts: Sequence[Text]) -> Iterator[list[Text]]:
    """Those that are read in one go, where they are more than one."""
    if len({text.role for text in texts}) == len(texts):
        return
    matched = [(text, match) for text in texts if (match := _PART.fullmatch(text.place))]

    def whose(each: tuple[Text, re.Match[str]]) -> tuple[str, Role, str]:
        text, match = each
        return match[1], text.role, match[2] if match[1] == "choices" else ""

    for _, run in groupby(matched, whose):
        parts = [text for text, _ in run]
        if len(parts) > 1:
            yield parts


def _has_bare_seam(parts: Sequence[Text]) -> bool:
    """Whether words would run together."""
    return any(not (one.text[-1:].isspace() or two.text[:1].isspace()) for one, two in pairwise(parts))


def _covering(edits: Sequence[_Edit]) -> Callable[[int, int], bool]:
    """Tells of a span whether it lies in one of them."""
    ordered = sorted(edits, key=lambda each: each.start)
    starts = [each.start for each in ordered]
    furthest = list(accumulate((each.end for each in ordered), max))

    def covers(start: int, end: int) -> bool:
        before = bisect_right(starts, start)
        return before > 0 and furthest[before - 1] >= end

    return covers


def _edited(text: str, edits: Sequence[_Edit]) -> str:
    """With all of them done; those that meet are one, with what the longest puts there."""
    merged: list[tuple[_Edit, int]] = []
    for edit in sorted(edits, key=lambda each: (each.start, each.end)):
        if merged and edit.start < merged[-1][0].end:
            last, longest = merged[-1]
            new = last.new if (longest >= edit.end - edit.start and last.new) or not edit.new else edit.new
            merged[-1] = (_Edit(last.start, max(last.end, edit.end), new), max(longest, edit.end - edit.start))
        else:
            merged.append((edit, edit.end - edit.start))
    for edit, _ in reversed(merged):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text
