"""A change of one bit, wherever it is, is found: also by who made the zip file anew around it."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.compliance.bundles.made import a_log, bundle, checked, members, redacted, rezipped

WHOLE = (
    "README",
    "verify.py",
    "checkpoint",
    "leaves.jsonl",
    "events.jsonl",
    "events.csv",
    "events.cef",
    "manifest.json",
)
PART = (*WHOLE, "proofs/inclusion.jsonl", "proofs/consistency.jsonl")


@cache
def a_bundle(kind: str) -> Path:
    log = a_log(9, pruned_to=3 if kind == "pruned" else 0)
    log.events[6] = redacted(log.events[6], "actor_id")
    part = {"filters": {"actor_kind": "user"}, "earlier": (2, 5)} if kind == "part" else {}
    path = bundle(Path(mkdtemp()) / "b.zip", log, **part)  # type: ignore[arg-type]
    assert checked(path).problems == []
    return path


def flipped(data: bytes, place: int) -> bytes:
    """`data` with one bit changed."""
    altered = bytearray(data)
    altered[place // 8] ^= 1 << place % 8
    return bytes(altered)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        *(("whole", name) for name in WHOLE),
        *(("part", name) for name in PART[-2:]),
        ("pruned", "proofs/pruned.jsonl"),
    ],
    ids=lambda value: value,
)
@settings(max_examples=40)
@given(data=st.data())
def test_in_a_file(kind: str, name: str, data: st.DataObject) -> None:
    files = members(a_bundle(kind))
    place = data.draw(st.integers(0, 8 * len(files[name]) - 1))
    altered = {**files, name: flipped(files[name], place)}
    assert checked(rezipped(altered, a_bundle(kind).with_name("altered.zip"))).count


@pytest.mark.parametrize("kind", ["whole", "part", "pruned"])
@settings(max_examples=40)
@given(data=st.data())
def test_in_the_zip_file(kind: str, data: st.DataObject) -> None:
    whole = a_bundle(kind).read_bytes()
    place = data.draw(st.integers(0, 8 * len(whole) - 1))
    path = a_bundle(kind).with_name("altered.zip")
    path.write_bytes(flipped(whole, place))
    assert checked(path).count


@settings(max_examples=40)
@given(cut=st.integers(0, 5000), added=st.binary(max_size=3))
def test_cut_off_or_gone_on(cut: int, added: bytes) -> None:
    whole = a_bundle("whole").read_bytes()
    path = a_bundle("whole").with_name("altered.zip")
    path.write_bytes((whole[:-cut] if cut else whole) + added)
    assert bool(checked(path).count) == bool(cut or added)


@pytest.mark.parametrize("name", PART)
def test_a_file_that_is_gone(name: str) -> None:
    files = {each: data for each, data in members(a_bundle("part")).items() if each != name}
    assert checked(rezipped(files, a_bundle("part").with_name("altered.zip"))).count
