"""End users are pseudonyms: the same within a tenant, unlike anywhere else, and saying nothing by themselves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.pseudonyms import LENGTH, is_pseudonym, pseudonym

ACME, UMBRELLA = b"a" * 16, b"u" * 16


def test_it_works() -> None:
    assert pseudonym("alice@acme.example", salt=ACME) == pseudonym("alice@acme.example", salt=ACME)
    assert pseudonym("alice@acme.example", salt=ACME) != pseudonym("bob@acme.example", salt=ACME)


def test_nobody_is_the_same_in_two_tenants() -> None:
    assert pseudonym("alice", salt=ACME) != pseudonym("alice", salt=UMBRELLA)


@given(st.text(st.characters(codec=None)))
def test_whatever_applications_call_people_it_has_the_form_of_a_pseudonym(identifier: str) -> None:
    name = pseudonym(identifier, salt=ACME)
    assert is_pseudonym(name)
    assert len(name) == LENGTH
    assert name.isascii()


@pytest.mark.parametrize(
    "text",
    ["", "eu_", "alice", "a" * 27, "eu_" + "A" * 24, "eu_" + "a" * 23, "eu_" + "a" * 25, "eu_" + "1" * 24],
    ids=["empty", "prefix", "a name", "no prefix", "capitals", "short", "long", "no base32"],
)
def test_what_is_no_pseudonym_is_not_taken_for_one(text: str) -> None:
    assert not is_pseudonym(text)
