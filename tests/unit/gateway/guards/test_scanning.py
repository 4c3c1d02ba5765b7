"""What is relied on of the one pass: which match of an expression is told, and in which order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.guards.decoding import BASE32_SCAN, BASE64_SCAN, HEX_SCAN
from gateway.guards.folding import ascii_by, fold, folded
from gateway.guards.personal_data.words import LETTER_AND_FIGURES, SIX_FIGURES, TWELVE_FIGURES
from gateway.guards.scanning import scanner_of

SCANS = (SIX_FIGURES, TWELVE_FIGURES, LETTER_AND_FIGURES, BASE64_SCAN, BASE32_SCAN, HEX_SCAN)
TEXTS = st.lists(st.sampled_from(["12", "3 4", "A", "bcd", "MZXW6YTB", "-", "\n", " ", "=", "4111"]), max_size=60)


@given(TEXTS.map("".join))
@settings(deadline=None)
def test_the_match_that_ends_first_is_told_and_ends_rise(text: str) -> None:
    data = text.encode()
    firsts = scanner_of(SCANS).occurring(data)
    for number, scan in enumerate(SCANS):
        ends = scanner_of((scan,), once=False).ends(data, 10**6)
        assert ends == sorted(ends)
        assert firsts.get(number) == (ends[0] if ends else None)
        assert scanner_of((scan,), once=False).ends(data, 3) == ends[:3]


@given(st.text(st.sampled_from("aé’№\x00\u200b漢ﬁ "), max_size=40))
def test_folding_quickly_is_folding(text: str) -> None:
    assert folded(text).text == fold(text)


def test_long_runs_are_not_kept() -> None:
    """They may be somebody's words."""
    asked: list[str] = []

    def instead(run: str) -> str:
        asked.append(run)
        return "e"

    handler = ascii_by("portcullis.test", instead)
    for _ in range(3):
        assert "café тайна".encode("ascii", handler) == b"cafe e"
    assert asked == ["é", "тайна", "тайна", "тайна"]
