"""A streamed answer passes text by text: what is masked in the whole is masked in pieces, and never shown before."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire import assembled
from gateway.wire.deltas import TEXTS_MOST, Rewriter
from gateway.wire.escapes import Escaped, TextStream
from tests.unit.gateway.streams import Masking, in_pieces

WORD = "secret"
MASK = "******"


def rewriter(*, blocks: bool = False) -> Rewriter:
    """One whose texts have a word masked, or are stopped by it."""

    def begin(place: str, is_json: bool) -> TextStream:
        stream = Masking(WORD, blocks=blocks)
        return Escaped(stream) if is_json else stream

    return Rewriter(begin)


def event(delta: dict[str, Any], *, index: int = 0, finish_reason: str | None = None, **fields: Any) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
    return json.dumps({"id": "chatcmpl-1", "choices": [choice], **fields}).encode()


def content(text: str, *, index: int = 0) -> bytes:
    return event({"content": text}, index=index)


def arguments(text: str, *, call: int = 0, index: int = 0) -> bytes:
    return event({"tool_calls": [{"index": call, "function": {"arguments": text}}]}, index=index)


def end(*, index: int = 0, reason: str = "stop", **fields: Any) -> bytes:
    return event({}, index=index, finish_reason=reason, **fields)


def passed(events: Sequence[bytes], through: Rewriter | None = None) -> list[dict[str, Any]]:
    """What comes out for those events, and at the end."""
    through = through or rewriter()
    out = [new for each in events for new in through.event(each)]
    return [json.loads(each) for each in [*out, *through.finish()]]


def messages(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The choices that they spell out."""
    return assembled.choices([b"data: %b\n\n" % json.dumps(each).encode() for each in events])


def test_an_answer_has_no_more_texts_than_can_be_held() -> None:
    through = rewriter()
    for call in range(TEXTS_MOST):
        through.event(arguments("{", call=call))
    with pytest.raises(ValueError, match="too many texts"):
        through.event(arguments("{", call=TEXTS_MOST))


def test_it_works() -> None:
    events = [event({"role": "assistant", "content": ""}), content("it is sec"), content("ret, so"), end()]
    (choice,) = messages(passed(events))
    assert choice["message"] == {"role": "assistant", "content": f"it is {MASK}, so"}
    assert choice["finish_reason"] == "stop"


