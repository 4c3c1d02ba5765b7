"""Log probabilities go out only where they say the same as their text."""

from typing import Any

import pytest

from gateway.wire import tokens

CARD = "4111 1111 1111 1111"


def token(text: str, *, raw: Any = None, others: Any = (), **fields: Any) -> dict[str, Any]:
    alternatives = [each if isinstance(each, dict) else {"token": each, "logprob": -3.0} for each in others]
    return {"token": text, "logprob": -0.1, "bytes": raw, "top_logprobs": alternatives, **fields}


@pytest.mark.parametrize(
    ("logprobs", "message"),
    [
        ({"content": [token("To"), token(" be", raw=list(b" be"))], "refusal": None}, {"content": "To be"}),
        ({"content": None, "refusal": [token("No")]}, {"content": None, "refusal": "No"}),
        ({"content": []}, {"content": ""}),
        ({"content": []}, {}),
        ({"content": [token("\\xc3", raw=[0xC3]), token("\\xa9", raw=[0xA9])]}, {"content": "é"}),
        ({"content": [token("4", others=["42", " 111", " ", "Straße", "@"])]}, {"content": "4"}),
    ],
    ids=["content", "refusal", "none", "missing", "half characters", "others"],
)
def test_it_works(logprobs: Any, message: Any) -> None:
    assert tokens.spell(logprobs, message)


@pytest.mark.parametrize(
    "logprobs",
    [
        CARD,
        [CARD],
        {"tokens": [CARD]},
        {"content": CARD},
        {"content": [CARD]},
        {"content": [token(CARD)]},
        {"content": [token("a"), token(CARD)]},
        {"refusal": [token(CARD)]},
        {"content": [token("a", note=CARD)]},
        {"content": [token("a", logprob=CARD)]},
        {"content": [token("a", raw=list(CARD.encode()))]},
        {"content": [token(CARD, raw=[97])]},
        {"content": [token("a", raw=CARD)]},
        {"content": [token("a", raw=[256])]},
        {"content": [token("a", top_logprobs=CARD)]},
        {"content": [token("a", others=[CARD])]},
        {"content": [token("a", others=["a@b.example"])]},
        {"content": [token("a", others=["long as secrets are"])]},
        {"content": [token("a", others=[token("b", raw=list(CARD.encode()))])]},
        {"content": [token("a", others=[token("b", others=["c"])])]},
        {"content": [token("a", others=[{"token": 1}])]},
    ],
    ids=lambda value: str(value)[:90],
)
def test_what_holds_more_does_not_go_out(logprobs: Any) -> None:
    assert not tokens.spell(logprobs, {"content": "a"})


def test_what_belongs_to_no_message_does_not_go_out() -> None:
    assert not tokens.spell({"content": []}, None)
    choices = [{"message": {"content": "a"}, "logprobs": {"content": [token("a")]}}, {"message": {}}, None]
    assert tokens.all_spell(choices)
    assert not tokens.all_spell([*choices, {"logprobs": {"content": [token("a")]}}])
    assert tokens.all_spell(None)
