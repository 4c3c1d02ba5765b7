"""Words of dictionaries are found whole or as beginnings, however they are written, in any script."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.guards.dictionaries import ENTRY_MOST, Dictionary, WrongEntry, compiled, entries_of, finder, normal
from tests.unit.gateway.guards.tenants_cast import a_dictionary, an_engine_of, found, redacted

ENGINE = an_engine_of(
    "dictionaries",
    dictionaries=[a_dictionary("Project Blue Sky", "Project Blue", "Müller", "acme", "蓝天", "Umbrella Corp.", "x-25")],
)

FOUND = {
    "any case": ("ACME and acme", ["ACME", "acme"]),
    "the longest": ("of project blue sky", ["project blue sky"]),
    "a shorter one": ("of project blue skyline", ["project blue"]),
    "spaces and lines": ("of Project  Blue\n Sky!", ["Project  Blue\n Sky"]),
    "accents": ("Frau Muller, Herr MÜLLER", ["Muller", "MÜLLER"]),
    "no spaces between words": ("我们的蓝天计划", ["蓝天"]),
    "signs around": ("(acme)/acme.acme", ["acme", "acme", "acme"]),
    "a sign at its end": ("Umbrella Corp. did", ["Umbrella Corp."]),
    "a sign within": ("an X-25", ["X-25"]),
    "hidden characters": ("ac\u200bme", ["ac\u200bme"]),
    "parts of words": ("acmes pacme acme2", []),
}


@pytest.mark.parametrize("how", FOUND)
def test_entries_are_found(how: str) -> None:
    text, expected = FOUND[how]
    assert [value for _, value in found(ENGINE, text)] == expected


def test_a_finding_has_the_name_of_its_dictionary() -> None:
    assert redacted(ENGINE, "at acme") == "at [NAMES]"


def test_beginnings_are_found_with_the_rest_of_the_word() -> None:
    engine = an_engine_of("dictionaries", dictionaries=[a_dictionary("falcon", prefixes=True)])
    assert redacted(engine, "The FalconX" + "y" * 200 + " flies, a falcon") == "The [NAMES] flies, a [NAMES]"


def test_which_dictionaries_count_can_be_chosen() -> None:
    lists = [a_dictionary("acme", name="ONE"), a_dictionary("umbrella", name="TWO", dictionary_id=2)]
    engine = an_engine_of("dictionaries", dictionaries=lists, rules=frozenset({"TWO"}))
    assert redacted(engine, "acme umbrella") == "acme [TWO]"


def test_entries_are_kept_once_in_their_normal_form() -> None:
    data, count = compiled(["Acme", " ACME ", "# a remark", "", "Blue  Sky"])
    assert count == 2
    assert sorted(entries_of(data)) == ["acme", "blue sky"]


def test_an_empty_dictionary_finds_nothing() -> None:
    engine = an_engine_of("dictionaries", dictionaries=[a_dictionary()])
    assert found(engine, "anything") == []
    assert list(entries_of(b"")) == []


@pytest.mark.parametrize("entry", ["x", "y" * (ENTRY_MOST + 1), "--x"])
def test_what_could_not_be_matched_is_refused(entry: str) -> None:
    with pytest.raises(WrongEntry):
        compiled(["acme", entry])


_WORDS = st.text("abc .é蓝\u200b", min_size=2, max_size=12).filter(
    lambda word: len(normal(word)) >= 2 and normal(word)[0].isalnum()
)


@given(st.lists(_WORDS, min_size=1, max_size=5), st.text("abc .é蓝", max_size=20), st.text("abc .é蓝", max_size=20))
def test_each_entry_is_found_between_spaces(entries: list[str], before: str, after: str) -> None:
    words = a_dictionary(*entries)
    text = f"{normal(before)} {normal(entries[0])} {normal(after)}"
    at = len(normal(before)) + 1
    span = finder(words).search(text, at, at + 1)
    assert span is not None
    assert span[0] == at
    assert span[1] >= at + len(normal(entries[0]))


def test_a_version_is_loaded_once() -> None:
    words = a_dictionary("acme")
    first, second = finder(words), finder(words)
    assert isinstance(first, Dictionary)
    assert first.trie is second.trie
