"""Every rule of every guard decides within the characters that a stream holds back."""

import re
from importlib import import_module
from typing import Any

import pytest

from gateway.guards.base import CONTEXT_MOST, CORE_MOST, Action, Guarding, Rule, Terms
from gateway.guards.registry import guards
from gateway.guards.scanning import Scanner

# What `re` itself is made of: there is no public way to see into a pattern.
codes: Any = import_module("re._constants")
parser: Any = import_module("re._parser")

RULES = {
    f"{name}-{number}-{rule.name}": rule
    for name, guard in guards().items()
    if guard.rules is not None
    for number, rule in enumerate(guard.rules(Guarding(policy_id=0, terms=()), Terms(guard=name, action=Action.LOG)))
}
rules = pytest.mark.parametrize("rule", RULES.values(), ids=RULES.keys())


def ahead(parsed: Any, at: int = 0) -> int:
    """How many characters from its beginning on an expression may look at."""
    furthest = at
    for code, argument in parsed:
        if code is codes.ASSERT or code is codes.ASSERT_NOT:
            direction, inner = argument
            furthest = max(furthest, ahead(inner, at) if direction > 0 else at)
        else:
            furthest = max(furthest, _of(code, argument, at))
            at += parser.SubPattern(parsed.state, [(code, argument)]).getwidth()[1]
    return max(furthest, at)


def _of(code: Any, argument: Any, at: int) -> int:
    if code is codes.BRANCH:
        return max(ahead(branch, at) for branch in argument[1])
    if code is codes.SUBPATTERN:
        return ahead(argument[3], at)
    if code is codes.ATOMIC_GROUP:
        return ahead(argument, at)
    if code in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        _, most, inner = argument
        before_last = inner.getwidth()[1] * (most - 1) if most else 0
        return ahead(inner, at + before_last)
    if code is codes.AT and argument in (codes.AT_BOUNDARY, codes.AT_NON_BOUNDARY, codes.AT_END):
        return at + 1
    return at


def behind(parsed: Any) -> int:
    """How many characters before its beginning it may look at, at most."""
    furthest = 0
    for code, argument in parsed:
        if code in (codes.ASSERT, codes.ASSERT_NOT) and argument[0] < 0:
            furthest = max(furthest, argument[1].getwidth()[1])
    return furthest


@rules
def test_the_core_is_decided_by_what_is_held_back(rule: Rule) -> None:
    parsed = parser.parse(rule.pattern)
    least, most = parsed.getwidth()
    assert least > 0
    assert most <= CORE_MOST
    assert ahead(parsed) <= CORE_MOST + 1
    assert behind(parsed) <= CONTEXT_MOST


@rules
def test_tails_go_on_by_a_class(rule: Rule) -> None:
    if rule.tail:
        assert parser.parse(rule.tail).getwidth() == (1, 1)
    if rule.until:
        assert parser.parse(rule.until).getwidth()[1] <= CORE_MOST


@rules
def test_no_scan_asks_where_a_text_begins_or_ends(rule: Rule) -> None:
    """Texts are scanned together, with line breaks between them. Edges of words are not scanned for."""
    plain = re.sub(r"\(\?:\^\|\[\^a-z\]\)|\\[bB]|\[\^?\]?(?:\\.|[^\]\\])*\]", "", rule.scan)
    assert not re.search(r"(?<!\\)(?:\\\\)*(?:[$^]|\\[AZ])", plain)


@rules
def test_the_scan_compiles_alone(rule: Rule) -> None:
    Scanner((rule.scan,))


@pytest.mark.parametrize(
    ("pattern", "reach"),
    [("a{3}b", 4), ("a(?=bcd)", 4), ("(?:a|bc(?!x))", 3), ("(?<!x)a{2,5}(?!0)", 6), (r"a\b", 2), ("(?:ab(?=c)){3}", 7)],
    ids=str,
)
def test_how_far_an_expression_looks(pattern: str, reach: int) -> None:
    assert ahead(parser.parse(pattern)) == reach
    assert re.compile(pattern)
