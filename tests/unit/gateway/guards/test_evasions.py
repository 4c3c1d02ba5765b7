"""What is written otherwise, or encoded, is found like what is written plainly, and what it stood as is what goes."""

import pytest

from gateway.guards.base import Action, Direction, Role, Text
from gateway.guards.decoding import DEEPEST
from gateway.guards.engine import Engine
from gateway.guards.folding import fold, folded
from gateway.guards.replacing import replacer
from tests.unit.gateway.guards.engine_cast import CARD, EMAIL, ENCODINGS, an_engine

ENGINE = an_engine(words=Action.OFF)

TOO_LONG_FOR_A_STREAM = {
    *((CARD, name) for name in ("unicode escapes", "zero-width flood", "entities", "x escapes")),
    *((CARD, name) for name in ("entities without ends", "entities with zeros", "octal", "UTF-16 in hex")),
}
"""Of these 64 characters are less than a card: prompts show more at once."""

NOT_OURS = {(EMAIL, "dots"), (EMAIL, "lines"), (EMAIL, "no-break spaces")}
"""What the rules of this cast do not know."""


def redacted(text: str, direction: Direction = Direction.PROMPT, engine: Engine = ENGINE) -> str:
    asked = [Text(text, Role.USER, "m")]
    return engine.look(asked, direction, replace=lambda finding, value, terms: "#").changed.get("m", text)


CASES = [
    pytest.param(direction, name, value, id=f"{direction.value}-{name}-{kind}")
    for direction in Direction
    for name in ENCODINGS
    for kind, value in (("card", CARD), ("email", EMAIL))
    if (value, name) not in NOT_OURS and (direction == Direction.PROMPT or (value, name) not in TOO_LONG_FOR_A_STREAM)
]


@pytest.mark.parametrize(("direction", "name", "value"), CASES)
def test_is_found_however_it_is_written(direction: Direction, name: str, value: str) -> None:
    written = ENCODINGS[name](value)
    left = redacted(f"see {written} there", direction)
    assert "#" in left
    assert written not in left
    own = written[:20] if name == "base64 in lines" else written  # what follows is not the value's
    assert not any(own[at : at + 12] in left for at in range(len(own) - 12))


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "é ü ñ",
        "漢字かな",
        "👩‍👩‍👧 and 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "%20 &amp; =3D \\u0041",
        "deadbeef" * 8,
        "QUJD" * 12,
        "\u202eabc\u202c",
    ],
    ids=["ascii", "accents", "cjk", "emoji", "escapes", "hex", "base64", "bidi"],
)
def test_what_holds_nothing_goes_on_as_it_is(text: str) -> None:
    assert redacted(text) == text
    assert redacted(text, Direction.ANSWER) == text


def test_only_so_many_encodings_are_undone() -> None:
    text = CARD
    for _ in range(DEEPEST):
        text = text.encode().hex()
    assert redacted(text) == "#"
    assert redacted(text.encode().hex()) == text.encode().hex()


def test_what_stands_before_a_run_is_context_of_what_it_holds() -> None:
    hidden = b"number 12345, yes".hex()
    assert redacted(f"my badge {hidden}") != f"my badge {hidden}"
    assert redacted(f"my house {hidden}") == f"my house {hidden}"


def test_a_rule_with_context_looks_at_what_is_folded() -> None:
    assert redacted("my Ｂａｄｇｅ: 12345.") == "my Ｂａｄｇｅ: #."


def test_the_value_is_what_stood_there() -> None:
    values: list[str] = []

    def keep(finding: object, value: str, terms: object) -> str:
        values.append(value)
        return "#"

    ENGINE.look([Text("to ａda@example.com now", Role.USER, "m")], Direction.PROMPT, replace=keep)
    assert values == ["ａda@example.com"]


def test_of_what_is_encoded_a_mask_shows_nothing() -> None:
    encoded = "%34" + "%31" * 15
    verdict = ENGINE.look([Text(encoded, Role.USER, "m")], Direction.PROMPT, replace=replacer(ENGINE.guarding))
    assert set(verdict.changed["m"]) == {"*"}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ＡＢＣ１２３", "ABC123"),
        ("a\u00a0b\u2009c\u3000d", "a b c d"),
        ("4\u200b1\u2060\ufeff1\u00ad1", "4111"),
        ("\U000e0041\U000e0042x\ufe0f", "x"),
        ("Ünïcödé", "Unicode"),
        ("e\u0301", "e"),
        ("раураl", "paypal"),
        ("ΑΒΕ", "ABE"),
        ("①⑩ﬁ㎏", "110fikg"),
        ("١٢٣ ۴۵۶ ४१११ ๔๑๑๑", "123 456 4111 4111"),
        ("❹❶⓿ ➍➀ ⑷⑴⑽ ⒋⒈ ㊿ ⁴₁¹", "410 41 4110 41 50 411"),
        ("½ ௱", "1/2 ௱"),
        ("4\ue0001\uf8ff1\U000f00001\U0010fffd", "4111"),
        ("4111\u28001111", "4111 1111"),
        ("한국어", "한국어"),
        ("12–34—56−78", "12-34-56-78"),
        ("line\u2028line\r\n", "line\nline\r\n"),
        ("\x00a\x07b\x7fc", "abc"),
        ("𝟒𝟏𝟏𝟏 𝒶𝒹𝒶", "4111 ada"),
    ],
    ids=ascii,
)
def test_folds(text: str, plain: str) -> None:
    assert fold(text) == plain


@pytest.mark.parametrize("text", ["ab", "a\u200bb", "ﬁx", "\u200b\u200b", "é\u0301漢", "①⑩"], ids=ascii)
def test_the_way_back_leads_to_each_character(text: str) -> None:
    view = folded(text)
    assert view.text == fold(text)
    for index, character in enumerate(view.text):
        assert character in fold(text[view.start(index) : view.end(index)])
    starts = [view.start(index) for index in range(len(view.text))]
    assert starts == sorted(starts)
