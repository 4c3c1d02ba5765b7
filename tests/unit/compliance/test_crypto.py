"""Sealing of small secrets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance import crypto
from compliance.errors import DecryptionFailed

OLD = {1: b"o" * 32}
BOTH = {1: b"o" * 32, 2: b"n" * 32}


@given(st.binary(max_size=300), st.text(max_size=30))
def test_it_works(plaintext: bytes, context: str) -> None:
    sealed = crypto.seal(plaintext, keys=BOTH, context=context)
    assert crypto.unseal(sealed, keys=BOTH, context=context) == plaintext


def test_the_same_text_never_seals_alike() -> None:
    assert crypto.seal(b"secret", keys=OLD, context="a") != crypto.seal(b"secret", keys=OLD, context="a")


def test_new_seals_use_the_newest_key_and_old_ones_open_still() -> None:
    before = crypto.seal(b"secret", keys=OLD, context="a")
    assert crypto.key_version(before) == 1
    assert crypto.unseal(before, keys=BOTH, context="a") == b"secret"
    assert crypto.key_version(crypto.seal(b"secret", keys=BOTH, context="a")) == 2


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_any_flipped_bit_is_noticed(position: int, bit: int) -> None:
    sealed = bytearray(crypto.seal(b"secret", keys=BOTH, context="a"))
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises(DecryptionFailed):
        crypto.unseal(bytes(sealed), keys=BOTH, context="a")


def test_a_sealed_value_opens_in_its_own_place_only() -> None:
    sealed = crypto.seal(b"secret", keys=OLD, context="provider-credential/1")
    with pytest.raises(DecryptionFailed):
        crypto.unseal(sealed, keys=OLD, context="provider-credential/2")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01\x00\x01", b"\x01\x00\x01" + b"x" * 12])
def test_what_is_too_short_is_refused(sealed: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        crypto.unseal(sealed, keys=OLD, context="a")
