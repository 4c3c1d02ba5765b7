"""What a model has written so far is bounded, about known, and counted, each at its price."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.produced import SLICE_CHARS, Produced
from gateway.tokens import BYTES, count_tokens

texts = st.lists(
    st.one_of(st.text(st.characters(codec=None), max_size=30), st.text("abc .\n", max_size=60)), max_size=12
)
tokenizers = st.sampled_from(["o200k_base", "cl100k_base", BYTES])


def written(pieces: list[str], tokenizer: str = "o200k_base") -> Produced:
    produced = Produced(tokenizer)
    for piece in pieces:
        produced.add(piece)
    return produced


def test_it_works() -> None:
    produced = written(["The ferry", " leaves", " the harbor."])
    assert produced.text == "The ferry leaves the harbor."
    assert (produced.about(), produced.tokens()) == (6, 6)


@given(texts, tokenizers)
def test_the_bound_is_never_too_low(pieces: list[str], tokenizer: str) -> None:
    produced = written(pieces, tokenizer)
    assert produced.at_most() >= produced.tokens()
    bound = produced.at_most()
    assert bound >= produced.about()
    assert produced.at_most() >= produced.about()


@given(texts, st.sets(st.integers(0, 11)))
def test_each_piece_is_counted_once_whenever_one_asks(pieces: list[str], asked_after: set[int]) -> None:
    produced, parts, part = Produced("o200k_base"), [], ""
    for number, piece in enumerate(pieces):
        produced.add(piece)
        part += piece
        if number in asked_after:
            produced.about()
            parts.append(part)
            part = ""
    assert produced.about() == sum(count_tokens(text, "o200k_base") for text in [*parts, part])
    assert produced.about() == produced.about() == produced.at_most()


@given(texts, texts, st.booleans(), tokenizers)
def test_what_is_taken_back_leaves_no_trace(kept: list[str], more: list[str], asks: bool, tokenizer: str) -> None:
    produced, same = written(kept, tokenizer), written(kept, tokenizer)
    if asks:
        assert produced.about() == same.about()
    mark = produced.mark()
    for piece in more:
        produced.add(piece)
    produced.about()
    produced.reset(mark)
    assert (produced.text, produced.at_most()) == (same.text, same.at_most())
    assert (produced.about(), produced.tokens()) == (same.about(), same.tokens())


def test_a_model_whose_tokenizer_is_not_known_is_bounded_by_bytes_and_counted_as_others_are() -> None:
    produced = written(["The ferry leaves", " — 緑"], BYTES)
    assert produced.about() == produced.at_most() == len("The ferry leaves") + 4 * len(" — 緑")
    assert produced.tokens() == count_tokens(produced.text, "o200k_base")


@pytest.mark.parametrize("text", ["word " * SLICE_CHARS, "緑" * (2 * SLICE_CHARS + 1)], ids=["words", "one script"])
def test_long_texts_are_counted_in_slices_and_not_by_their_bytes(text: str) -> None:
    tokens = written([text]).tokens()
    assert tokens < len(text.encode())


def test_when_it_began_is_when_the_first_piece_came() -> None:
    produced = Produced("o200k_base")
    assert produced.began_at is None
    produced.add("a")
    began_at = produced.began_at
    produced.add("b")
    assert produced.began_at == began_at is not None
