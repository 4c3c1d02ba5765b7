"""JSON that is a text is read as it is meant, in whatever pieces it comes, and written back it means the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import escapes
from gateway.wire.escapes import Escaped, Strings
from tests.unit.gateway.streams import Masking, in_pieces

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def passed(text: str, cuts: list[int], *, masks: str = "nothing") -> str:
    """What a stream lets through that masks a word."""
    strings = Strings()
    stream = Escaped(Masking(masks), strings)
    return "".join(map(stream.feed, in_pieces(text, cuts))) + stream.finish()


def test_it_works() -> None:
    assert escapes.read(r'{"a": "Card:\n4111 \u00e9 \ud83d\ude00"}') == '{"a": "Card:\n4111 é 😀"}'


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (r'"\"\\"', r'"\"\\"'),
        (r'"\\n"', r'"\\n"'),
        (r'"\u0022\u005c\u0000\b"', r'"\u0022\u005c\u0000\b"'),
        (r'"\ud83d"', r'"\ud83d"'),
        (r'"\ude00\ud83d"', r'"\ude00\ud83d"'),
        (r"\n", r"\n"),
        ('{\n "a": "\\t"}', '{\n "a": "\t"}'),
        (r'"\/ \u0041"', '"/ A"'),
        ('"open \\u00', '"open \\u00'),
        (r'"\u 00é\uzz"', r'"\u 00é\uzz"'),
    ],
    ids=["quotes", "backslash", "coded", "half", "halves", "outside", "pretty", "plain", "open", "wrong"],
)
def test_what_ends_or_escapes_a_string_stays_escaped(text: str, meant: str) -> None:
    assert escapes.read(text) == meant


@given(value=JSON, is_ascii=st.booleans(), indent=st.sampled_from([None, 2]))
def test_what_is_written_means_what_was_read(value: Any, is_ascii: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii, indent=indent)
    assert json.loads(escapes.written(escapes.read(text))) == value


@given(value=JSON, is_ascii=st.booleans(), cuts=st.lists(st.integers(0, 200), max_size=12))
def test_pieces_give_what_the_whole_gives(value: Any, is_ascii: bool, cuts: list[int]) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    assert passed(text, cuts) == escapes.written(escapes.read(text))


@given(text=st.text(alphabet='\\"nu0dD8cé:, \n'), cuts=st.lists(st.integers(0, 60), max_size=12))
def test_pieces_of_what_is_no_json_give_what_the_whole_gives(text: str, cuts: list[int]) -> None:
    assert passed(text, cuts) == escapes.written(escapes.read(text))


@given(cuts=st.lists(st.integers(0, 40), max_size=6))
def test_a_word_is_found_behind_escapes_and_split_by_them(cuts: list[int]) -> None:
    text = r'{"a": "x\nse\u0063ret", "b": "\u0073ecret\n"}'
    assert json.loads(passed(text, cuts, masks="secret")) == {"a": "x\n******", "b": "******\n"}


@pytest.mark.parametrize(
    ("text", "value", "new"),
    [
        ('{"card": 4111}', "4111", '"[CARD]"'),
        ('{"card": -4.1e3}', "-4.1e3", '"[CARD]"'),
        ('{"card": "4111"}', "4111", "[CARD]"),
        (r'{"a\"": 4111}', "4111", '"[CARD]"'),
        (r'{"a": "\\", "b": "4111"}', "4111", "[CARD]"),
        ('{"a": null}', "null", "[CARD]"),
    ],
    ids=["number", "float", "text", "escaped quote", "escaped backslash", "word"],
)
def test_what_stands_for_a_number_is_a_string(text: str, value: str, new: str) -> None:
    at = text.index(value)
    for cut in range(len(text)):
        strings = Strings(text[:cut])
        strings.feed(text[cut:])
        assert strings.quoted("[CARD]", value=value, at=at) == new
