"""What rules for personal data promise each other: bounded widths, right checksums, words of every script."""

import re
from importlib import import_module

import pytest

from gateway.guards.base import CORE_MOST, Action, Around, Direction, Guarding, Role, Rule, Terms
from gateway.guards.folding import fold
from gateway.guards.personal_data import rules
from gateway.guards.personal_data.banks import valid
from gateway.guards.personal_data.cards import luhn
from gateway.guards.personal_data.coins import base58check, bech32
from gateway.guards.personal_data.kinds import KINDS
from gateway.guards.personal_data.words import beside

TERMS = Terms(guard="personal_data", action=Action.LOG)
RULES = list(rules(Guarding(policy_id=1, terms=(TERMS,)), TERMS))


def around(before: str) -> Around:
    return Around(fold(before).lower(), Role.USER, Direction.PROMPT)


@pytest.mark.parametrize("rule", RULES, ids=[f"{rule.name}-{place}" for place, rule in enumerate(RULES)])
def test_a_core_is_at_most_as_long_as_a_stream_may_hold_back(rule: Rule) -> None:
    assert import_module("re._parser").parse(rule.pattern).getwidth()[1] <= CORE_MOST


def test_what_is_scanned_for_is_shared() -> None:
    assert len({rule.scan for rule in RULES}) < len(RULES) / 2


@pytest.mark.parametrize("kind", KINDS, ids=[f"{kind.module}-{place}" for place, kind in enumerate(KINDS)])
def test_a_kind_is_one_that_stdnum_knows(kind: object) -> None:
    from importlib import import_module

    from gateway.guards.personal_data.kinds import Kind

    assert isinstance(kind, Kind)
    assert re.compile(kind.form)
    assert import_module(f"stdnum.{kind.module}").is_valid("") is False


@pytest.mark.parametrize("digits", [b"79927398713", b"0", b"4111111111111111"])
def test_luhn(digits: bytes) -> None:
    assert luhn(digits)
    assert not luhn(digits[:-1] + bytes([48 + (digits[-1] - 47) % 10]))


def test_iban_check_digits() -> None:
    assert valid("GB82WEST12345698765432")
    assert not valid("GB82WEST12345698765423")


def test_checksums_of_coins() -> None:
    assert base58check("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")
    assert not base58check("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVNw")
    assert bech32("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4")
    assert not bech32("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5")


@pytest.mark.parametrize("before", ["my card ", "Karte: ", "моя карта ", "カード", "CARD-"])
def test_words_stand_beside_in_every_script(before: str) -> None:
    assert beside(("card | karte", "карт\\w*", "カード"))(around(before))


@pytest.mark.parametrize("before", ["discard ", "cardigan ", "", "the card is lost and the number that I have is "])
def test_parts_of_words_and_what_is_far_away_do_not(before: str) -> None:
    assert not beside(("card",), within=20)(around(before))
