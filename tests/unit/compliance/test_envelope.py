"""Sealed records and wrapped keys."""

from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from compliance import envelope
from compliance.envelope import Place, Places, Salt, Sealer
from compliance.errors import DecryptionFailed, WrongKey

KEY = b"k" * 32
KEY_ID = UUID(int=7)
PLACE = Place(1, "eu_alice", "transcript", "5f0c", "store_conversations")

keys = st.binary(min_size=32, max_size=32)
words = st.text(max_size=12)
places = st.builds(Place, st.integers(0, 2**63), words, words, words, words, st.integers(1, 1000))


@given(st.binary(max_size=3000), keys, st.uuids(), places)
def test_it_works(plaintext: bytes, key: bytes, key_id: UUID, place: Place) -> None:
    sealed = envelope.seal_record(plaintext, key=key, key_id=key_id, place=place)
    assert envelope.open_record(sealed, key=key, place=place) == plaintext
    assert envelope.key_id_of(sealed) == key_id
    assert len(sealed) == len(plaintext) + envelope.OVERHEAD


def test_the_same_text_never_seals_alike() -> None:
    first, second = (envelope.seal_record(b"hello", key=KEY, key_id=KEY_ID, place=PLACE) for _ in range(2))
    assert first != second
    assert b"hello" not in first


@given(keys, keys, places)
def test_the_wrong_key_is_told_by_its_commitment(right: bytes, wrong: bytes, place: Place) -> None:
    assume(right != wrong)
    sealed = envelope.seal_record(b"secret", key=right, key_id=KEY_ID, place=place)
    with pytest.raises(WrongKey):
        envelope.open_record(sealed, key=wrong, place=place)


@given(places, places)
def test_a_record_opens_in_its_own_place_only(there: Place, elsewhere: Place) -> None:
    assume(there != elsewhere)
    sealed = envelope.seal_record(b"secret", key=KEY, key_id=KEY_ID, place=there)
    with pytest.raises(DecryptionFailed):
        envelope.open_record(sealed, key=KEY, place=elsewhere)


@pytest.mark.parametrize(
    "moved",
    [
        pytest.param({"tenant_id": 2}, id="to another tenant"),
        pytest.param({"surrogate": "eu_bob"}, id="to another person"),
        pytest.param({"record_type": "external_id"}, id="to another table"),
        pytest.param({"record_id": "5f0d"}, id="to another row"),
        pytest.param({"purpose": "training"}, id="to another purpose"),
        pytest.param({"schema_version": 2}, id="to another version"),
        pytest.param({"surrogate": "eu_alicet", "record_type": "ranscript"}, id="across the border of two parts"),
        pytest.param({"surrogate": "transcript", "record_type": "eu_alice"}, id="to parts in another order"),
    ],
)
def test_a_moved_record_does_not_open(moved: dict[str, object]) -> None:
    sealed = envelope.seal_record(b"secret", key=KEY, key_id=KEY_ID, place=PLACE)
    with pytest.raises(DecryptionFailed):
        envelope.open_record(sealed, key=KEY, place=replace(PLACE, **moved))


@given(places, places)
def test_no_two_places_read_alike(one: Place, other: Place) -> None:
    assert (one.canonical() == other.canonical()) == (one == other)


@given(st.integers(0, 10_000), st.integers(0, 7))
def test_any_flipped_bit_is_noticed(position: int, bit: int) -> None:
    sealed = bytearray(envelope.seal_record(b"some content", key=KEY, key_id=KEY_ID, place=PLACE))
    sealed[position % len(sealed)] ^= 1 << bit
    with pytest.raises(DecryptionFailed):
        envelope.open_record(bytes(sealed), key=KEY, place=PLACE)


@given(st.integers(0, 120))
def test_a_cut_record_is_noticed(kept: int) -> None:
    sealed = envelope.seal_record(b"some content", key=KEY, key_id=KEY_ID, place=PLACE)
    with pytest.raises(DecryptionFailed):
        envelope.open_record(sealed[:kept], key=KEY, place=PLACE)


@pytest.mark.parametrize("part", ["body", "salt", "commitment", "nonce", "key id"])
def test_no_part_of_one_record_fits_another(part: str) -> None:
    one, other = (envelope.seal_record(b"some content", key=KEY, key_id=uuid4(), place=PLACE) for _ in range(2))
    start, end = {"key id": (5, 21), "salt": (21, 53), "commitment": (53, 85), "nonce": (85, 97)}.get(
        part, (97, len(one))
    )
    with pytest.raises(DecryptionFailed):
        envelope.open_record(one[:start] + other[start:end] + one[end:], key=KEY, place=PLACE)


