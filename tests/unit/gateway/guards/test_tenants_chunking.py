"""Secrets, dictionaries, patterns, links, markup and listed words are found in streams as in whole texts."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.guards_bench.secrets_data import Sample, near_misses, secrets
from gateway.guards.base import CORE_MOST, Custom
from tests.unit.gateway.guards.tenants_cast import a_dictionary, a_stream, an_engine_of, redacted

ENGINE = an_engine_of(
    "secrets",
    "dictionaries",
    "patterns",
    "links",
    "markup",
    "word_list",
    settings={"hosts": ["acme.example"], "words": ["blue falcon"]},
    dictionaries=[
        a_dictionary("acme", "project blue sky", "蓝天"),
        a_dictionary("umbr", prefixes=True, dictionary_id=2),
    ],
    patterns=[Custom(name="EMP", expression=r"(?i)\bemp-\d{4,8}\b")],
)
ENGINE.prepare()
_SAMPLES = [sample.text for sample in [*secrets(seed=41, each=10), *near_misses(seed=42, each=2)]]
_OTHERS = [
    "acme", "project  blue sky", "project blue", "umbrellas", "蓝天", "EMP-12345", "emp-123456789", "<script",
    "onerror=x",
    "<img src=x onerror=", "https://acme.example/x", "https://evil.example/x", "![x](//evil.example/p)", "javascript:x",
    "blue\nfalcon", "make a bomb", "x' or 'a'='a", "password=", "token: ", "\u200b", "é", " ", "\n", '"', "'", "\\",
]  # fmt: skip
_PIECES = st.one_of(
    st.sampled_from(_OTHERS),
    st.sampled_from(_SAMPLES),
    st.builds(lambda text, cut: text[:cut], st.sampled_from(_SAMPLES), st.integers(1, 60)),
    st.builds(lambda text, cut: text[cut:], st.sampled_from(_SAMPLES), st.integers(1, 60)),
    st.text(max_size=5),
)


def _streamed(text: str, sizes: Sequence[int]) -> str:
    stream, output, at, turn = a_stream(ENGINE), "", 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        output += stream.feed(text[at : at + size])
        assert stream.held <= CORE_MOST
        at, turn = at + size, turn + 1
    return output + stream.finish()


@settings(deadline=None)
@given(st.lists(_PIECES, min_size=1, max_size=6).map("".join), st.lists(st.integers(1, 40), min_size=1, max_size=6))
def test_however_it_is_cut_a_stream_gives_what_the_whole_gives(text: str, sizes: list[int]) -> None:
    assert _streamed(text, sizes) == redacted(ENGINE, text)


_EACH = list(secrets(seed=43, each=5))


@pytest.mark.parametrize("number", range(len(_EACH)))
def test_a_secret_is_the_same_character_by_character(number: int) -> None:
    sample: Sample = _EACH[number]
    cuts = random.Random(number)
    whole = redacted(ENGINE, sample.text)
    assert _streamed(sample.text, [1]) == whole
    assert _streamed(sample.text, [cuts.randint(1, 9) for _ in range(8)]) == whole
