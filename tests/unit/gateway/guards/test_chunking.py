"""However a text is cut into chunks, the same comes out, and nothing is held back for long."""

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.guards.base import CORE_MOST, Action, Direction, Guarding, Role, Terms, Text
from gateway.guards.engine import Engine
from gateway.guards.registry import guards
from gateway.guards.replacing import replacer
from tests.unit.gateway.guards.engine_cast import BLOCK, VALUES, a_stream, an_engine, chunked

ENGINES = {
    "all redacted": an_engine(words=Action.REDACT),
    "words noted": an_engine(words=Action.LOG),
    "words blocked": an_engine(words=Action.BLOCK),
    "numbers noted": an_engine(numbers=Action.FLAG, words=Action.BLOCK),
    "keys blocked": an_engine(keys=Action.BLOCK),
}

REAL = [
    "378282246310005",
    "5500 0000 0000 0004",
    "DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
    "ada.lovelace+list@mail.example.co.uk",
    "+49 30 901820",
    "call 202-555-0143",
    "SSN 078-05-1120",
    "born on 1985-12-10",
    "192.0.2.7",
    "2001:db8::8a2e:370:7334",
    "postgres://ada:" + "hunter2hunter2" + "@db.example.com/app",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "ghp_" + "a1B2c3D4e5" * 3 + "a1B2c3",
    "password = " + "tr0ub4dor&3",
    "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJ" + "zdWIiOiIxMjM0In0." + "a1B2c3D4e5" * 4,
    "-----BEGIN " + "PRIVATE KEY-----\n" + "MIIB" * 40 + "\n-----END " + "PRIVATE KEY-----",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "<script>alert(1)</script>",
    "![a](https://evil.example/?q=ada)",
    json.dumps({"email": "ada@example.com", "n": "é"}),
    base64.b64encode(b'{"user": "ada@example.com", "card": "4111111111111111"}').decode(),
]


def streamed(engine: Engine, chunks: list[str]) -> tuple[str, str, object]:
    stream = a_stream(engine)
    out = ""
    for chunk in chunks:
        out += stream.feed(chunk)
        assert stream.held <= CORE_MOST
    out += stream.finish()
    return out, stream.blocked_by, sorted((each.guard, each.rule, each.count, each.score) for each in stream.outcomes)


@pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES.keys())
@given(cut=chunked(VALUES))
@settings(max_examples=60, deadline=None)
def test_a_stream_is_its_whole(engine: Engine, cut: tuple[str, list[str]]) -> None:
    text, chunks = cut
    assert streamed(engine, chunks) == streamed(engine, [text])


@pytest.fixture(scope="module")
def of_all() -> Engine:
    """All finders that there are, each with an action that lets the others be seen."""
    finders = [name for name, guard in guards().items() if guard.rules is not None]
    actions = dict.fromkeys(finders, Action.REDACT) | {"links": Action.LOG, "markup": Action.FLAG}
    terms = tuple(Terms(guard=name, action=action) for name, action in actions.items() if name in finders)
    return Engine(Guarding(policy_id=1, terms=terms, key=b"k" * 32, budget_ms=60_000))


@given(cut=chunked([*REAL, BLOCK]))
@settings(max_examples=100, deadline=None)
def test_a_stream_is_its_whole_with_all_guards(of_all: Engine, cut: tuple[str, list[str]]) -> None:
    text, chunks = cut
    assert streamed(of_all, chunks) == streamed(of_all, [text])


@given(cut=chunked([*REAL, *VALUES]))
@settings(max_examples=60, deadline=None)
def test_a_streamed_answer_is_as_a_whole_one(of_all: Engine, cut: tuple[str, list[str]]) -> None:
    text, chunks = cut
    verdict = of_all.look([Text(text, Role.ASSISTANT, "a")], Direction.ANSWER, replace=replacer(of_all.guarding))
    assert streamed(of_all, chunks)[0] == verdict.changed.get("a", text)


@given(st.lists(st.sampled_from([*REAL, "Hello", "a lease or a lock", "né", ""]), max_size=5))
@settings(max_examples=60, deadline=None)
def test_texts_together_are_as_each_alone(of_all: Engine, texts: list[str]) -> None:
    places = [Text(text, Role.USER, f"messages[{number}].content") for number, text in enumerate(texts)]

    def changed(asked: list[Text]) -> dict[str, str]:
        return of_all.look(asked, Direction.PROMPT, replace=replacer(of_all.guarding)).changed

    alone = [changed([each]) for each in places]
    assert changed(places) == {place: text for each in alone for place, text in each.items()}


@pytest.mark.parametrize("ending", ["", " ", "\n", "a"])
@pytest.mark.parametrize("encoded", ["utf-16-be", "utf-16-le", "utf-8"])
def test_a_card_in_hex_is_the_same_in_a_stream(of_all: Engine, encoded: str, ending: str) -> None:
    text = "4111111111111111".encode(encoded).hex() + ending
    verdict = of_all.look([Text(text, Role.ASSISTANT, "a")], Direction.ANSWER, replace=replacer(of_all.guarding))
    assert streamed(of_all, [text])[0] == streamed(of_all, list(text))[0] == verdict.changed.get("a", text)
