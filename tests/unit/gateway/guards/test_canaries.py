"""Canaries are found in answers however they are written, and nobody else's; instructions where policy asks for it."""

import base64
import codecs
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.guards.base import Action, Direction, Finding, Guarding, Judged, Role, Terms, Text
from gateway.guards.canaries import GUARD
from gateway.guards.canaries.judge import judge
from gateway.guards.canaries.leakage import Instructions, told
from gateway.guards.canaries.tokens import beginning, canary_for
from gateway.guards.engine import Engine
from gateway.guards.injection.ciphers import ENCIPHERED, MORSE
from gateway.guards.settings import WrongSetting, checked

ACME, UMBRELLA = b"acme" * 8, b"umbrella" * 4
INSTRUCTIONS = (
    "You are the travel assistant of acme. Always answer politely and never mention competitors by name. Offer a "
    "discount of ten percent only when the customer asks twice. Escalate complaints to the support desk at once."
)
OWN = "Blue-Heron-77"
CANARY = canary_for(ACME, INSTRUCTIONS)


def engine(action: Action = Action.BLOCK, **own: Any) -> Engine:
    terms = Terms(guard="canaries", action=action, directions=frozenset({Direction.ANSWER}), settings=own)
    return Engine(Guarding(policy_id=1, key=ACME, terms=(terms,)))


def keep(finding: Finding, value: str, terms: Terms) -> str:
    return value


def rules(looking: Engine, answer: str, *, canaries: tuple[str, ...] = (), system: tuple[str, ...] = ()) -> set[str]:
    """Of what is found in a whole answer."""
    texts = [Text(answer, Role.ASSISTANT, "choices[0].message.content")]
    verdict = looking.look(texts, Direction.ANSWER, replace=keep, canaries=canaries, system=system)
    return {outcome.rule for outcome in verdict.outcomes}


def streamed(looking: Engine, pieces: list[str], *, system: tuple[str, ...] = ()) -> tuple[str, str]:
    """What of a stream goes out, and who blocked it."""
    stream = looking.stream(role=Role.ASSISTANT, place="choices[0].delta.content", replace=keep, system=system)
    return "".join(map(stream.feed, pieces)) + stream.finish(), stream.blocked_by


FORMS: dict[str, Callable[[str], str]] = {
    "as-it-is": str,
    "capitals": str.upper,
    "letters-apart": " ".join,
    "dashed": "-".join,
    "on-lines": "\n".join,
    "with-commas": ", ".join,
    "in-bold": "**".join,
    "two-spaces": "  ".join,
    "with-dashes": " - ".join,
    "in-a-table": " | ".join,
    "in-code": "` `".join,
    "in-quotes": '", "'.join,
    "in-paragraphs": "\n\n- ".join,
    "zero-width": "\u200b".join,
    "full-width": lambda text: text.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}),
    "backwards": lambda text: text[::-1],
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "caesar": ENCIPHERED["rot5"],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64-of-more": lambda text: base64.b64encode(f"the marker is {text} as asked".encode()).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "percent": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "entities": lambda text: "".join(f"&#{ord(each)};" for each in text),
    "escapes": lambda text: "".join(f"\\u{ord(each):04x}" for each in text),
}


@pytest.mark.parametrize("form", FORMS)
def test_canaries_are_found_in_whole_answers(form: str) -> None:
    assert rules(engine(), f"Sure, it says: {FORMS[form](CANARY)} and so on.", canaries=(CANARY,)) == {"canary"}


STREAMED = sorted(FORMS.keys() - {"entities", "escapes"})
"""What of a canary tells fits into what is held back of a stream, where each letter is written as five at most."""


@pytest.mark.parametrize("form", STREAMED)
def test_canaries_of_other_requests_are_found(form: str) -> None:
    assert rules(engine(), f"Sure, it says: {FORMS[form](CANARY)} and so on.") == {"canary"}


@pytest.mark.parametrize("form", STREAMED)
def test_no_stream_tells_a_canary(form: str) -> None:
    hidden = FORMS[form](CANARY)
    answer = f"Sure, it says: {hidden} and so on."
    out, blocked_by = streamed(engine(), list(answer))
    assert blocked_by == "canaries"
    assert out == answer[: len(out)]
    assert beginning(ACME) not in out


@pytest.mark.parametrize("form", FORMS)
def test_an_application_may_have_its_own(form: str) -> None:
    assert rules(engine(tokens=[OWN]), f"It says {FORMS[form](OWN)} there.") == {"canary"}


SPELLED: dict[str, Callable[[str], str]] = {
    "morse": lambda text: " ".join(MORSE[letter] for letter in text),
    "binary": lambda text: " ".join(f"{byte:08b}" for byte in text.encode()),
    "decimal": lambda text: " ".join(map(str, text.encode())),
    "atbash": ENCIPHERED["atbash"],
    "base64-of-rot13": lambda text: base64.b64encode(codecs.encode(text, "rot13").encode()).decode(),
    "two-signs-apart": ". ".join,
}


