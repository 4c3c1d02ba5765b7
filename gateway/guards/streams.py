"""One text looked through from its beginning to its end, in whatever pieces it comes: what is found, and what goes on.

Actions are apart: what is only noted takes no place from what is redacted, nor that from what is blocked.
"""

from gateway.guards.base import CONTEXT_MOST, CORE_MOST, Action, Direction, Finding, OnError, Role, Terms
from gateway.guards.budget import Budget, OutOfTime
from gateway.guards.matching import Failed, Search, Tried, Window
from gateway.guards.plans import Plan
from gateway.guards.replacing import Replacer, label
from gateway.guards.tracks import VALUE_MOST, Match, Track
from gateway.guards.verdicts import Outcome

__all__ = ["VALUE_MOST", "Stream"]

SLICE = 2**13
"""Characters of a longer text that are looked at together."""

CHUNK_NS = 200_000
"""What a piece of a stream may take, several times what most of them do, without being counted: an answer of very many
pieces is no attack."""

HISTORY = CONTEXT_MOST + CORE_MOST + 32
"""Characters behind what is decided that are kept: what checks look back at, and runs that began before it."""


class Stream:
    """A text as it comes: `feed` it, then `finish`. Made by `Engine.stream`.

    `blocked_by`: the guard that ended it, whereupon nothing more is given. `changed`: whether something was replaced.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        role: Role,
        direction: Direction,
        place: str,
        replace: Replacer,
        reach: int,
        budget: Budget,
        findings: list[Finding] | None = None,
    ) -> None:
        self.blocked_by = ""
        self.changed = False
        self._plan = plan
        self._role = role
        self._direction = direction
        self._place = place
        self._replace = replace
        self._reach = reach
        self._opening = plan.opening if direction == Direction.ANSWER else None
        self._budget = budget
        self._findings = findings
        self._buffer = ""
        self._base = 0  # where the buffer begins
        self._lo = 0  # up to where it is decided
        self._out = 0  # up to where it is given
        self._tracks = [Track(action) for action in plan.actions]
        self._counts: dict[tuple[str, str, Action], tuple[int, float]] = {}
        self._errors: dict[str, Outcome] = {}  # by guard; those are asked no more

    @property
    def held(self) -> int:
        """Characters that are not decided yet."""
        return 0 if self.blocked_by else self._base + len(self._buffer) - self._lo

    @property
    def outcomes(self) -> list[Outcome]:
        """What was found and what failed, so far."""
        return [*self._errors.values(), *(self._outcome(*key, *much) for key, much in self._counts.items())]

    def feed(self, text: str) -> str:
        """Takes what comes next, and gives what is decided: all but what may still be part of a match."""
        if self._plan.empty:
            return text
        if len(text) <= SLICE:
            return self._advance(text, final=False)
        return "".join(self._advance(text[at : at + SLICE], final=False) for at in range(0, len(text), SLICE))

    def finish(self) -> str:
        """The rest, when nothing comes any more."""
        return "" if self._plan.empty else self._advance("", final=True)

    def whole(self, text: str) -> str:
        """All of a text that does not come in pieces; as it would be if it did."""
        if self._plan.empty:
            return text
        if self._direction == Direction.PROMPT and len(text) <= SLICE:
            return self._advance(text, final=True)
        return self.feed(text) + self.finish()

    def _advance(self, text: str, *, final: bool) -> str:
        if self.blocked_by:
            return ""
        self._buffer += text
        known = self._base + len(self._buffer)
        hi = known if final else self._settled(known)
        if hi <= self._lo and not final:
            return ""
        self._look(hi, final=final)
        return self._give(final=final)

    def _settled(self, known: int) -> int:
        """Up to where no match can begin that is still under way."""
        since = max(known - self._reach, self._lo)
        if self._opening is None:
            return since
        return self._base + self._opening.begins(self._buffer, since - self._base)

    def _look(self, hi: int, *, final: bool) -> None:
        """Decides up to `hi`, or to where the text is blocked."""
        try:
            hi = self._budget.within(lambda: self._decided(hi, final=final), free_ns=CHUNK_NS)
        except OutOfTime:
            for terms in self._plan.terms:
                self._fail(terms, "budget")
        if not self._failed_closed():
            self._lo = max(self._lo, hi)

    def _decided(self, hi: int, *, final: bool) -> int:
        tried = [each for each in self._plan.tried(self._buffer) if each.trial.guard not in self._errors]
        if tried or any(track.open for track in self._tracks):
            return self._find(tried, hi, final=final)
        return hi

    def _find(self, tried: list[Tried], hi: int, *, final: bool) -> int:
        """Follows every track up to `hi`; gives it, or where the text is blocked."""
        for track in self._tracks:
            self._budget.check()
            track.go_on(self._buffer, self._base, final=final)
            if track.action <= Action.FLAG and self._budget.is_half_gone:
                self._leave_out(track.action)
            window = self._window(hi, final=final)
            ours = [each for each in tried if each.trial.action == track.action]
            self._follow(track, [each for each in ours if each.trial.guard not in self._errors], window)
            if track.action == Action.BLOCK and track.found and not self._failed_closed():
                hi = track.found[0].start
                self.blocked_by = track.found[0].trial.guard
                self._note(track.found[0])
        return hi

    def _leave_out(self, action: Action) -> None:
        """Has guards with this action, which only note, fail for want of time, if policy lets that through."""
        for terms in self._plan.terms:
            if terms.action == action and terms.on_error == OnError.ALLOW:
                self._fail(terms, "budget")

    def _follow(self, track: Track, tried: list[Tried], window: Window) -> None:
        """Once more without a guard that failed, if policy lets it through."""
        begun = track.state()
        try:
            searches = [Search(each, window) for each in tried]
            track.follow(searches, self._buffer, self._base, lo=self._lo, final=window.final)
        except Failed as failed:
            track.restore(begun)
            self._fail(failed.terms, "raised")
            if not self.blocked_by:
                self._follow(track, [each for each in tried if each.trial.terms is not failed.terms], window)

    def _window(self, hi: int, *, final: bool) -> Window:
        return Window(self._lo - self._base, hi - self._base, self._reach, final, self._role, self._direction)

    def _fail(self, terms: Terms, error: str) -> None:
        """Notes that a guard failed; ends the text unless its policy says otherwise."""
        closed = terms.on_error == OnError.BLOCK
        action = Action.BLOCK if closed else Action.LOG
        self._errors.setdefault(terms.guard, self._outcome(terms.guard, "", action, 1, 0.0, error=error))
        if closed and not self.blocked_by:
            self.blocked_by = terms.guard

    def _failed_closed(self) -> bool:
        return self.blocked_by in self._errors

    def _give(self, *, final: bool) -> str:
        """What is decided, with what stands instead of what is redacted. Forgets what is not needed any more."""
        parts: list[str] = []
        for track in self._tracks:
            if track.action == Action.REDACT:
                self._replace_all(track, parts)
            elif track.action != Action.BLOCK:
                self._note_all(track)
        if self._failed_closed():
            return ""
        self._copy(self._lo, parts)
        self._forget(final=final)
        return parts[0] if len(parts) == 1 else "".join(parts)

    def _replace_all(self, track: Track, parts: list[str]) -> None:
        """Replaces what is certain to its end: of what is blocked before that, nothing is given."""
        while track.found and not self._failed_closed():
            match = track.found[0]
            self._copy(match.start, parts)
            if not match.closed or match.end > self._lo:
                self._out = max(self._out, self._lo)
                return
            match.keep(self._buffer, self._base)
            parts.append(self._instead(match))
            self._note(match)
            self._out = match.end
            del track.found[0]

    def _instead(self, match: Match) -> str:
        self.changed = True
        try:
            return self._replace(self._finding(match), match.value, match.trial.terms)
        except Exception:
            self._fail(match.trial.terms, "raised")
            return label(match.trial.name)

    def _copy(self, until: int, parts: list[str]) -> None:
        if self._out < until:
            parts.append(self._buffer[self._out - self._base : until - self._base])
            self._out = until

    def _note_all(self, track: Track) -> None:
        """Counts each as soon as it is found: what is blocked later does not undo it."""
        for match in track.found:
            if not match.noted:
                self._count(match)
                match.noted = True
            if match.closed:
                self._keep(match)
        track.found = [track.open] if track.open else []

    def _note(self, match: Match) -> None:
        self._count(match)
        self._keep(match)

    def _count(self, match: Match) -> None:
        key = (match.trial.guard, match.trial.name, match.trial.action)
        count, score = self._counts.get(key, (0, 0.0))
        self._counts[key] = (count + 1, max(score, match.score))

    def _keep(self, match: Match) -> None:
        if self._findings is not None:
            self._findings.append(self._finding(match))

    def _finding(self, match: Match) -> Finding:
        trial = match.trial
        return Finding(trial.guard, trial.name, match.start, match.end, match.score, self._place, match.shows)

    def _outcome(self, guard: str, rule: str, action: Action, count: int, score: float, *, error: str = "") -> Outcome:
        return Outcome(
            guard=guard,
            rule=rule,
            action=action,
            direction=self._direction,
            role=self._role,
            place=self._place,
            count=count,
            score=score,
            error=error,
        )

    def _forget(self, *, final: bool) -> None:
        since = self._lo - self._base - HISTORY
        if since <= 0 or final:
            return
        for track in self._tracks:
            if track.action == Action.REDACT:
                for match in track.found:
                    match.keep(self._buffer, self._base)
        self._buffer = self._buffer[since:]
        self._base += since
