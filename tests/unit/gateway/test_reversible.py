"""Values are put back into the events of a stream, however the upstream cut it."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.guards.placeholders import Placeholders
from gateway.reversible import Giving

KNOWN = Placeholders(b"k" * 32)
VALUE = 'Ada "the first"\n'
FORM = KNOWN.give("NAME", VALUE)
CONTENT = f"To {FORM}, [x] **{FORM.lower()}** ⟦NAME·"
ARGUMENTS = json.dumps({"to": FORM, "cc": [FORM]}, ensure_ascii=False)


class Exchange:
    """As far as it is asked."""

    class request:  # noqa: N801
        response_format = None


def framed(delta: dict[str, Any], *, finish: str | None = None) -> bytes:
    chunk = {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def called(arguments: str) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "function": {"arguments": arguments}}]}


def pieces(text: str, sizes: list[int]) -> list[str]:
    found, at = [], 0
    for size in [*sizes, len(text)]:
        found.append(text[at : at + size])
        at += size
    return found


def given_out(events: list[bytes]) -> list[dict[str, Any]]:
    """The deltas that go out, several events of the upstream in one piece."""
    giving = Giving(Exchange(), KNOWN)  # type: ignore[arg-type]
    batches = [b"".join(events[at : at + 3]) for at in range(0, len(events), 3)]
    out = b"".join([*map(giving.piece, batches), giving.rest()])
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in out.split(b"\n\n")[:-1]]
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


@given(st.lists(st.integers(1, 20), max_size=60))
def test_content(sizes: list[int]) -> None:
    events = [framed({"content": piece}) for piece in pieces(CONTENT, sizes)]
    deltas = given_out([*events, framed({}, finish="stop")])
    assert "".join(delta.get("content", "") for delta in deltas) == f"To {VALUE}, [x] **{VALUE}** ⟦NAME·"


@given(st.lists(st.integers(1, 20), max_size=60))
def test_arguments_stay_json(sizes: list[int]) -> None:
    events = [framed(called(piece)) for piece in pieces(ARGUMENTS, sizes)]
    deltas = given_out([*events, framed({}, finish="tool_calls")])
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"to": VALUE, "cc": [VALUE]}


def test_a_stream_that_ends_without_a_reason_gives_what_is_left() -> None:
    deltas = given_out([framed({"content": "To ⟦NAME·"})])
    assert "".join(delta["content"] for delta in deltas) == "To ⟦NAME·"


def test_an_event_without_a_placeholder_passes_as_it_came() -> None:
    event = b'data: {"choices": [ {"index":0,"delta":{"content":"Hello"} } ] }\n\n'
    assert Giving(Exchange(), KNOWN).piece(event) == event  # type: ignore[arg-type]
