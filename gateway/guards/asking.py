"""Which guards look at texts of one direction, in which order judges are asked, and what comes of their answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, structs

from gateway.guards.base import (
    Action,
    Direction,
    Finding,
    Guard,
    Judged,
    OnError,
    Quiet,
    Replacement,
    Role,
    Terms,
)
from gateway.guards.budget import Budget
from gateway.guards.verdicts import Outcome, Verdict


class Looking(Struct, frozen=True):
    """Who looks at texts of one direction. `judging`: those that are asked first; `noting`: those that only note, and
    are asked when all others are done; `finding`: whose rules and finders go through the texts between the two."""

    judging: tuple[tuple[Guard, Terms], ...]
    finding: tuple[Terms, ...]
    noting: tuple[tuple[Guard, Terms], ...]

    @classmethod
    def of(
        cls, active: Sequence[tuple[Guard, Terms]], direction: Direction, *, judges: bool, finders: bool
    ) -> "Looking":
        ours = [(guard, terms) for guard, terms in active if direction in terms.directions]
        judging = [(guard, terms) for guard, terms in ours if judges and guard.judge is not None]
        return cls(
            judging=tuple(each for each in judging if not _only_notes(each[1])),
            finding=tuple(terms for guard, terms in ours if finders and _is_finder(guard)),
            noting=tuple(each for each in judging if _only_notes(each[1])),
        )


class Look:
    """One call of `Engine.look`. `has_found`: whether finders are done."""

    def __init__(self, judged: Judged, looking: Looking, budget: Budget) -> None:
        self.judged = judged
        self.looking = looking
        self.budget = budget
        self.verdict = Verdict()
        self.has_found = False
        self._asked: list[Terms] = []

    @property
    def waiting(self) -> list[Terms]:
        """The guards that are not done."""
        judges = [terms for _, terms in (*self.looking.judging, *self.looking.noting)]
        found = () if self.has_found else self.looking.finding
        return [*(terms for terms in judges if terms not in self._asked), *found]

    def ask(self, judging: Sequence[tuple[Guard, Terms]]) -> None:
        """Asks judges one after another, until one blocks."""
        for guard, terms in judging:
            self.budget.check()
            self.judge(guard, terms)
            self._asked.append(terms)
            if self.verdict.blocked_by:
                return

    def judge(self, guard: Guard, terms: Terms) -> None:
        assert guard.judge is not None
        judged = self.judged
        texts = [text for text in judged.texts if not terms.roles or text.role in terms.roles]
        try:
            found = guard.judge(structs.replace(judged, texts=texts, settings=terms.settings))
        except Exception:
            self.fail(terms, "raised")
            return
        for finding in found:
            if finding.score >= terms.threshold and (not terms.rules or finding.rule in terms.rules):
                self._add(terms, finding)

    def fail(self, terms: Terms, error: str) -> None:
        action = Action.BLOCK if terms.on_error == OnError.BLOCK else Action.LOG
        self._add(terms, Finding(terms.guard, "", score=0.0), action, error)

    def _add(self, terms: Terms, finding: Finding, action: Action | None = None, error: str = "") -> None:
        role = next((text.role for text in self.judged.texts if text.place == finding.place), Role.METADATA)
        self.verdict.add(
            Outcome(
                guard=terms.guard,
                rule=finding.rule,
                action=terms.action if action is None else action,
                direction=self.judged.direction,
                role=role,
                place=finding.place,
                score=finding.score,
                error=error,
            )
        )


def quiet_of(
    active: Sequence[tuple[Guard, Terms]], direction: Direction
) -> tuple[tuple[Quiet, Mapping[str, Any]], ...] | None:
    """Who is to be asked whether anybody has anything to say, with its settings; None: not all of them tell. What can
    be restored has to be known from the first text on, whatever is in it."""
    if any(terms.replacement == Replacement.PLACEHOLDER for _, terms in active):
        return None
    ours = [(guard, terms) for guard, terms in active if direction in terms.directions]
    asked = [(guard, terms) for guard, terms in ours if guard.judge is not None or guard.live is not None]
    if any(guard.quiet is None for guard, _ in asked):
        return None
    return tuple((guard.quiet, terms.settings) for guard, terms in asked if guard.quiet is not None)


def _is_finder(guard: Guard) -> bool:
    """Whether it finds spans; some that do are judges as well."""
    return any(each is not None for each in (guard.rules, guard.finders, guard.live))


def _only_notes(terms: Terms) -> bool:
    """Whether nothing comes of it for whoever asks, so that it is asked last and takes no time from what protects."""
    return terms.action <= Action.FLAG and terms.on_error == OnError.ALLOW
