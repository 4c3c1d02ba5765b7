"""Tries a guard policy out on one text, as it would be judged on its way, without keeping anything.

Nothing leaves but what a policy has a moderation model asked about: that goes to that model, as on its way.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from gateway import guard_rows, moderated_once
from gateway.guard_gaps import unserved
from gateway.guards import moderation
from gateway.guards.base import Action, Direction, Finding, Guarding, Role, Text
from gateway.guards.engine import engine_of
from gateway.guards.moderation import Asking, ModerationFailed
from gateway.guards.placeholders import Placeholders, replacer
from gateway.guards.replacing import replacer as plain
from gateway.guards.verdicts import Outcome, Verdict
from gateway.models import GuardPolicy, GuardRule

PLACES = {Direction.PROMPT: "messages[0].content", Direction.ANSWER: "choices[0].message.content"}
"""Where the text stands, as it would in a request or an answer: some guards look at nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a policy makes of a text.

    `pieces`: the text in pieces, each with the name of what was found in it, or nothing. `outgoing`: what would go out
    in its place; None where nothing would. `unasked`: why moderation has said nothing, where policy wants it.
    """

    action: Action
    blocked_by: str
    outcomes: Sequence[Outcome]
    pieces: Sequence[tuple[str, str]] = field(repr=False)
    outgoing: str | None = field(repr=False)
    is_changed: bool
    unasked: str = ""

    @property
    def is_flagged(self) -> bool:
        return any(outcome.action == Action.FLAG for outcome in self.outcomes)

    @property
    def is_unchecked(self) -> bool:
        """Whether it is blocked for nothing but that a guard could not look."""
        blocking = [each for each in self.outcomes if each.action == Action.BLOCK and each.guard == self.blocked_by]
        return bool(blocking) and all(each.error for each in blocking)


def run(policy: GuardPolicy, rules: Iterable[GuardRule], *, text: str, role: Role, direction: Direction) -> Trial:
    """Judges `text` as one text of a request or of an answer. The policy need not be saved."""
    guarding = guard_rows.read(policy, rules, tenant=policy.tenant)
    replace = replacer(plain(guarding), Placeholders(b""))
    guard_rows.warm_up(guarding)
    engine = engine_of(guarding)
    place = PLACES[direction]
    verdict = engine.look([Text(text=text, role=role, place=place)], direction, replace=replace)
    found = engine.findings(text, role=role, direction=direction)
    outgoing = verdict.changed.get(place, text)
    unasked = _moderate(guarding, Text(outgoing, role, place), direction, verdict)
    return Trial(
        action=verdict.action,
        blocked_by=verdict.blocked_by,
        outcomes=verdict.outcomes,
        pieces=tuple(_pieces(text, found)),
        outgoing=None if verdict.blocked_by else outgoing,
        is_changed=outgoing != text,
        unasked=unasked,
    )


def _moderate(guarding: Guarding, text: Text, direction: Direction, verdict: Verdict) -> str:
    """Adds what a moderation model says of what the other guards left; gives the reason where it says nothing."""
    terms = guarding.of(moderation.NAME)
    if terms is None:
        return ""
    if verdict.blocked_by:
        return "Moderation was not asked: another guard refuses the text before."
    if not moderation.is_asked_about(text, terms, direction):
        return "Moderation was not asked: it is not to look at such texts."
    asked = moderation.asking(terms)
    try:
        found = moderation.outcomes(terms, direction, text, moderated_once.ask(text.text, asked))
    except ModerationFailed as failure:
        verdict.add(moderation.failed(terms, direction, failure))
        return _reason(failure, asked)
    for outcome in found:
        verdict.add(outcome)
    return ""


def _reason(failure: ModerationFailed, asked: Asking) -> str:
    match failure.reason:
        case "unconfigured":
            return f"Moderation was not asked. {unserved(asked) or 'The credential of its provider cannot be read.'}"
        case "timeout":
            return f"Moderation was asked, but {asked.model} did not answer within {asked.timeout_s:g} s."
    return f"Moderation was asked, but {asked.model} did not answer, or not in a way that can be read."


def _pieces(text: str, found: Sequence[Finding]) -> Iterator[tuple[str, str]]:
    """Of findings that overlap the first one is shown."""
    at = 0
    for finding in sorted(found, key=lambda each: (each.start, -each.end)):
        if finding.start < at or finding.end <= finding.start:
            continue
        if finding.start > at:
            yield text[at : finding.start], ""
        yield text[finding.start : finding.end], finding.rule
        at = finding.end
    if at < len(text):
        yield text[at:], ""
