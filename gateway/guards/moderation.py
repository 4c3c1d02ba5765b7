"""What a moderation model says of texts, and what policy makes of that. Pure; `gateway/moderating.py` asks it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct

from gateway.guards.base import Action, Direction, Finding, Guard, Kind, OnError, Role, Setting, Terms, Text
from gateway.guards.verdicts import Outcome

NAME = "moderation"
MODEL = "omni-moderation-latest"

CATEGORIES = (
    *("harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm"),
    *("self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic"),
)
"""OpenAI's; other upstreams that speak its protocol have others, which count under their own names."""

TIMEOUT_MS = 2_000
_NAME = re.compile(r"[a-z0-9_/ -]{1,40}", re.ASCII)
OTHER = "other"

CHUNK_CHARS = 16_000
OVERLAP_CHARS = 200
"""A longer text is asked about in pieces, so that none is beyond what a model reads."""

SPOKEN = frozenset({Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL})
"""Whose texts a model is asked about where policy names no roles: definitions and metadata are no speech."""


class ModerationFailed(Exception):
    """There is no answer. `reason`: `unconfigured`, `open` (it failed too often), `timeout` or `unavailable`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Result(Struct, frozen=True):
    """Of one text, as the upstream says it."""

    flagged: bool = False
    categories: dict[str, bool | None] = {}
    category_scores: dict[str, Annotated[float, Meta(ge=0, le=1)] | None] = {}

    def scores(self) -> Mapping[str, float]:
        """How sure the upstream is, by category; of one that has no score, whether it is flagged."""
        flags = {name: float(bool(flag)) for name, flag in self.categories.items()}
        return flags | {name: score for name, score in self.category_scores.items() if score is not None}


class Results(Struct, frozen=True):
    """The upstream's answer."""

    results: list[Result]


class Asking(Struct, frozen=True, kw_only=True):
    """Whom a policy asks, and what it heeds. `provider`: empty for the model's first; `categories`: none for all."""

    model: str = MODEL
    provider: str = ""
    categories: frozenset[str] = frozenset()
    timeout_s: float = TIMEOUT_MS / 1000


def asking(terms: Terms) -> Asking:
    settings = terms.settings
    return Asking(
        model=settings.get("model") or MODEL,
        provider=settings.get("provider") or "",
        categories=frozenset(settings.get("categories") or ()),
        timeout_s=(settings.get("timeout_ms") or TIMEOUT_MS) / 1000,
    )


def is_asked_about(text: Text, terms: Terms, direction: Direction) -> bool:
    """Whether a policy has the model see a text."""
    if not terms.looks_at(text.role, direction) or not (terms.roles or text.role in SPOKEN):
        return False
    return any(map(str.isalpha, text.text))


def pieces(text: str) -> Iterator[str]:
    """The text, or overlapping pieces of a long one."""
    step = CHUNK_CHARS - OVERLAP_CHARS
    for start in range(0, max(len(text) - OVERLAP_CHARS, 1), step):
        yield text[start : start + CHUNK_CHARS]


def together(results: Sequence[Result]) -> Result:
    """Of the pieces of a text, the highest score of each category."""
    if len(results) == 1:
        return results[0]
    scores: dict[str, float] = {}
    for result in results:
        for name, score in result.scores().items():
            scores[name] = max(score, scores.get(name, 0.0))
    return Result(flagged=any(result.flagged for result in results), category_scores=dict(scores))


def outcomes(terms: Terms, direction: Direction, text: Text, result: Result) -> list[Outcome]:
    """What a policy makes of an answer about a text."""
    return [
        Outcome(
            guard=NAME,
            rule=finding.rule,
            action=terms.action,
            direction=direction,
            role=text.role,
            place=text.place,
            score=finding.score,
        )
        for finding in findings(result, asking(terms), threshold=terms.threshold, place=text.place)
        if not terms.rules or finding.rule in terms.rules
    ]


def failed(terms: Terms, direction: Direction, failure: ModerationFailed) -> Outcome:
    """What a policy makes of it that there is no answer."""
    return Outcome(
        guard=NAME,
        rule="",
        action=Action.BLOCK if terms.on_error is OnError.BLOCK else Action.LOG,
        direction=direction,
        role=Role.USER if direction is Direction.PROMPT else Role.ASSISTANT,
        place="",
        score=0.0,
        error="budget" if failure.reason == "timeout" else "raised",
    )


def findings(result: Result, asked: Asking, *, threshold: float, place: str) -> Sequence[Finding]:
    """One for each category that the policy heeds and whose score reaches its threshold."""
    heeded = {
        name: score for name, score in result.scores().items() if not asked.categories or name in asked.categories
    }
    found = [
        Finding(NAME, _rule(name), score=score, place=place)
        for name, score in heeded.items()
        if score >= max(threshold, 1e-9)
    ]
    if not found and result.flagged and not result.categories and not result.category_scores:
        found = [Finding(NAME, OTHER, place=place)]  # an upstream that has no categories
    return found


def _rule(category: str) -> str:
    """A name that records and metrics can carry."""
    return category if _NAME.fullmatch(category) else OTHER


GUARD = Guard(
    name=NAME,
    title="Moderation model",
    help=(
        "Asks a moderation model about the texts: an upstream with OpenAI's /v1/moderations. It is a model of the "
        "gateway like others, so that its provider, credential and price are found there. Answers about the same text "
        "are remembered for a while. Where it does not answer in time, the guard has failed. To block answers, streams "
        "are kept back until they are complete."
    ),
    actions=(Action.OFF, Action.LOG, Action.FLAG, Action.BLOCK),
    rule_names=CATEGORIES,
    kinds="categories",
    settings=(
        Setting(name="model", title="model", default=MODEL, most=100, help="Its name at this gateway."),
        Setting(name="provider", title="provider", most=50, help="The slug of one that serves it; empty: its first."),
        Setting(
            name="categories",
            title="categories",
            kind=Kind.CHOICES,
            choices=CATEGORIES,
            help="None chosen: all that it knows.",
        ),
        Setting(
            name="timeout_ms",
            title="time limit",
            kind=Kind.WHOLE,
            default=TIMEOUT_MS,
            least=50,
            most=30_000,
            help="Milliseconds for all texts of a request.",
        ),
    ),
)
