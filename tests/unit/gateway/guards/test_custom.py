"""Patterns of tenants take linear time, match at most what can be held back, and say what is wrong with them."""

import re
from collections import Counter
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.guards import custom
from gateway.guards.base import Custom
from gateway.guards.custom import PatternRefused
from gateway.guards.ways import Unsuited, ways_of
from tests.unit.gateway.guards.tenants_cast import an_engine_of, found, redacted

TAKEN = [
    r"EMP-\d{6}",
    r"\bINC\d{4,8}\b",
    r"(?i)kunde[- ]nr\.? \d{5}",
    r"(?:acme|umbrella)-\d{3,5}[A-Z]?",
    r"\d{1,20}-[A-Z]{1,20}-\d{1,20}",
    r"[^$^]x\$",
    r"colou?r",
    r"Müller \d\d",
    r".{0,20}secret.{0,20}",
]


@pytest.mark.parametrize("expression", TAKEN)
def test_what_is_sound_is_taken(expression: str) -> None:
    custom.check("EMPLOYEE", expression)
    assert custom.rule(Custom(name="EMPLOYEE", expression=expression)).name == "EMPLOYEE"


REFUSED = {
    "no end": (r"\d+", "upper bound"),
    "no end, within": (r"ab.*c", "upper bound"),
    "too wide": (r"x{65}", "64"),
    "nothing": (r"a*", "nothing"),
    "nothing, bounded": (r"a{0,5}", "nothing"),
    "look-ahead": (r"(?=a)b", "looks around"),
    "look-behind": (r"(?<!a)b", "looks around"),
    "backreference": (r"(a)\1", "refers back"),
    "anchor": (r"^a", "^ or $"),
    "end": (r"a$", "^ or $"),
    "repeat of a repeat": (r"(?:[a-z]{1,5}){1,9}x", "too many ways"),
    "repeats in a row": (r"\w{0,16}\w{0,16}\w{0,16}\w{0,15}x", "too many ways"),
    "alternatives alike": (r"(?:a|aa|b){1,30}c", "too many ways"),
    "repeat of nothing": (r"(?:a?){9}b", "empty"),
    "no expression": (r"(a", "not an expression"),
    "Unicode class": (r"\p{L}{3}x", "not an expression"),
    "flag": (r"(?x)a b", "flags"),
    "possessive": (r"a{1,5}+b", "cannot"),
    "line": ("a\nb", "not seen"),
    "empty": ("  ", "empty"),
    "long": ("a" * 501, "500"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_is_refused_with_the_reason(what: str) -> None:
    expression, reason = REFUSED[what]
    with pytest.raises(PatternRefused, match=re.escape(reason)):
        custom.check("EMPLOYEE", expression)


@pytest.mark.parametrize("name", ["", "1X", "A B", "Ü", "A" * 41, "A-B"])
def test_a_name_is_a_label(name: str) -> None:
    with pytest.raises(PatternRefused, match="name"):
        custom.check(name, "abc")


def test_patterns_are_found_folded_and_between_words() -> None:
    patterns = [Custom(name="EMP", expression=r"(?i)\bemp-\d{6}\b"), Custom(name="NAME", expression=r"Müller \d\d")]
    engine = an_engine_of("patterns", patterns=patterns)
    assert redacted(engine, "Emp-123456, ＥＭＰ-123456, xEMP-123456, Müller 12") == "[EMP], [EMP], xEMP-123456, [NAME]"


def test_a_pattern_that_leaves_out_the_question_mark_still_finds_other_characters() -> None:
    engine = an_engine_of("patterns", patterns=[Custom(name="X", expression=r"a[^?]b")])
    assert found(engine, "aЖb a?b") == [("X", "aЖb")]


def test_which_patterns_count_can_be_chosen_and_how_sure_they_are() -> None:
    patterns = [Custom(name="A", expression="aaa"), Custom(name="B", expression="bbb", score=0.3)]
    assert found(an_engine_of("patterns", patterns=patterns), "aaa bbb") == [("A", "aaa")]
    chosen = an_engine_of("patterns", patterns=patterns, rules=frozenset({"B"}), threshold=0.2)
    assert found(chosen, "aaa bbb") == [("B", "bbb")]


_LEAVES = st.sampled_from(["a", "b", "[ab]", "\\w", "."])
_EXPRESSIONS = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        st.tuples(inner, st.integers(0, 2), st.integers(1, 3)).map(
            lambda it: f"(?:{it[0]}){{{it[1]},{it[1] + it[2]}}}"
        ),
    ),
    max_leaves=6,
)


def _ends(nodes: Any, text: str, begun: Counter[int]) -> Counter[int]:
    """Where matches may end, and in how many ways: what a backtracking matcher would try in full. `begun`: the same of
    where they begin."""
    for op, value in nodes:
        begun = _of(str(op), value, text, begun)
    return begun


def _of(op: str, value: Any, text: str, begun: Counter[int]) -> Counter[int]:
    if op == "BRANCH":
        return sum((_ends(branch, text, begun) for branch in value[1]), Counter())
    if op == "SUBPATTERN":
        return _ends(value[-1], text, begun)
    if op == "MAX_REPEAT":
        least, most, inner = value
        rounds, ends = begun, Counter(begun) if least == 0 else Counter[int]()
        for count in range(1, most + 1):
            rounds = _ends(inner, text, rounds)
            ends += rounds if count >= least else Counter()
        return ends
    # of the characters used here `a` fits each
    return Counter({at + 1: ways for at, ways in begun.items() if at < len(text)})


@given(_EXPRESSIONS)
@settings(deadline=None)
def test_the_ways_that_are_counted_are_never_too_few(expression: str) -> None:
    """On a text of one letter, which each leaf matches, before what the text has not: so all ways are tried."""
    text = "a" * 40
    without_b = expression.replace("[ab]", "a").replace("b", "a")
    try:
        _, _, ways = ways_of(without_b + "a!")
    except Unsuited:
        return
    parsed = import_module("re._parser").parse(without_b)
    assert _ends(parsed, text, Counter({0: 1})).total() <= ways
