"""Identifiers are found however they are disguised: broken by lines, set apart, made of look-alikes, or encoded."""

import base64
from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.unit.gateway.guards.personal_cast import found

VALUES = {
    "card": ("CARD", "my card is ", "4111111111111111"),
    "IBAN": ("IBAN", "my IBAN is ", "GB82WEST12345698765432"),
    "mail": ("EMAIL", "write to ", "ada.lovelace@example.com"),
    "phone": ("PHONE", "call me at ", "+1 202-555-0143"),
    "SSN": ("US_SSN", "my SSN is ", "219-09-9998"),
}

DISGUISES: dict[str, Callable[[str], str]] = {
    "zero-width": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "full-width": lambda value: "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in value),
    "URL-encoded": lambda value: quote(value, safe=""),
    "percent": lambda value: "".join(f"%{ord(each):02X}" for each in value),
    "hexadecimal": lambda value: value.encode().hex(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base32": lambda value: base64.b32encode(value.encode()).decode(),
    "broken by a line": lambda value: value[: len(value) // 2] + "\n" + value[len(value) // 2 :],
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("value", VALUES)
def test_a_disguised_value_is_found(value: str, disguise: str) -> None:
    rule, before, clear = VALUES[value]
    hidden = DISGUISES[disguise](clear)
    assert [name for name, _ in found(f"{before}{hidden}, thanks")] == [rule]


@pytest.mark.parametrize("disguise", ["hexadecimal", "base64", "base32"])
def test_an_encoded_number_needs_no_word_as_that_may_stand_behind_it(disguise: str) -> None:
    assert found("on 5551 0143 office") == [("PHONE", "5551 0143")]
    hidden = DISGUISES[disguise]("5551 0143")
    assert found(f"on {hidden} office") == [("PHONE", hidden)]
    assert found("we counted 5551 0143 of them") == []


@pytest.mark.parametrize(
    "between", ["\u00a0", ".", "-", "\n", " -"], ids=["nbsp", "dot", "hyphen", "line", "two signs"]
)
@pytest.mark.parametrize("value", ["4111111111111111", "GB82WEST12345698765432"], ids=["card", "IBAN"])
def test_groups_are_found_whatever_is_between(value: str, between: str) -> None:
    apart = between.join(value[at : at + 4] for at in range(0, len(value), 4))
    assert [what for _, what in found(f"pay {apart} now")] == [apart]


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "4 ",
        "4444 ",
        "555-",
        "a@",
        "a:",
        "1\n",
        "born 1/1/1 ",
        "bsn 123456789 ",
        "+49 89 636480 ",
        "x at y ",
        "GB82 ",
    ],
)
def test_twice_the_text_is_tried_twice_as_often(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = [_tries(unit * times, monkeypatch) for times in (500, 1000)]
    assert tries[1] <= 2.2 * tries[0] + 200


def _tries(text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often an expression was searched for in a text."""
    from gateway.guards.matching import Trial

    count = 0
    search = Trial.search

    def counted(self: Trial, text: str, start: int, stop: int, limit: int) -> tuple[int, int] | None:
        nonlocal count
        count += 1
        return search(self, text, start, stop, limit)

    with monkeypatch.context() as patch:
        patch.setattr(Trial, "search", counted)
        found(text)
    return count


@pytest.mark.parametrize("tail", ["BSN is 111222333", "SSN 219-09-9998", "CPF 529.982.247-25"])
@pytest.mark.parametrize("unit", ["12-34-56-78 ", "id 12345678, ", "+1 2 345 67 "])
def test_what_stands_behind_much_of_the_same_kind_is_found(unit: str, tail: str) -> None:
    whole = found(unit * 200 + "x " * 40 + tail)
    assert whole
    assert tail.endswith(whole[-1][1])


@pytest.mark.parametrize(
    ("before", "value", "rule"),
    [("born on ", "1985-12-10, in Bern", "DATE_OF_BIRTH"), ("passport no. ", "C01X00T47, valid", "PASSPORT")],
)
def test_words_before_an_encoded_run_count(before: str, value: str, rule: str) -> None:
    assert [name for name, _ in found(before + value.encode().hex())] == [rule]
    assert found("read " + value.encode().hex()) == []


@pytest.mark.parametrize("at", [0, 300, 3000, 9000])
def test_it_does_not_matter_where_in_a_long_text_it_stands(at: int) -> None:
    words = "a quick brown fox " * 700
    text = words[:at] + " my card is 4111111111111111 and passport no. C01X00T47 " + words[at:]
    assert [name for name, _ in found(text)] == ["CARD", "PASSPORT"]
