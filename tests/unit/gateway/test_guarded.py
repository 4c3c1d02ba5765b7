"""What a whole answer looks like after the guards, where they have found nothing in it."""

import json
from typing import Any

import pytest

from gateway import guarded
from gateway.errors import UpstreamCut
from gateway.guards.verdicts import Verdict

CARD = "4111 1111 1111 1111"


@pytest.fixture(autouse=True)
def _nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded, "look", lambda exchange, found, direction: Verdict())


def looked_at(body: bytes) -> bytes:
    exchange: Any = None
    return guarded.look_at_answer(exchange, body)


def answer(content: str, token: str) -> bytes:
    tokens = {"content": [{"token": token, "logprob": -0.5}], "refusal": None}
    message = {"role": "assistant", "content": content}
    return json.dumps({"choices": [{"index": 0, "message": message, "logprobs": tokens}]}).encode()


def test_it_works() -> None:
    for body in (b'{ "choices" :[] }', answer('"a":1', '"a":1'), b'{"choices":null}'):
        assert looked_at(body) == body


@pytest.mark.parametrize("content", ["", "a"])
def test_log_probabilities_of_another_text_do_not_go_out(content: str) -> None:
    (choice,) = json.loads(looked_at(answer(content, CARD)))["choices"]
    assert choice == {"index": 0, "message": {"role": "assistant", "content": content}, "logprobs": None}


def test_of_a_name_that_stands_twice_goes_out_what_was_looked_at() -> None:
    body = b'{"choices":[{"message":{"content":"%b","content":"b"}}]}' % CARD.encode()
    assert looked_at(body) == b'{"choices":[{"message":{"content":"b"}}]}'


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"\xff","choices":[]}',
        b'{"x":1e999,"choices":[]}',
        b'{"x":%b,"choices":[]}' % (b"[" * 400 + b"]" * 400),
        b'{"x":%b,"choices":[]}' % (b"[" * 100_000 + b"]" * 100_000),
    ],
    ids=["no text", "no number", "deep", "deeper"],
)
def test_what_cannot_be_read_is_the_upstreams_fault(body: bytes) -> None:
    with pytest.raises(UpstreamCut, match="cannot be read"):
        looked_at(body)


def test_what_would_hold_up_everybody_is_not_looked_at() -> None:
    body = b'{"x":[%b[]],"choices":[]}' % (b"[]," * guarded.ANSWER_SIGNS_MOST)
    with pytest.raises(UpstreamCut, match="too many parts"):
        looked_at(body)
