"""Whether texts of a request try to steer the model, and whether an answer calls tools that it may not call."""

from collections.abc import Iterator, Sequence

from gateway.guards.base import Direction, Finding, Judged, Role, Text
from gateway.guards.injection.scoring import Allowance, is_silent, scores
from gateway.guards.injection.tools import NAME, foreign_calls

STRICT = frozenset((Role.TOOL, Role.METADATA))
"""Who has no business to tell the model what to do."""

SHORT = 200
"""Texts of so many characters, of which a request may have hundreds, are looked at together first."""

LEAST = 0.05
"""Scores below say nothing."""


def judge(judged: Judged) -> Sequence[Finding]:
    """For each text the families that it shows signs of. The first one's score is that of all together."""
    if judged.direction == Direction.ANSWER:
        return list(foreign_calls(judged))
    allowance = Allowance()
    return [finding for text in _worth_a_look(judged.texts, allowance) for finding in _of(text, allowance)]


def quiet(judged: Judged) -> bool:
    """Where nothing in the texts, looked at together, is a sign, or hints at another reading."""
    if judged.direction == Direction.ANSWER:
        return not judged.settings.get("tools")
    return is_silent("\n\n".join([text.text for text in judged.texts if text.role != Role.SYSTEM]))


def _worth_a_look(texts: Sequence[Text], allowance: Allowance) -> Iterator[Text]:
    """All but the application's own, and but short ones that show no sign when they are looked at together."""
    untrusted = [text for text in texts if text.role != Role.SYSTEM]
    yield from (text for text in untrusted if len(text.text) > SHORT)
    for strict in (False, True):
        short = [text for text in untrusted if len(text.text) <= SHORT and (text.role in STRICT) == strict]
        together = "\n\n".join(text.text for text in short)
        if len(short) == 1 or (short and scores(together, strict=strict, allowance=allowance)):
            yield from short


def _of(text: Text, allowance: Allowance) -> Iterator[Finding]:
    found = scores(text.text, strict=text.role in STRICT, allowance=allowance)
    whole = found.pop("", 0.0)
    for family in sorted(found, key=lambda family: (-found[family], family)):
        score = max(whole, found[family])
        whole = 0.0
        if score >= LEAST:
            yield Finding(NAME, family, score=round(score, 3), place=text.place)
