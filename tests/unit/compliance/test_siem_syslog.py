"""What is sent can be read again, by a parser that follows RFC 5424 and 6587 to the letter."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.siem import syslog
from tests.factories.syslog import parse, unframed

AT = datetime(2026, 11, 21, 18, 30, 0, 123_456, tzinfo=UTC)
HOSTILE = {
    "quotes and brackets": 'say "no"] [x y="z"] \\ \\] end\\',
    "line ends": "one\ntwo\r\nthree\n5 <1>1",
    "NUL and controls": "a\x00b\x07c\x1b[31m",
    "other scripts": "Zoë 🦊 \u2028 ﷽",
    "formula": "=cmd|'/c calc'!A1",
    "long": "x" * 65_536,
}


def message(text: str = "{}", **changes: Any) -> bytes:
    told: dict[str, Any] = {"at": AT, "host": "portcullis.example", "kind": "tenant.created", "outcome": "success"}
    return syslog.message(text, **{**told, "parameters": {"event": "1"}, **changes})


def test_it_works() -> None:
    assert message('{"a":1}') == (
        b"<110>1 2026-11-21T18:30:00.123456Z portcullis.example portcullis - tenant.created "
        b'[portcullis@32473 event="1"] {"a":1}'
    )


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_come_back_as_they_were(text: str) -> None:
    frames = [syslog.framed(message(text, parameters={"target": text, "event": "7"})), syslog.framed(message("after"))]
    first, second = [parse(each) for each in unframed(b"".join(frames))]
    assert first.text == text
    assert first.parameters == {"target": text, "event": "7"}
    assert second.text == "after"


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=5))
def test_any_texts_come_back(texts: list[tuple[str, str]]) -> None:
    stream = b"".join(syslog.framed(message(text, parameters={"target": told})) for text, told in texts)
    read = [parse(each) for each in unframed(stream)]
    assert [(each.text, each.parameters.get("target", "")) for each in read] == texts


def test_half_a_character_is_replaced() -> None:
    (read,) = [parse(each) for each in unframed(syslog.framed(message("a\ud800b", parameters={"target": "\udfff"})))]
    assert read.text == "a\ufffdb"
    assert read.parameters == {"target": "\ufffd"}


@pytest.mark.parametrize(
    ("outcome", "priority"), [("success", 110), ("failure", 108), ("refused", 108), ("unheard of", 109)]
)
def test_the_severity_tells_the_outcome(outcome: str, priority: int) -> None:
    assert message(outcome=outcome).startswith(b"<%d>1 " % priority)


def test_a_header_holds_no_spaces_and_is_not_longer_than_allowed() -> None:
    read = parse(message(host="my host\n" + "h" * 300, kind="über.größe " + "k" * 50))
    assert re.fullmatch("[!-~]{255}", read.host)
    assert re.fullmatch("[!-~]{32}", read.kind)


def test_what_is_not_known_is_nil() -> None:
    unknown = message(at=None, host="", kind="", parameters={"event": ""})
    assert parse(unknown) == parse(b"<110>1 - - portcullis - - - {}")
