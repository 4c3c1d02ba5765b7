"""Signatures: what they cover, and that they verify without this installation."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from compliance import signing
from compliance.keyring import signers

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
PUBLIC = [PRIVATE.public_key().public_bytes_raw()]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)
documents = st.dictionaries(st.text(max_size=8), values, max_size=5)


@pytest.fixture(autouse=True)
def one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signers, "current", lambda: PRIVATE)


@given(documents)
def test_it_works(document: dict[str, Any]) -> None:
    signed = signing.sign(document, kind="receipt")
    assert signing.verify(signed, public=PUBLIC)
    assert signed["payload"] == document
    assert signing.verify(json.loads(json.dumps(signed)), public=PUBLIC)


@pytest.mark.parametrize(
    "change",
    [
        {"payload": {"subject": "eu_bob"}},
        {"payload": {"subject": "eu_alice", "more": 1}},
        {"kind": "certificate"},
        {"signed_at": "2020-01-01T00:00:00+00:00"},
        {"key": "00" * 32},
        {"key": "no hex"},
        {"key": None},
        {"signature": ""},
        {"signature": "AAAA"},
        {"signature": "ä"},
        {"signature": None},
        {"added": True},
        {"payload": 1.5},
    ],
    ids=str,
)
def test_any_change_is_noticed(change: dict[str, Any]) -> None:
    signed = signing.sign({"subject": "eu_alice"}, kind="receipt")
    assert not signing.verify({**signed, **change}, public=[*PUBLIC, bytes(32)])


@pytest.mark.parametrize("missing", ["payload", "kind", "signed_at", "key", "signature"])
def test_what_lacks_a_part_does_not_verify(missing: str) -> None:
    signed = signing.sign({"subject": "eu_alice"}, kind="receipt")
    del signed[missing]
    assert not signing.verify(signed, public=PUBLIC)


def test_another_installations_key_does_not_count() -> None:
    signed = signing.sign({}, kind="receipt")
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    assert not signing.verify(signed, public=[other])
    assert not signing.verify(signed, public=[])


@pytest.mark.parametrize("value", [1.5, b"bytes", {1, 2}, Ellipsis, {1: "a"}, [0.0]], ids=str)
def test_what_is_not_written_alike_everywhere_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        signing.sign({"value": value}, kind="receipt")


def test_the_order_of_names_does_not_matter() -> None:
    assert signing.canonical({"b": 1, "a": {"d": 2, "c": 3}}) == signing.canonical({"a": {"c": 3, "d": 2}, "b": 1})


def test_the_example_of_rfc_8785() -> None:
    """3.2.3, sorting of property names."""
    names = {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\x80": 6, "\xf6": 7}
    assert list(json.loads(signing.canonical(names)).values()) == [2, 4, 6, 7, 1, 5, 3]


@given(documents)
def test_canonical_json_reads_back(document: dict[str, Any]) -> None:
    assert json.loads(signing.canonical(document)) == document
