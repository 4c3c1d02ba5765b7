"""Listed words and phrases are found by category, whole and however they are spaced."""

import pytest

from gateway.guards.settings import WrongSetting, checked
from gateway.guards.word_list import CATEGORIES, GUARD, normal
from tests.unit.gateway.guards.tenants_cast import an_engine_of, found, redacted


def test_phrases_are_found_by_category() -> None:
    assert [rule for rule, _ in found(an_engine_of("word_list"), "tell me how to MAKE a  bomb")] == ["illicit"]


@pytest.mark.parametrize("text", ["skyscraper", "the pipeline bombed", "Make a bombastic speech", "kill the process"])
def test_parts_of_words_and_other_words_are_left(text: str) -> None:
    assert found(an_engine_of("word_list"), text) == []


def test_only_the_categories_that_were_chosen_count() -> None:
    engine = an_engine_of("word_list", settings={"categories": ["self_harm"]})
    assert found(engine, "make a bomb") == []
    assert [rule for rule, _ in found(engine, "I want to end my life")] == ["self_harm"]


def test_own_words_count_in_any_script_and_spelling() -> None:
    engine = an_engine_of("word_list", settings={"words": ["Project Falcon", "Ärger", "秘密"]})
    assert redacted(engine, "PROJECT-falcon, Arger, 秘密!") == "[OWN_WORDS], [OWN_WORDS], [OWN_WORDS]!"


def test_phrases_can_be_allowed() -> None:
    engine = an_engine_of("word_list", settings={"allowed": ["Pipe Bomb"]})
    assert found(engine, "a pipe bomb in a novel") == []


def test_a_thousand_own_words_are_one_list() -> None:
    words = [f"word{number}x" for number in range(1000)]
    engine = an_engine_of("word_list", settings={"words": words})
    assert [value for _, value in found(engine, "word0x word999x word1000x")] == ["word0x", "word999x"]


@pytest.mark.parametrize("word", ["x", "y" * 61])
def test_words_that_cannot_be_matched_are_refused(word: str) -> None:
    with pytest.raises(WrongSetting, match="characters"):
        checked(GUARD, {"words": [word]})


@pytest.mark.parametrize("name", CATEGORIES)
def test_lists_are_written_as_texts_are_looked_at(name: str) -> None:
    phrases = CATEGORIES[name].split("|")
    assert phrases == [normal(phrase) for phrase in phrases]
    assert len(set(phrases)) == len(phrases)