@pytest.mark.parametrize("layout", [b"PcR\x02\x01", b"PcR\x01\x02", b"abc\x01\x01", b""])
def test_a_layout_from_elsewhere_is_refused(layout: bytes) -> None:
    sealed = layout + envelope.seal_record(b"x", key=KEY, key_id=KEY_ID, place=PLACE)[5:]
    with pytest.raises(DecryptionFailed):
        envelope.key_id_of(sealed)


@given(keys, st.binary(min_size=1, max_size=64), st.binary(max_size=200))
def test_keys_are_derived_as_rfc_5869_says(key: bytes, salt: bytes, info: bytes) -> None:
    ours = b"".join(envelope._derive(key, salt=salt, info=info))
    assert ours == HKDF(algorithm=SHA256(), length=64, salt=salt, info=info).derive(key)


@pytest.mark.parametrize(
    ("key", "salt", "info", "expected"),
    [
        pytest.param(
            "0b" * 22,
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            id="A.1",
        ),
        pytest.param(
            "".join(f"{n:02x}" for n in range(0x50)),
            "".join(f"{n:02x}" for n in range(0x60, 0xB0)),
            "".join(f"{n:02x}" for n in range(0xB0, 0x100)),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71",
            id="A.2",
        ),
    ],
)
def test_the_vectors_of_rfc_5869(key: str, salt: str, info: str, expected: str) -> None:
    one, other = envelope._derive(bytes.fromhex(key), salt=bytes.fromhex(salt), info=bytes.fromhex(info))
    wanted = bytes.fromhex(expected)
    assert (one + other)[: len(wanted)] == wanted


@given(st.lists(st.tuples(keys, places, st.binary(max_size=50)), min_size=2, max_size=6))
def test_records_that_share_a_salt_open_like_any_others(records: list[tuple[bytes, Place, bytes]]) -> None:
    """Under keys and in places of their own; `Places` says of many what each of them says."""
    salt = Salt()
    for number, (key, place, plaintext) in enumerate(records):
        around = Places(replace(place, surrogate="eu_somebody_else")).around_record_id(place.surrogate)
        sealer = Sealer(key, key_id=KEY_ID.bytes, around=around, salt=salt)
        sealed = sealer.seal(plaintext, record_id=place.record_id, nonce=number.to_bytes(12, "big"))
        assert sealed[21:53] == salt.salt
        assert envelope.key_id_of(sealed) == KEY_ID
        assert envelope.open_record(sealed, key=key, place=place) == plaintext


def test_salts_are_random() -> None:
    assert len({Salt().salt for _ in range(100)}) == 100


@given(keys, keys, words)
def test_a_wrapped_key_comes_back(key: bytes, under: bytes, context: str) -> None:
    wrapped = envelope.wrap(key, under=under, context=context)
    assert envelope.unwrap(wrapped, under=under, context=context) == key
    assert key not in wrapped


@given(keys, keys, words, words)
def test_a_wrapped_key_opens_in_its_own_place_only(key: bytes, under: bytes, there: str, elsewhere: str) -> None:
    assume(there != elsewhere)
    wrapped = envelope.wrap(key, under=under, context=there)
    with pytest.raises(DecryptionFailed):
        envelope.unwrap(wrapped, under=under, context=elsewhere)


@given(keys, keys, keys)
def test_a_wrapped_key_needs_the_key_above_it(key: bytes, under: bytes, other: bytes) -> None:
    assume(under != other)
    with pytest.raises(DecryptionFailed):
        envelope.unwrap(envelope.wrap(key, under=under, context="a"), under=other, context="a")


@given(st.integers(0, 1000), st.integers(0, 7))
def test_any_flipped_bit_of_a_wrapped_key_is_noticed(position: int, bit: int) -> None:
    wrapped = bytearray(envelope.wrap(KEY, under=b"u" * 32, context="a"))
    wrapped[position % len(wrapped)] ^= 1 << bit
    with pytest.raises(DecryptionFailed):
        envelope.unwrap(bytes(wrapped), under=b"u" * 32, context="a")


@pytest.mark.parametrize("wrapped", [b"", b"\x01", b"\x01" + b"n" * 12, b"\x01" + b"n" * 20])
def test_what_is_too_short_for_a_wrapped_key_is_refused(wrapped: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        envelope.unwrap(wrapped, under=KEY, context="a")


def test_fingerprints_tell_keys_apart_and_are_not_the_keys() -> None:
    one, other = envelope.new_key(), envelope.new_key()
    assert envelope.fingerprint(one) == envelope.fingerprint(one) != envelope.fingerprint(other)
    assert envelope.fingerprint(one) != one
    assert len(envelope.fingerprint(one)) == 32
