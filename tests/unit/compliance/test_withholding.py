from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compliance.evidence import leaves
from compliance.evidence.withholding import withheld, withheld_names
from tests.unit.compliance.bundles.made import an_event, redacted

CHANGES = st.dictionaries(st.sampled_from(["reason", "decision_reason", "reasoning", "name", "ip", "é"]), st.text())


@given(
    kind=st.sampled_from(["user", "command", "", "key", "anonymous"]),
    version=st.sampled_from([1, 2]),
    before=CHANGES,
    after=CHANGES,
    texts=st.dictionaries(st.sampled_from(["ip", "user_agent", "reason"]), st.text(min_size=1)),
)
def test_the_leaf_stays_what_it_is(kind: str, version: int, before: Any, after: Any, texts: dict[str, str]) -> None:
    event = an_event(3, actor_kind=kind, version=version, before=before, after=after, **texts)
    if version == 2:
        event = redacted(event, "target_id")
    fields, salts, gone = withheld(event.fields, bytes.fromhex(event.salts), event.redacted)
    assert leaves.leaf_hash(leaves.commitments(fields, salts, gone)).hex() == event.leaf
    assert len(salts) == (16 * len(fields) if version == 2 else 0)
    assert {**fields, **gone}.keys() == {**event.fields, **event.redacted}.keys()


@pytest.mark.parametrize("kind", ["user", "command", "something new", ""])
def test_what_staff_did_is_told_and_not_from_where_or_why(kind: str) -> None:
    names = [
        "action",
        "actor_id",
        "ip",
        "user_agent",
        "reason",
        "before.decision_reason",
        "after.reasoning",
        "after.ip",
    ]
    assert withheld_names(kind, names) == ["before.decision_reason", "ip", "reason", "user_agent"]


@pytest.mark.parametrize("kind", ["key", "task", "system", "anonymous"])
def test_of_others_all_is_told(kind: str) -> None:
    assert withheld_names(kind, ["ip", "user_agent", "reason"]) == []


def test_an_event_that_was_altered_is_none() -> None:
    event = an_event(3, reason="a fraud")
    with pytest.raises(leaves.MalformedEvent):
        withheld(event.fields, bytes.fromhex(event.salts)[16:], {})
