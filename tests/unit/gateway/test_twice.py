"""A name that stands twice in an object is found, however the JSON is written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.twice import has_twice

VALUES = st.recursive(
    st.none() | st.integers() | st.text(alphabet='ab":\\ \n', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='ab":\\', max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":2}',
        b'{"a":1,"a"\n:2}',
        b'{"a":1,"\\u0061":2}',
        b'{"x":[{"y":"a"},{"a":{"b":"}","b":"{"}}]}',
        b'{"a":1,"a":"\\":"}',
        b'{"a":1%b,"a":2}' % (b"1" * 5_000),
    ],
    ids=["plain", "spaced", "escaped", "deep", "among quotes", "long number"],
)
def test_it_works(data: bytes) -> None:
    assert has_twice(data, json.loads(data, parse_int=str))


@given(value=VALUES, indent=st.sampled_from([None, 1]))
def test_nothing_else_is_found(value: Any, indent: int | None) -> None:
    assert not has_twice(json.dumps(value, indent=indent).encode(), value)


@given(value=VALUES, name=st.text(alphabet='ab":\\', max_size=4))
def test_one_is_found_beside_anything(value: Any, name: str) -> None:
    pair = f"{json.dumps(name)}: {json.dumps(value)}"
    assert has_twice(f"{{{pair}, {pair}}}".encode(), {name: value})