def test_what_is_not_changed_passes_as_it_came() -> None:
    through = rewriter()
    for each in (
        event({"role": "assistant", "content": ""}),
        b'{ "choices" :[{"delta":{"content":"To be"}, "index":0}],"x_unknown":{"a":1.50}}',
        event({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": {"name": "f"}}]}),
        arguments('{"a": "\\u00e9'.replace("\\u00e9", "e")),
        end(usage={"total_tokens": 3}),
        b'{"choices":[],"usage":{"total_tokens":3}}',
        b'{"choices":[]}',
    ):
        assert through.event(each) == [each]


def test_nothing_goes_out_that_may_still_become_a_match() -> None:
    through = rewriter()
    assert through.event(content("s")) == []
    assert through.event(content("ecre")) == []
    (went,) = through.event(content("am"))
    assert json.loads(went)["choices"][0]["delta"] == {"content": "secream"}


def test_what_is_held_back_goes_before_the_end_of_its_choice() -> None:
    events = passed([content("is it a secr"), end(usage={"total_tokens": 3})])
    assert [each["choices"][0]["delta"] for each in events] == [{"content": "is it a "}, {"content": "secr"}, {}]
    assert [each["choices"][0]["finish_reason"] for each in events] == [None, None, "stop"]
    assert [each.get("usage") for each in events] == [None, None, {"total_tokens": 3}]
    assert {each["id"] for each in events} == {"chatcmpl-1"}


def test_a_last_piece_that_comes_with_the_end_goes_before_it() -> None:
    events = passed([content("a sec"), event({"content": "ret sec"}, finish_reason="stop")])
    assert [each["choices"][0]["delta"] for each in events] == [
        {"content": "a "},
        {"content": f"{MASK} "},
        {"content": "sec"},
        {},
    ]
    assert [each["choices"][0]["finish_reason"] for each in events] == [None, None, None, "stop"]


def test_what_is_held_back_goes_where_the_stream_ends_without_the_end_of_a_choice() -> None:
    (choice,) = messages(passed([content("a secr")]))
    assert choice["message"]["content"] == "a secr"


def test_choices_and_texts_do_not_mix() -> None:
    events = [
        content("sec"),
        content("ret", index=1),
        event({"refusal": "ret"}),
        event({"reasoning_content": "sec"}),
        arguments('{"a": "sec'),
        arguments("ret", call=1),
        event({"reasoning_content": "ret"}),
        content("urity"),
        arguments('ret"}'),
        end(),
        end(index=1),
    ]
    first, second = messages(passed(events))
    assert first["message"]["content"] == "security"
    assert first["message"]["refusal"] == "ret"
    assert first["message"]["reasoning_content"] == MASK
    assert [call["function"]["arguments"] for call in first["message"]["tool_calls"]] == [f'{{"a": "{MASK}"}}', "ret"]
    assert second["message"]["content"] == "ret"


@pytest.mark.parametrize(
    "deltas",
    [
        [{"function_call": {"name": "f", "arguments": "sec"}}, {"function_call": {"arguments": "ret"}}],
        [{"audio": {"transcript": "sec"}}, {"audio": {"transcript": "ret"}}],
        [{"content": [{"type": "text", "text": "sec"}]}, {"content": [{"type": "text", "text": "ret"}]}],
        [{"reasoning_details": [{"index": 0, "text": "sec"}]}, {"reasoning_details": [{"index": 0, "text": "ret"}]}],
        [
            {"tool_calls": [{"index": 0, "function": {"name": "sec"}}]},
            {"tool_calls": [{"index": 0, "function": {"name": "ret"}}]},
        ],
        [
            {"tool_calls": [{"index": 0, "custom": {"input": "sec"}}]},
            {"tool_calls": [{"index": 0, "custom": {"input": "ret"}}]},
        ],
        [{"future": {"deep": "sec"}}, {"future": {"deep": "ret"}}],
        [{"annotations": [{"type": "url_citation", "url_citation": {"title": "a secret", "url": "https://secret"}}]}],
        [{"secret": "x"}],
    ],
    ids=["function", "sound", "parts", "reasoning", "name", "custom", "future", "annotation", "field"],
)
def test_every_text_of_a_chunk_is_looked_at(deltas: list[dict[str, Any]]) -> None:
    out = json.dumps(passed([*map(event, deltas), end()]))
    assert MASK in out
    assert WORD not in out.replace('"', "")


def test_a_rest_stands_in_the_form_of_what_was_before_it() -> None:
    events = passed(
        [
            event({"tool_calls": [{"index": 2, "id": "call_1", "type": "function", "function": {"arguments": "sec"}}]}),
            event({"content": [{"type": "text", "text": "sec"}]}),
            end(),
        ]
    )
    deltas = [each["choices"][0]["delta"] for each in events]
    assert {"tool_calls": [{"index": 2, "type": "function", "function": {"arguments": "sec"}}]} in deltas
    assert {"content": [{"type": "text", "text": "sec"}]} in deltas


def test_fields_beside_the_choices_are_looked_at() -> None:
    (changed,) = passed([json.dumps({"choices": [], "citations": ["https://x/secret"]}).encode()])
    assert changed["citations"] == [f"https://x/{MASK}"]


@pytest.mark.parametrize(
    "choices", ['"a secret"', '{"0": {"delta": {"content": "a secret"}}}', '["a secret"]', '[["a secret"]]'], ids=str
)
def test_choices_of_another_form_are_looked_at(choices: str) -> None:
    assert WORD not in json.dumps(passed([b'{"choices": %b}' % choices.encode()]))


def with_logprobs(text: str) -> bytes:
    tokens = {"content": [{"token": text, "logprob": -0.1}], "refusal": None}
    choice = {"index": 0, "delta": {"content": text}, "logprobs": tokens, "finish_reason": None}
    return json.dumps({"choices": [choice]}).encode()


def tokens_of(events: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The tokens whose log probabilities each event has."""
    found = [each["choices"][0].get("logprobs") for each in events]
    return [[token["token"] for token in each["content"]] if each else [] for each in found]


def test_log_probabilities_go_with_their_text() -> None:
    events = passed([with_logprobs(text) for text in ("To be ", "s", "e", "e", " s")] + [end()])
    assert [each["choices"][0]["delta"] for each in events] == [
        {"content": "To be "},
        {"content": "see"},
        {"content": " "},
        {"content": "s"},
        {},
    ]
    assert tokens_of(events) == [["To be "], ["s", "e", "e"], [], [" s"], []]


def test_log_probabilities_do_not_tell_what_was_masked() -> None:
    events = passed([with_logprobs(text) for text in ("To be ", "sec", "ret", " or ", "not")] + [end()])
    assert "".join(each["choices"][0]["delta"].get("content", "") for each in events) == f"To be {MASK} or not"
    assert tokens_of(events) == [["To be "], [], [], [], []]


def test_a_match_that_blocks_stops_the_stream_and_nothing_of_it_goes_out() -> None:
    through = rewriter(blocks=True)
    out = [new for text in ("well, ", "the sec", "ret is") for new in through.event(content(text))]
    assert [json.loads(each)["choices"][0]["delta"]["content"] for each in out] == ["well, ", "the "]
    assert through.blocked_by == "masking"


def test_of_a_chunk_in_which_a_match_blocks_only_what_was_before_goes_out() -> None:
    through = rewriter(blocks=True)
    (out,) = through.event(event({"content": "a secret b"}, finish_reason="stop", usage={"total_tokens": 3}))
    said = json.loads(out)
    assert said["choices"] == [{"index": 0, "delta": {"content": "a "}, "finish_reason": None}]
    assert said["usage"] is None
    assert through.blocked_by
    assert through.event(content("a secret")) == through.finish() == []


def test_a_match_that_blocks_at_the_end_stops_what_comes_after_it() -> None:
    class Late(Masking):
        def finish(self) -> str:
            self.blocked_by = "late"
            return ""

    through = Rewriter(lambda place, is_json: Late(WORD))
    assert passed([content("a s")], through)[0]["choices"][0]["delta"] == {"content": "a "}
    assert through.blocked_by == "late"
    through = Rewriter(lambda place, is_json: Late(WORD))
    events = passed([content("a s"), end()], through)
    assert [each["choices"][0]["finish_reason"] for each in events] == [None]


@pytest.mark.parametrize(
    "data", [b"[]", b'"x"', b"{", b"[" * 5_000 + b"]" * 5_000], ids=["array", "text", "cut", "deep"]
)
def test_what_is_no_chunk_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        rewriter().event(data)


@pytest.mark.parametrize(
    "more",
    [
        {"delta": {"content": "ret"}},
        {"message": {"content": "ret"}},
        {"delta": {"tool_calls": [{"index": 0, "function": {"name": "ret"}}]}},
        {"delta": {"content": "ret"}, "index": None},
    ],
    ids=["delta", "message", "name", "unnumbered"],
)
def test_a_choice_that_goes_on_after_its_end_cannot_be_read(more: dict[str, Any]) -> None:
    through = rewriter()
    passed([content("sec", index=1), content("sec"), end()], through)
    with pytest.raises(ValueError, match="after its end"):
        through.event(json.dumps({"choices": [{"index": 0, **more}]}).encode())


def test_what_follows_the_end_of_a_choice_without_text_passes() -> None:
    through = rewriter()
    passed([content("sec"), end()], through)
    for each in (end(), event({"role": "assistant", "content": ""}), content("sec!", index=1)):
        assert through.event(each) == [each]


@pytest.mark.parametrize("index", ["1", 1.0, True, -1, [], {}], ids=str)
def test_an_index_that_is_no_number_cannot_be_read(index: Any) -> None:
    with pytest.raises(ValueError, match="no number"):
        rewriter().event(content("a", index=index))
    with pytest.raises(ValueError, match="no number"):
        rewriter().event(arguments("a", call=index))


def test_a_rest_stands_under_names_and_in_forms_that_were_masked() -> None:
    calls = [{"index": 0, "type": "secret", "arguments": {"secret": "a sec", "******": "b sec"}}]
    out = passed([event({"tool_calls": calls}), event({"tool_calls": calls}), end()])
    assert WORD not in json.dumps([out[0], out[-1]])
    whole: dict[str, str] = {}
    for each in out:
        for call in each["choices"][0]["delta"].get("tool_calls", ()):
            assert call["type"] == MASK
            for name, piece in call["arguments"].items():
                whole[name] = whole.get(name, "") + piece
    assert whole == {MASK: "a seca sec", f"{MASK}_": "b secb sec"}


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "a secret"},
        {"model": "a secret"},
        {"system_fingerprint": ["secret"]},
        {"created": {"a": "a secret"}},
        {"obfuscation": "a secret"},
        {"usage": {"total_tokens": 3, "note": "a secret"}},
        {"usage": {"Secret secret": 3}},
        {"secret": "x"},
        {"choices": [{"index": 0, "delta": {}, "secret": "x"}]},
        {"choices": [{"index": 0, "delta": {}, "stop_reason": "a secret"}]},
    ],
    ids=str,
)
def test_what_stands_beside_the_texts_is_looked_at(fields: dict[str, Any]) -> None:
    (out,) = passed([json.dumps({"choices": [{"index": 0, "delta": {"content": "a"}}], **fields}).encode()])
    assert WORD not in json.dumps(out)
    assert MASK in json.dumps(out)


@pytest.mark.parametrize(
    "delta", [{"content": ""}, {"content": None}, {}, {"content": "a"}], ids=["empty", "none", "missing", "other"]
)
def test_log_probabilities_of_no_text_do_not_go_out(delta: dict[str, Any]) -> None:
    tokens = {"content": [{"token": "a secret", "logprob": -0.1}]}
    (out,) = passed(
        [json.dumps({"id": "c", "x": 1, "choices": [{"index": 0, "delta": delta, "logprobs": tokens}]}).encode()]
    )
    assert out["choices"] == [{"index": 0, "delta": delta, "logprobs": None}]


@pytest.mark.parametrize("field", ["id", "name", "format", "role"])
def test_what_should_come_whole_is_looked_at_in_pieces_too(field: str) -> None:
    pieces = [{"tool_calls": [{"index": 0, field: piece}]} for piece in ("a" * 300 + " sec", "ret", "ret")]
    out = [each["choices"][0]["delta"]["tool_calls"][0][field] for each in passed([*map(event, pieces)])]
    assert MASK in out[1]
    assert WORD not in "".join(out[1:])


def test_of_a_name_that_stands_twice_goes_out_what_was_looked_at() -> None:
    (out,) = rewriter().event(b'{"choices":[{"index":0,"delta":{"content":"a secret","content":"b"}}]}')
    assert out == b'{"choices":[{"index":0,"delta":{"content":"b"}}]}'


TEXTS = st.text(alphabet="secrt ", max_size=30)
CUTS = st.lists(st.integers(0, 60), max_size=10)


@given(texts=st.lists(st.tuples(TEXTS, CUTS), min_size=1, max_size=3), order=st.randoms(use_true_random=False))
def test_however_it_comes_the_whole_is_the_same(texts: list[tuple[str, list[int]]], order: Any) -> None:
    """And what went out at any time holds nothing of what is masked in the end."""
    left = {(index, kind): list(in_pieces(text, cuts)) for index, (text, cuts) in enumerate(texts) for kind in range(2)}
    events = []
    while left:
        index, kind = order.choice(sorted(left))
        piece = left[index, kind].pop(0)
        events.append((content if kind else arguments)(piece, index=index))
        if not left[index, kind]:
            del left[index, kind]
    out = passed([*events, *(end(index=index) for index in range(len(texts)))])
    whole = {choice["index"]: choice["message"] for choice in messages(out)}
    for index, (text, _) in enumerate(texts):
        masked = text.replace(WORD, MASK)
        assert whole[index].get("content", "") == masked
        calls = whole[index].get("tool_calls", [{"function": {"arguments": ""}}])
        assert calls[0]["function"].get("arguments", "") == masked
        for size in range(len(out)):
            so_far = {choice["index"]: choice["message"].get("content", "") for choice in messages(out[:size])}
            assert masked.startswith(so_far.get(index, ""))
