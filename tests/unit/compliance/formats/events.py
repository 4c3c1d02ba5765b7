"""Events to render: plain ones by name, and hostile ones by chance."""

from typing import Any

from hypothesis import strategies as st

from compliance.evidence.formats.rows import Row

ORIGIN = "portcullis/test/tenant/7"
FIELDS: dict[str, Any] = {
    "id": 12,
    "occurred_at": "2026-11-21T18:48:45.123456Z",
    "tenant_id": 7,
    "actor_kind": "user",
    "actor_id": "3",
    "action": "budget.changed",
    "target_kind": "budget",
    "target_id": "9",
    "outcome": "success",
    "version": 2,
}


def a_row(*, index: int | None = 4, leaf: str = "ab" * 32, redacted: tuple[str, ...] = (), **fields: Any) -> Row:
    """An event with `fields` besides the usual ones; those that are None are left out."""
    named = {name.replace("__", "."): value for name, value in fields.items()}
    kept = {name: value for name, value in {**FIELDS, **named}.items() if value is not None}
    return Row(fields=kept, origin=ORIGIN, index=index, leaf=leaf, redacted=redacted)


hostile = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    st.lists(
        st.sampled_from(
            ["=", "+", "-", "@", "\t", "\r", "\n", "|", "\\", '"', "'", ",", ";", " ", "\u2028", "\x85", "\x00"]
        )
        | st.sampled_from(
            ["=cmd|' /C calc'!A0", "a=b", "\\n", "\u3000=1", "\uff1d1", "CEF:0|", " src=1.2.3.4", "\ufeff=1"]
        ),
        max_size=8,
    ).map("".join),
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hostile, inner, max_size=3),
    max_leaves=5,
)
TEXTS = (
    "actor_kind",
    "actor_id",
    "action",
    "target_kind",
    "target_id",
    "outcome",
    "reason",
    "request_id",
    "user_agent",
)
rows = st.builds(
    lambda texts, before, after, ip, gone: Row(
        fields={
            **{name: value for name, value in {**FIELDS, **texts, "ip": ip}.items() if value not in ("", None)},
            **{f"before.{name}": value for name, value in before.items()},
            **{f"after.{name}": value for name, value in after.items()},
        },
        origin=ORIGIN,
        index=4,
        leaf="ab" * 32,
        redacted=tuple(gone),
    ),
    st.fixed_dictionaries({}, optional=dict.fromkeys(TEXTS, hostile)),
    st.dictionaries(hostile, values, max_size=3),
    st.dictionaries(hostile, values, max_size=3),
    st.sampled_from([None, "192.0.2.1", "2001:db8::1"]),
    st.sets(st.sampled_from(["reason", "ip", "before.name"]), max_size=2).map(sorted),
)
