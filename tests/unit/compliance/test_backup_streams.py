"""Streams of backups: what was sealed opens as it was; what was altered, cut, exchanged or moved does not."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.backups import streams
from compliance.errors import BackupBroken, BackupKeyMissing

KEYS = {1: b"\x01" * 32}
NEWER = {1: b"\x01" * 32, 2: b"\x02" * 32}
PLACE = "data/20260102T020000Z-0a1b2c/default.dump"
CHUNK = 16
TAG = 16

plains = st.lists(st.binary(max_size=3 * CHUNK), max_size=6)


def seal(plain: Sequence[bytes], place: str = PLACE, keys: dict[int, bytes] = KEYS) -> bytes:
    return b"".join(streams.sealed(plain, keys=keys, place=place, chunk_bytes=CHUNK))


def unseal(sealed: bytes, place: str = PLACE, keys: dict[int, bytes] = KEYS, piece: int = 7) -> bytes:
    pieces = (sealed[start : start + piece] for start in range(0, len(sealed), piece))
    return b"".join(streams.opened(pieces, keys=keys, place=place))


@given(plains, st.integers(1, 200))
def test_what_was_sealed_opens_as_it_was_however_it_arrives(plain: list[bytes], piece: int) -> None:
    sealed = seal(plain)
    assert unseal(sealed, piece=piece) == b"".join(plain)
    assert sealed != seal(plain)


@given(plains, st.data())
def test_one_bit_anywhere_is_found(plain: list[bytes], data: st.DataObject) -> None:
    sealed = bytearray(seal(plain))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BackupBroken):
        unseal(bytes(sealed))


@given(plains, st.data())
def test_a_stream_that_is_cut_off_anywhere_is_found(plain: list[bytes], data: st.DataObject) -> None:
    sealed = seal(plain)
    with pytest.raises(BackupBroken):
        unseal(sealed[: data.draw(st.integers(0, len(sealed) - 1))])


@given(plains, st.binary(min_size=1, max_size=2 * CHUNK))
def test_a_stream_that_goes_on_behind_its_end_is_found(plain: list[bytes], more: bytes) -> None:
    with pytest.raises(BackupBroken):
        unseal(seal(plain) + more)


@given(st.integers(2, 6), st.data())
def test_chunks_that_changed_places_or_are_missing_are_found(count: int, data: st.DataObject) -> None:
    sealed = seal([b"x" * (CHUNK * count)])
    head, body = sealed[: streams.HEADER_BYTES], sealed[streams.HEADER_BYTES :]
    chunks = [body[start : start + CHUNK + TAG] for start in range(0, len(body), CHUNK + TAG)]
    order = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=count + 1))
    if order != list(range(count)):
        with pytest.raises(BackupBroken):
            unseal(head + b"".join(chunks[number] for number in order))


def test_each_is_bound_to_its_place() -> None:
    with pytest.raises(BackupBroken, match="belongs to another file"):
        unseal(seal([b"keys"]), place=PLACE.replace("default", "ledger"))


def test_a_newer_key_seals_and_the_older_one_opens_what_it_sealed() -> None:
    assert unseal(seal([b"older"]), keys=NEWER) == b"older"
    newer = seal([b"newer"], keys=NEWER)
    assert streams.key_version(newer) == 2
    with pytest.raises(BackupKeyMissing, match="version 2 of the key of backups, and at hand are: 1"):
        unseal(newer)


def test_another_key_of_the_same_version_does_not_open() -> None:
    with pytest.raises(BackupBroken, match="another key here"):
        unseal(seal([b"x"]), keys={1: b"\x09" * 32})


@pytest.mark.parametrize("garbage", [b"", b"PcSt", b"PGDMP" + bytes(200)], ids=["nothing", "short", "plain dump"])
def test_what_is_no_stream_is_told(garbage: bytes) -> None:
    with pytest.raises(BackupBroken, match="does not begin as an encrypted backup does"):
        unseal(garbage)


def test_nothing_is_handed_out_from_an_altered_chunk_on() -> None:
    sealed = bytearray(seal([b"a" * CHUNK, b"b" * CHUNK, b"c"]))
    sealed[streams.HEADER_BYTES + CHUNK + TAG] ^= 1
    found: list[bytes] = []
    with pytest.raises(BackupBroken, match="Chunk 2 "):
        found.extend(streams.opened([bytes(sealed)], keys=KEYS, place=PLACE))
    assert b"".join(found) in (b"", b"a" * CHUNK)
