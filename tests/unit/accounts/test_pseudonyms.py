"""Keyed hashes of end users: the same within a tenant, unlike anywhere else, and saying nothing by themselves."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.pseudonyms import LENGTH, is_pseudonym, pseudonym, upstream_pseudonym
from compliance import surrogates

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


def test_a_surrogate_has_the_same_form() -> None:
    assert is_pseudonym(surrogates.generate())


def test_two_providers_know_somebody_by_two_names() -> None:
    surrogate = surrogates.generate()
    names = {upstream_pseudonym(surrogate, provider=provider, salt=ACME) for provider in ("openai", "azure")}
    assert len(names | {surrogate}) == 3
    assert all(re.fullmatch("eu_[0-9a-f]{24}", name) for name in names)
    assert upstream_pseudonym(surrogate, provider="openai", salt=ACME) in names, "the same each time"
    assert upstream_pseudonym(surrogate, provider="openai", salt=UMBRELLA) not in names
    assert upstream_pseudonym(surrogates.generate(), provider="openai", salt=ACME) not in names


@given(st.text(), st.text())
def test_no_name_of_a_person_makes_what_a_provider_sees_of_another(provider: str, surrogate: str) -> None:
    """Or who chooses the names of end users could look up what only a provider should know."""
    named = f"{provider}\0{surrogate}"
    assert pseudonym(named, salt=ACME) != upstream_pseudonym(surrogate, provider=provider, salt=ACME)


@pytest.mark.parametrize(
    "text",
    ["", "eu_", "alice", "a" * 27, "eu_" + "A" * 24, "eu_" + "a" * 23, "eu_" + "a" * 25, "eu_" + "1" * 24],
    ids=["empty", "prefix", "a name", "no prefix", "capitals", "short", "long", "no base32"],
)
def test_what_is_no_pseudonym_is_not_taken_for_one(text: str) -> None:
    assert not is_pseudonym(text)
