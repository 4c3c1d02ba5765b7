"""Leaves of the audit log: what they commit to, and what they do not tell."""

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance import signing, surrogates
from compliance.evidence import leaves
from compliance.evidence.leaves import MalformedEvent

A_ROW: dict[str, Any] = {
    "id": 12,
    "occurred_at": datetime(2026, 3, 1, 9, 30, tzinfo=UTC),
    "tenant_id": 7,
    "actor_kind": "user",
    "actor_id": "3",
    "action": "tenant.suspended",
    "target_kind": "tenant",
    "target_id": "7",
    "outcome": "success",
    "reason": "unpaid",
    "before": {"status": "active"},
    "after": {"status": "suspended"},
    "request_id": "",
    "ip": None,
    "user_agent": "",
    "version": 2,
    "redacted": {},
}
SALTS = bytes(range(256))[: 16 * leaves.count_of(A_ROW)]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


def plain(fields: dict[str, Any], salts: bytes) -> bytes:
    """The leaf as the text of the module says, with nothing but json and hashlib."""
    names = sorted(fields, key=lambda name: name.encode("utf-16-be"))
    committed = {
        name: sha256(salts[16 * i : 16 * i + 16] + name.encode() + b"\0" + signing.canonical(fields[name])).hexdigest()
        for i, name in enumerate(names)
    }
    return sha256(b"\0" + json.dumps(committed, ensure_ascii=False, separators=(",", ":")).encode()).digest()


def test_it_works() -> None:
    fields = leaves.fields_of(A_ROW)
    assert fields == {
        "id": 12,
        "occurred_at": "2026-03-01T09:30:00.000000Z",
        "version": 2,
        "tenant_id": 7,
        "actor_kind": "user",
        "actor_id": "3",
        "action": "tenant.suspended",
        "target_kind": "tenant",
        "target_id": "7",
        "outcome": "success",
        "reason": "unpaid",
        "before.status": "active",
        "after.status": "suspended",
    }
    assert leaves.count_of(A_ROW) == len(fields)
    assert leaves.leaf_of({**A_ROW, "salts": SALTS}) == plain(fields, SALTS)


@given(values)
def test_values_are_written_as_rfc_8785_has_them(value: Any) -> None:
    assert leaves.canonical(value) == signing.canonical(value)


@given(st.dictionaries(st.text(min_size=1, max_size=12), values, max_size=6), st.text(max_size=40))
def test_the_fast_way_gives_what_the_plain_one_gives(after: dict[str, Any], reason: str) -> None:
    row = {**A_ROW, "after": after, "reason": reason}
    salts = os.urandom(16 * leaves.count_of(row))
    expected = plain(leaves.fields_of(row), salts)
    assert leaves.leaf_of({**row, "salts": salts}) == expected
    assert leaves.leaf_hash(leaves.commitments(leaves.fields_of(row), salts, {})) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"id": 13},
        {"occurred_at": datetime(2026, 3, 1, 9, 30, 0, 1, tzinfo=UTC)},
        {"tenant_id": 8},
        {"actor_id": "4"},
        {"outcome": "refused"},
        {"reason": "Unpaid"},
        {"before": {"status": "Active"}},
        {"before": {"status": ["active"]}},
        {"after": {"status": None}},
        {"after": {"statut": "suspended"}},
        {"version": 3},
        {"salts": bytes(16) + SALTS[16:]},
    ],
    ids=str,
)
def test_any_change_gives_another_leaf(change: dict[str, Any]) -> None:
    assert leaves.leaf_of({**A_ROW, "salts": SALTS, **change}) != leaves.leaf_of({**A_ROW, "salts": SALTS})


@pytest.mark.parametrize(
    "change",
    [
        {"after": {"status": "suspended", "more": 1}},
        {"reason": ""},
        {"salts": b""},
        {"salts": SALTS[:-1]},
        {"after": {"status": 1.5}},
        {"after": []},
        {"redacted": {"reason": "00" * 32}},
    ],
    ids=str,
)
def test_what_nobody_wrote_has_no_leaf(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedEvent):
        leaves.leaf_of({**A_ROW, "salts": SALTS, **change})


@pytest.mark.parametrize("dropped", ["reason", "before.status", "target_id", "tenant_id"])
def test_a_dropped_field_leaves_the_leaf_as_it_was(dropped: str) -> None:
    fields = leaves.fields_of(A_ROW)
    committed = leaves.commitments(fields, SALTS, {})
    at = 16 * leaves.ordered(fields).index(dropped)
    rest = {name: value for name, value in fields.items() if name != dropped}
    kept = leaves.commitments(rest, SALTS[:at] + SALTS[at + 16 :], {dropped: committed[dropped]})
    assert kept == committed
    assert leaves.leaf_hash(kept) == leaves.leaf_of({**A_ROW, "salts": SALTS})


def test_rows_of_before_there_were_salts_have_a_leaf_too() -> None:
    row = {**A_ROW, "version": 1, "after": {"share": 0.5, "steps": [1.0, "x"]}, "salts": b""}
    assert leaves.fields_of(row)["after.share"] == "0.5"
    assert leaves.leaf_of(row) == plain(leaves.fields_of(row), b"")


def test_times_are_utc_whatever_zone_they_were_read_in() -> None:
    moment = A_ROW["occurred_at"].astimezone(timezone(timedelta(hours=5)))
    assert leaves.fields_of({**A_ROW, "occurred_at": moment}) == leaves.fields_of(A_ROW)


def test_names_beyond_the_basic_plane_have_the_order_of_utf_16() -> None:
    assert leaves.ordered(["\ufb33", "\U0001f600", "a"]) == ["a", "\U0001f600", "\ufb33"]


def test_people_are_found_wherever_they_are_named() -> None:
    ada, bob, eve = sorted(surrogates.generate() for _ in range(3))
    row = {**A_ROW, "target_id": bob, "reason": f"asked by {ada}.", "after": {"people": [{"id": [eve, ada]}]}}
    assert leaves.subjects_of(leaves.fields_of(row)) == [ada, bob, eve]
    assert leaves.subjects_of(leaves.fields_of({**A_ROW, "reason": f"x{ada} {bob}0 eu_short"})) == []
