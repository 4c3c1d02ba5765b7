"""Engines with the guards of this folder, by what a test wants of them."""

from collections.abc import Sequence
from typing import Any

from gateway.guards.base import (
    Action,
    Custom,
    Direction,
    Finding,
    Guarding,
    Replacement,
    Role,
    Terms,
    WordList,
)
from gateway.guards.dictionaries import compiled
from gateway.guards.engine import Engine, Stream
from gateway.guards.replacing import replacer


def an_engine_of(
    *guards: str,
    settings: dict[str, Any] | None = None,
    dictionaries: Sequence[WordList] = (),
    patterns: Sequence[Custom] = (),
    rules: frozenset[str] = frozenset(),
    threshold: float = 0.5,
) -> Engine:
    terms = tuple(
        Terms(
            guard=guard,
            action=Action.REDACT,
            settings=settings or {},
            rules=rules,
            threshold=threshold,
            replacement=Replacement.LABEL,
        )
        for guard in guards
    )
    return Engine(
        Guarding(
            policy_id=1,
            terms=terms,
            dictionaries=tuple(dictionaries),
            patterns=tuple(patterns),
            key=b"k" * 32,
            budget_ms=60_000,
        )
    )


def a_dictionary(*entries: str, name: str = "NAMES", prefixes: bool = False, dictionary_id: int = 1) -> WordList:
    data, _ = compiled(entries)
    version = hash((entries, prefixes)) & 0x7FFFFFFF
    return WordList(dictionary_id=dictionary_id, version=version, name=name, prefixes=prefixes, compiled=data)


def a_stream(engine: Engine) -> Stream:
    return engine.stream(role=Role.ASSISTANT, place="choices[0]", replace=replacer(engine.guarding))


def redacted(engine: Engine, text: str) -> str:
    """An answer as it goes out."""
    stream = a_stream(engine)
    return stream.feed(text) + stream.finish()


def found(engine: Engine, text: str) -> list[tuple[str, str]]:
    """What is found in an answer: rules, and the texts they found."""
    findings: list[Finding] = engine.findings(text, role=Role.ASSISTANT, direction=Direction.ANSWER)
    return [(each.rule, text[each.start : each.end]) for each in findings]