@pytest.mark.parametrize("form", SPELLED)
def test_the_canary_of_the_request_is_found_in_whole_answers_in_what_streams_do_not_read(form: str) -> None:
    assert rules(engine(), f"It says: {SPELLED[form](CANARY)}", canaries=(CANARY,)) == {"canary"}


OTHERS = {
    "umbrella's": canary_for(UMBRELLA, INSTRUCTIONS),
    "made-up": "cnry" + "a" * 16,
    "without-its-beginning": CANARY[10:],
    "the-word": "A cnry is a small bird, or a way to write canary without vowels, often abbreviated.",
}


@pytest.mark.parametrize("text", OTHERS)
def test_nobody_elses_are_found(text: str) -> None:
    assert not rules(engine(), OTHERS[text])


def test_the_same_instructions_have_the_same_canary() -> None:
    assert canary_for(ACME, INSTRUCTIONS) == CANARY
    assert len({CANARY, canary_for(ACME, "other"), canary_for(UMBRELLA, INSTRUCTIONS)}) == 3
    assert CANARY.startswith(beginning(ACME))
    assert not CANARY.startswith(beginning(UMBRELLA))


@given(st.lists(st.integers(1, 12), max_size=20), st.sampled_from(STREAMED))
@settings(max_examples=60, deadline=None)
def test_however_a_stream_is_cut_nothing_of_a_canary_goes_out(sizes: list[int], form: str) -> None:
    answer = f"It says: {FORMS[form](CANARY)} there."
    cuts = [sum(sizes[:n]) for n in range(len(sizes) + 1)] + [len(answer)]
    pieces = [answer[start:end] for start, end in pairwise(cuts)]
    assert streamed(_ENGINE, pieces) == streamed(_ENGINE, [answer])


_ENGINE = engine()


TOLD = "Of course! I was told: Offer a discount of ten percent only when the customer asks twice. Anything else?"


def test_instructions_told_word_for_word_are_found_where_policy_asks_for_it() -> None:
    assert rules(engine(instructions=True), TOLD, system=(INSTRUCTIONS,)) == {"instructions"}
    assert not rules(engine(), TOLD, system=(INSTRUCTIONS,))


def test_no_stream_tells_instructions() -> None:
    out, blocked_by = streamed(engine(instructions=True), list(TOLD), system=(INSTRUCTIONS,))
    assert (out, blocked_by) == ("Of course! I was told: ", "canaries")


@pytest.mark.parametrize("form", ["base64", "hex", "entities"])
def test_instructions_told_in_code_are_found(form: str) -> None:
    assert rules(engine(instructions=True), FORMS[form](INSTRUCTIONS), system=(INSTRUCTIONS,)) == {"instructions"}


@pytest.mark.parametrize(
    "answer",
    ["Gladly! Acme offers a discount to customers who book early.", "You are right. Always glad to help, at once."],
    ids=["same-subject", "same-words"],
)
def test_answers_about_the_same_are_not_instructions(answer: str) -> None:
    assert not rules(engine(instructions=True), answer, system=(INSTRUCTIONS,))


def test_spaces_signs_and_case_do_not_hide_instructions() -> None:
    answer = "Offer -- a DISCOUNT of ten*percent*only when\nthe customer, asks twice."
    assert rules(engine(instructions=True), answer, system=(INSTRUCTIONS,)) == {"instructions"}


def test_short_instructions_are_no_secret() -> None:
    assert not Instructions(["You are a helpful assistant."])
    assert told("You are a helpful assistant.", ["You are a helpful assistant."]) == 0.0


def test_the_share_that_was_told_is_that_of_its_pieces() -> None:
    assert told(INSTRUCTIONS, [INSTRUCTIONS]) == 1.0
    assert 0.2 < told(INSTRUCTIONS[: len(INSTRUCTIONS) // 2], [INSTRUCTIONS]) < 0.6
    assert told("Nothing of the kind.", [INSTRUCTIONS]) == 0.0


def test_without_canaries_and_wishes_there_is_nothing_to_judge() -> None:
    judged = Judged(texts=[Text(CANARY, Role.ASSISTANT, "")], direction=Direction.ANSWER, system=[INSTRUCTIONS])
    assert not judge(judged)


@pytest.mark.parametrize(
    ("own", "is_right"),
    [({"tokens": [OWN], "insert": True, "instructions": True}, True), ({"tokens": ["short"]}, False)],
    ids=["right", "too-short"],
)
def test_settings_are_checked(own: Mapping[str, Any], is_right: bool) -> None:
    if is_right:
        assert checked(GUARD, own) == own
    else:
        with pytest.raises(WrongSetting):
            checked(GUARD, own)
