"""All guards of a policy on all texts of a request or of an answer: whole, or as a stream."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import json, structs

from gateway.guards.asking import Look, Looking, quiet_of
from gateway.guards.base import (
    CORE_MOST,
    QUIET_MOST,
    Direction,
    Finder,
    Finding,
    Guard,
    Guarding,
    Judged,
    Role,
    Rule,
    Terms,
    Text,
)
from gateway.guards.budget import Budget, OutOfTime
from gateway.guards.matching import Trial
from gateway.guards.plans import Plan
from gateway.guards.registry import guards
from gateway.guards.replacing import Replacer
from gateway.guards.streams import Stream
from gateway.guards.verdicts import Outcome, Verdict

__all__ = ["Engine", "Outcome", "Replacer", "Stream", "Verdict", "engine_of"]

REACH = {Direction.PROMPT: 512, Direction.ANSWER: CORE_MOST}
"""How far behind its beginning a match may end, as the text stands: prompts are no streams, so more is undone there."""


ENGINES_MOST = 1024
ENDLESS_MS = 3_600_000

_K = TypeVar("_K")
_V = TypeVar("_V")
_encode = json.Encoder(order="deterministic").encode


class Engine:
    """See `engine_of`. Holds nothing of a request. `known`: the guards that there are, unless all."""

    def __init__(self, guarding: Guarding, *, known: Mapping[str, Guard] | None = None) -> None:
        self.guarding = guarding
        known = guards() if known is None else known
        self._guards = [
            (known[terms.guard], terms) for terms in guarding.terms if terms.guard in known and terms.action
        ]
        self._looking = {
            (direction, judges, finders): Looking.of(self._guards, direction, judges=judges, finders=finders)
            for direction in Direction
            for judges in (False, True)
            for finders in (False, True)
        }
        self._quiet = {direction: quiet_of(self._guards, direction) for direction in Direction}
        self._shared: dict[Direction, Plan] = {}  # where all roles have the same
        self._is_warm = False
        self._warmed: set[tuple[Role, Direction]] = set()
        self._plans: dict[tuple[Role, Direction], Plan] = {}
        self._plans_of: dict[frozenset[str], Plan] = {}  # by the guards that look: most roles have the same

    def is_quiet(self, judged: Judged) -> bool:
        """Whether `look` would surely find nothing in texts of one direction that are short and plain, as most are. It
        takes so little time that none is counted, and fails for nobody: where it cannot tell, `look` is asked."""
        asked = self._quiet[judged.direction]
        if asked is None or not self._is_warm:
            return False
        left = QUIET_MOST
        for text in judged.texts:
            left -= len(text.text)
            if left < 0 or not text.text.isascii():
                return False
        for quiet, settings in asked:
            if not quiet(structs.replace(judged, settings=settings) if settings else judged):
                return False
        return self._is_clean(judged)

    def look(
        self,
        texts: Sequence[Text],
        direction: Direction,
        *,
        replace: Replacer,
        canaries: Sequence[str] = (),
        system: Sequence[str] = (),
        request: Mapping[str, Any] | None = None,
        judges: bool = True,
        finders: bool = True,
        budget: Budget | None = None,
    ) -> Verdict:
        """What the guards say of texts. `finders=False`: judges alone, for answers that a stream has looked through;
        `judges=False`: finders alone, for texts that are sent to be judged. `budget`: one that others use up, too."""
        self._warm({text.role for text in texts} if finders else (), direction)
        judged = Judged(texts=texts, direction=direction, canaries=canaries, system=system, request=request or {})
        look = Look(judged, self._looking[direction, judges, finders], budget or self.budget())
        try:
            look.budget.within(lambda: self._look(look, replace))
        except OutOfTime:
            for terms in look.waiting:
                look.fail(terms, "budget")
        return look.verdict

    def stream(
        self,
        *,
        role: Role,
        place: str,
        replace: Replacer,
        canaries: Sequence[str] = (),
        system: Sequence[str] = (),
        live: Sequence[Trial] | None = None,
        budget: Budget | None = None,
    ) -> Stream:
        """Looks through one text of an answer as it comes. Judges look at answers when they are whole, by `look`. The
        texts of one answer may share `live`, what `Engine.live` gave for `canaries` and `system`, and a `budget`."""
        self._warm((role,), Direction.ANSWER)
        if live is None:
            live = self.live(canaries=canaries, system=system)
        plan = self._plan_with(live, role, Direction.ANSWER)
        return self._stream(plan, Text("", role, place), Direction.ANSWER, replace, budget or self.budget())

    def live(self, *, canaries: Sequence[str] = (), system: Sequence[str] = ()) -> list[Trial]:
        """What is looked for in the answer to one prompt alone."""
        return self._live(Judged(texts=(), direction=Direction.ANSWER, canaries=canaries, system=system))

    def budget(self) -> Budget:
        """What policy gives guards for one direction of an exchange."""
        return Budget(self.guarding.budget_ms)

    def findings(self, text: str, *, role: Role, direction: Direction) -> list[Finding]:
        """What finders find in a text, whatever is done about it."""
        found: list[Finding] = []
        plan = self._plan(role, direction)
        stream = self._stream(plan, Text(text, role, ""), direction, _unchanged, Budget(ENDLESS_MS), found)
        stream.feed(text)
        stream.finish()
        return found

    def _look(self, look: Look, replace: Replacer) -> None:
        looking = look.looking
        look.ask(looking.judging)
        if looking.finding and not look.verdict.blocked_by:
            self._find(look, replace)
        look.has_found = True
        if not look.verdict.blocked_by:
            look.ask(looking.noting)

    def _find(self, look: Look, replace: Replacer) -> None:
        judged, verdict = look.judged, look.verdict
        live = self._live(judged)
        if not live and self._is_clean(judged):
            return
        for text in judged.texts:
            look.budget.check()
            plan = self._plan_with(live, text.role, judged.direction)
            stream = self._stream(plan, text, judged.direction, replace, look.budget)
            output = stream.whole(text.text)
            for outcome in stream.outcomes:
                verdict.add(outcome)
            if verdict.blocked_by:
                return
            if stream.changed:
                verdict.changed[text.place] = output

    def _is_clean(self, judged: Judged) -> bool:
        """Whether nothing is in any of the texts that would have to be looked at more closely: at one go, as most
        requests have many short ones."""
        shared = self._shared.get(judged.direction)
        if shared is not None:
            return shared.is_clean([text.text for text in judged.texts])
        together: dict[Plan, list[str]] = {}
        for text in judged.texts:
            together.setdefault(self._plan(text.role, judged.direction), []).append(text.text)
        return all(plan.is_clean(texts) for plan, texts in together.items())

    def _stream(
        self,
        plan: Plan,
        text: Text,
        direction: Direction,
        replace: Replacer,
        budget: Budget,
        findings: list[Finding] | None = None,
    ) -> Stream:
        return Stream(
            plan,
            role=text.role,
            direction=direction,
            place=text.place,
            replace=replace,
            reach=REACH[direction],
            budget=budget,
            findings=findings,
        )

    def _plan_with(self, live: Sequence[Trial], role: Role, direction: Direction) -> Plan:
        plan = self._plan(role, direction)
        return plan.with_finders([trial for trial in live if trial.terms.looks_at(role, direction)]) if live else plan

    def _plan(self, role: Role, direction: Direction) -> Plan:
        plan = self._plans.get((role, direction))
        if plan is None:
            looking = frozenset(terms.guard for _, terms in self._guards if terms.looks_at(role, direction))
            if looking not in self._plans_of:
                self._plans_of[looking] = self._planned(role, direction)
            plan = self._plans[role, direction] = self._plans_of[looking]
        return plan

    def _planned(self, role: Role, direction: Direction) -> Plan:
        scanned: list[tuple[str, Trial]] = []
        always: list[Trial] = []
        for guard, terms in self._guards:
            if not terms.looks_at(role, direction):
                continue
            if guard.rules is not None:
                rules = guard.rules(self.guarding, terms)
                scanned += [(rule.scan, Trial(terms, rule)) for rule in rules if _counts(rule, terms)]
            if guard.finders is not None:
                finders = guard.finders(self.guarding, terms)
                always += [Trial(terms, finder) for finder in finders if _counts(finder, terms)]
        return Plan(scanned, always)

    def _live(self, judged: Judged) -> list[Trial]:
        return [
            Trial(terms, finder)
            for guard, terms in self._guards
            if guard.live is not None and judged.direction in terms.directions
            for finder in guard.live(structs.replace(judged, settings=terms.settings))
        ]

    def prepare(self) -> None:
        """Compiles what `look` and `stream` would compile when they first need it: a second, in a thread."""
        for direction in Direction:
            self._warm(Role, direction)
            plans = {self._plan(role, direction) for role in Role}
            if len(plans) == 1:
                self._shared[direction] = plans.pop()

    def _warm(self, roles: Iterable[Role], direction: Direction) -> None:
        """What should be there already, where it is not: no guard's time is spent on it."""
        for role in roles:
            if (role, direction) not in self._warmed:
                plan = self._plan(role, direction)
                _ = plan.locators
                if direction == Direction.ANSWER:
                    _ = plan.opening
                self._warmed.add((role, direction))
        if self._is_warm:
            return
        for guard, _ in self._guards:
            if guard.prepare is not None:
                guard.prepare()
        self._is_warm = True


_by_identity: OrderedDict[int, tuple[Guarding, Engine]] = OrderedDict()
_by_value: OrderedDict[bytes, Engine] = OrderedDict()


def engine_of(guarding: Guarding) -> Engine:
    """The engine of a policy; the same for the same policy."""
    kept = _by_identity.get(id(guarding))
    if kept is not None:
        return kept[1]
    key = _value_of(guarding)
    engine = _by_value.get(key) or Engine(guarding)
    _keep(_by_value, key, engine)
    _keep(_by_identity, id(guarding), (guarding, engine))
    return engine


def _keep(cache: OrderedDict[_K, _V], key: _K, value: _V) -> None:
    cache[key] = value
    if len(cache) > ENGINES_MOST:
        cache.popitem(last=False)


def _value_of(guarding: Guarding) -> bytes:
    """The same for two that are equal. Dictionaries, which may be large, are named by their versions."""
    versions = [(each.dictionary_id, each.version, each.name) for each in guarding.dictionaries]
    return _encode((versions, structs.replace(guarding, dictionaries=())))


def _counts(rule: Rule | Finder, terms: Terms) -> bool:
    return not terms.rules or rule.name in terms.rules


def _unchanged(finding: Finding, value: str, terms: Terms) -> str:
    return value
