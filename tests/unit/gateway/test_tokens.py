"""Token counts must agree with OpenAI's, and must never be too low."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens import BYTES, TOKENIZED_MAX_BYTES, count_tokens

ENCODINGS = ("o200k_base", "cl100k_base")


@pytest.mark.parametrize(
    ("text", "o200k", "cl100k"),
    [
        pytest.param("", 0, 0, id="nothing"),
        # The examples of the OpenAI cookbook, "How to count tokens with tiktoken".
        pytest.param("antidisestablishmentarianism", 6, 6, id="long-word"),
        pytest.param("2 + 2 = 4", 7, 7, id="sum"),
        pytest.param("お誕生日おめでとう", 8, 9, id="japanese"),
        pytest.param("tiktoken is great!", 6, 6, id="sentence"),
    ],
)
def test_counts_agree_with_openai(text: str, o200k: int, cl100k: int) -> None:
    assert (count_tokens(text, "o200k_base"), count_tokens(text, "cl100k_base")) == (o200k, cl100k)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_special_token_in_a_text_is_ordinary_text(encoding: str) -> None:
    assert count_tokens("<|endoftext|>", encoding) > 1


def test_bytes_counts_utf_8_and_not_characters() -> None:
    assert count_tokens("né 你", BYTES) == 7


@given(text=st.text())
def test_bytes_is_never_below_another_encoding(text: str) -> None:
    bound = count_tokens(text, BYTES)
    assert all(count_tokens(text, encoding) <= bound for encoding in ENCODINGS)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_text_over_the_limit_is_bounded_by_its_bytes(encoding: str) -> None:
    longest = "word " * (TOKENIZED_MAX_BYTES // 5)
    assert count_tokens(longest, encoding) < TOKENIZED_MAX_BYTES // 4
    assert count_tokens(longest + "word ", encoding) == len(longest) + 5


def test_the_limit_is_one_of_bytes_and_not_of_characters() -> None:
    text = "é" * (TOKENIZED_MAX_BYTES // 2 + 1)
    assert count_tokens(text, "o200k_base") == TOKENIZED_MAX_BYTES + 2


@pytest.mark.parametrize("encoding", [*ENCODINGS, BYTES])
def test_a_lone_surrogate_is_counted_and_not_an_error(encoding: str) -> None:
    assert count_tokens("a\ud800", encoding) == 4


@pytest.mark.parametrize("text", ["short", "long " * TOKENIZED_MAX_BYTES], ids=["short", "long"])
def test_an_unknown_encoding_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="unknown encoding 'p50k_base': expected one of o200k_base"):
        count_tokens(text, "p50k_base")


def test_no_tokenizer_is_loaded_before_it_is_needed() -> None:
    code = "import sys; from gateway.tokens import count_tokens; count_tokens('a', 'bytes'); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "gateway.tokens" in modules.split()
    assert not [name for name in modules.split() if name.startswith("rs_bpe")]
