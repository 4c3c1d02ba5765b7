"""Placeholders: one for each value of a conversation, and none that anybody can make up."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gateway.guards import placeholders
from gateway.guards.base import Action, Finding, Replacement, Terms
from gateway.guards.placeholders import ALPHABET, Given, Placeholders, conversation_key, conversation_of, replacer
from gateway.guards.restoring import mentioned, restored
from gateway.guards.tracks import VALUE_MOST

EMAIL = "ada@example.com"
TENANT = b"t" * 32


def of_conversation(conversation: bytes = b"begun", **other: Any) -> Placeholders:
    who: dict[str, Any] = {"key": TENANT, "application_id": 1, "end_user": "eu_ada"} | other
    return Placeholders(conversation_key(conversation=conversation, **who))


def test_it_works() -> None:
    known = of_conversation()
    text = f"Write to {known.give('EMAIL', EMAIL)}."
    assert EMAIL not in text
    assert restored(text, known) == f"Write to {EMAIL}."


def test_a_value_has_one_placeholder_in_all_requests_of_a_conversation() -> None:
    assert of_conversation().give("EMAIL", EMAIL) == of_conversation().give("EMAIL", EMAIL)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"conversation": b"another"}, id="conversation"),
        pytest.param({"end_user": "eu_eve"}, id="person"),
        pytest.param({"application_id": 2}, id="application"),
        pytest.param({"key": b"u" * 32}, id="tenant"),
        pytest.param({"key": b""}, id="no key"),
    ],
)
def test_one_of_elsewhere_is_nobody_s(other: dict[str, Any]) -> None:
    known, elsewhere = of_conversation(), of_conversation(**other)
    known.give("EMAIL", EMAIL)
    foreign = elsewhere.give("EMAIL", EMAIL)
    assert foreign != known.give("EMAIL", EMAIL)
    assert restored(foreign, known) == foreign
    assert mentioned(foreign, known) == set()


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    assert conversation_key(TENANT, application_id=1, end_user="1", conversation=b"") != conversation_key(
        TENANT, application_id=11, end_user="", conversation=b""
    )


_VALUES = st.text(st.characters(categories=["L", "N", "M", "Zs", "So"]), max_size=40)
"""Without signs, of which some begin addresses: those in them are left alone, see `test_restoring`."""


@given(st.lists(st.tuples(st.sampled_from(["EMAIL", "phone_number", "Project words"]), _VALUES), max_size=30))
def test_each_value_comes_back_as_it_was(values: list[tuple[str, str]]) -> None:
    known = of_conversation()
    text = "|".join(known.give(rule, value) for rule, value in values)
    assert restored(text, known) == "|".join(value for _, value in values)
    assert len({given.code for given in known.fresh}) == len(set(values))


@given(st.text(ALPHABET, min_size=12, max_size=12))
def test_one_that_is_made_up_stays_as_it_is(code: str) -> None:
    known = of_conversation()
    known.give("EMAIL", EMAIL)
    for forged in (f"⟦EMAIL·{code}⟧", f"⟦EMAIL·{known.tag}{code[4:]}⟧"):
        assert restored(forged, known) == forged


@given(st.integers(0, 11), st.sampled_from(ALPHABET))
def test_one_with_another_letter_in_it_stays_as_it_is(position: int, letter: str) -> None:
    known = of_conversation()
    code = known.give("EMAIL", EMAIL)[7:-1]
    changed = code[:position] + letter + code[position + 1 :]
    text = f"⟦EMAIL·{changed}⟧"
    assert restored(text, known) == (EMAIL if changed == code else text)


@pytest.mark.parametrize("kind", ["PHONE", "MAIL", "EMAILS", "", "ΕMAIL"])
def test_one_of_another_kind_stays_as_it_is(kind: str) -> None:
    known = of_conversation()
    text = known.give("EMAIL", EMAIL).replace("EMAIL", kind)
    assert restored(text, known) == text


def test_what_was_masked_in_an_answer_is_not_restored() -> None:
    known = of_conversation()
    text = known.mask("EMAIL", EMAIL)
    assert restored(text, known) == text
    assert known.fresh == []
    assert known.give("EMAIL", EMAIL) == text


def test_what_an_earlier_request_gave_is_recalled() -> None:
    before, now = of_conversation(), of_conversation()
    text = before.give("EMAIL", EMAIL)
    assert mentioned(f"You said {text}", now) == {before.fresh[0].code}
    assert now.recall(before.fresh[0])
    assert restored(text, now) == EMAIL
    assert mentioned(text, now) == set()
    assert now.fresh == []


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"value": "eve@example.com"}, id="another value"),
        pytest.param({"rule": "PHONE"}, id="another kind"),
        pytest.param({"code": "a" * 12}, id="another code"),
    ],
)
def test_what_was_changed_where_it_was_kept_is_not_recalled(change: dict[str, str]) -> None:
    before, now = of_conversation(), of_conversation()
    text = before.give("EMAIL", EMAIL)
    kept = before.fresh[0]
    assert not now.recall(Given(**{"code": kept.code, "rule": kept.rule, "value": kept.value} | change))
    assert restored(text, now) == text


def test_what_another_conversation_gave_is_not_recalled() -> None:
    elsewhere, now = of_conversation(b"another"), of_conversation()
    elsewhere.give("EMAIL", EMAIL)
    assert not now.recall(elsewhere.fresh[0])


def test_two_values_with_one_code_get_two(monkeypatch: pytest.MonkeyPatch) -> None:
    derived = Placeholders._derived
    monkeypatch.setattr(
        Placeholders, "_derived", lambda self, rule, value, number: derived(self, rule, value if number else "", number)
    )
    known = of_conversation()
    text = f"{known.give('EMAIL', EMAIL)} {known.give('EMAIL', 'eve@example.com')}"
    assert restored(text, known) == f"{EMAIL} eve@example.com"


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        pytest.param("EMAIL", "EMAIL", id="as it is"),
        pytest.param("aws_access_key", "AWS_ACCESS_KEY", id="lower case"),
        pytest.param("Project words", "PROJECT_WORDS", id="a space"),
        pytest.param("größe⟧·x", "GR_SSE__X", id="brackets"),
        pytest.param("日本", "VALUE", id="no letter of the alphabet"),
        pytest.param("X" * 60, "X" * 24, id="long"),
    ],
)
def test_a_placeholder_names_the_kind(rule: str, kind: str) -> None:
    known = of_conversation()
    text = known.give(rule, EMAIL)
    assert text.startswith(f"⟦{kind}·")
    assert len(text) <= 39
    assert restored(text, known) == EMAIL


@given(st.text(max_size=30))
def test_a_value_out_of_json_is_the_same_as_one_out_of_text(value: str) -> None:
    known = of_conversation()
    assert known.give("NAME", json.dumps(value)[1:-1], in_json=True) == known.give("NAME", value)


def test_a_value_that_was_cut_in_an_escape_is_kept_as_it_stood() -> None:
    known = of_conversation()
    assert restored(known.give("NAME", "Ada\\", in_json=True), known) == "Ada\\"


def test_neither_values_nor_keys_show_in_logs() -> None:
    known = of_conversation()
    known.give("EMAIL", EMAIL)
    assert EMAIL not in repr(known) + repr(known.fresh)


def test_no_code_looks_like_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placeholders, "_spelled", lambda digest: "7" * len(digest))
    assert of_conversation().give("EMAIL", EMAIL)[7].isalpha()


# --- what stands for a finding ----------------------------------------------------------------------------------------

TERMS = Terms(guard="personal_data", action=Action.REDACT, replacement=Replacement.PLACEHOLDER)
FOUND = Finding(guard="personal_data", rule="EMAIL", place="messages[0].content")


def plainly(finding: Finding, value: str, terms: Terms) -> str:
    return "plain"


def test_a_finding_in_a_prompt_is_given_and_one_in_an_answer_masked() -> None:
    known, answering = of_conversation(), False
    instead = replacer(plainly, known, is_answer=lambda: answering)
    mine = instead(FOUND, EMAIL, TERMS)
    answering = True
    other = instead(FOUND, "eve@example.com", TERMS)
    assert instead(FOUND, EMAIL, TERMS) == mine
    assert restored(f"{mine} {other}", known) == f"{EMAIL} {other}"


def test_a_finding_in_arguments_is_read_as_json() -> None:
    known = of_conversation()
    instead = replacer(plainly, known)
    place = "messages[1].tool_calls[0].function.arguments"
    assert instead(structs.replace(FOUND, place=place), 'a\\"b', TERMS) == instead(FOUND, 'a"b', TERMS)


@pytest.mark.parametrize(
    ("terms", "value"),
    [
        pytest.param(structs.replace(TERMS, replacement=Replacement.LABEL), EMAIL, id="policy says another"),
        pytest.param(TERMS, "x" * VALUE_MOST, id="a value that may have come cut"),
    ],
)
def test_what_cannot_be_restored_gets_no_placeholder(terms: Terms, value: str) -> None:
    known = of_conversation()
    assert replacer(plainly, known)(FOUND, value, terms) == "plain"
    assert not known


# --- which conversation it is -----------------------------------------------------------------------------------------

HELLO = {"role": "user", "content": "Hello, I am Ada."}


def request(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"messages": list(messages), **fields}


def test_a_conversation_begins_with_what_its_user_said_first() -> None:
    again = {"role": "user", "content": "And now?"}
    first = request({"role": "system", "content": "It is Monday."}, HELLO)
    later = request(
        {"role": "system", "content": "It is Tuesday."}, HELLO, {"role": "assistant", "content": "Hi"}, again
    )
    assert conversation_of(first) == conversation_of(later) != conversation_of(request(again))


def test_an_application_may_name_the_conversation() -> None:
    named = {"metadata": {"conversation_id": "42"}}
    assert conversation_of(request(HELLO, **named)) == conversation_of(
        request({"role": "user", "content": "x"}, **named)
    )
    assert conversation_of(request(HELLO, **named)) != conversation_of(request(HELLO))


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(request({"role": "system", "content": "Rules"}), id="no user"),
        pytest.param(request({"role": "user"}), id="no content"),
        pytest.param(request({"role": "user", "content": [{"type": "text", "text": "x"}]}), id="parts"),
        pytest.param(request(HELLO, metadata={"conversation_id": ""}), id="an empty name"),
        pytest.param(request(HELLO, metadata={"conversation_id": 7}), id="no text as a name"),
        pytest.param(request(HELLO, metadata=None), id="no metadata"),
    ],
)
def test_any_request_belongs_to_a_conversation(odd: dict[str, Any]) -> None:
    assert (
        conversation_of(odd) == conversation_of(odd) != conversation_of(request({"role": "user", "content": "other"}))
    )
