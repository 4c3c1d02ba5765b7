import json
from typing import Any, get_args

import pytest
from hypothesis import given

from compliance.contracts import ANONYMOUS, ActorKind
from compliance.evidence.formats import ocsf
from compliance.evidence.formats.rows import Row
from tests.unit.compliance.formats.events import a_row, rows
from tests.unit.compliance.formats.ocsf_rules import problems


@given(rows)
def test_every_event_is_one_of_its_class(row: Row) -> None:
    event = ocsf.event(row)
    assert problems(event) == []
    assert json.loads(json.dumps(event)) == event


@pytest.mark.parametrize(
    ("fields", "class_uid", "activity"),
    [
        ({"action": "budget.changed", "target_kind": "budget"}, 3004, 3),
        ({"action": "tenant.created", "target_kind": "tenant"}, 3004, 1),
        ({"action": "apikey.suspended", "target_kind": "apikey"}, 3004, 12),
        ({"action": "apikey.revoked", "target_kind": "apikey"}, 3004, 4),
        ({"action": "legalhold.fenced", "target_kind": "legalhold"}, 3004, 99),
        ({"action": "user.created", "target_kind": "user"}, 3001, 1),
        ({"action": "user.password_changed", "target_kind": "user"}, 3001, 3),
        ({"action": "user.changed", "target_kind": "user"}, 3001, 99),
        ({"action": "user.signed_in", "target_kind": "user"}, 3002, 1),
        ({"action": "user.signed_out", "target_kind": "user"}, 3002, 2),
        ({"action": "membership.created", "target_kind": "membership", "after__role": "owner"}, 3005, 1),
        ({"action": "membership.deleted", "target_kind": "membership"}, 3005, 2),
        ({"action": "group.created", "target_kind": "group"}, 3006, 6),
        ({"action": "transcript.read", "target_kind": "transcript"}, 6003, 2),
        ({"action": "request.refused", "target_kind": "apikey", "outcome": "refused"}, 6003, 99),
    ],
    ids=lambda value: value["action"] if isinstance(value, dict) else "",
)
def test_what_happens_to_what_decides_the_class(fields: dict[str, Any], class_uid: int, activity: int) -> None:
    event = ocsf.event(a_row(**fields))
    assert (event["class_uid"], event["activity_id"]) == (class_uid, activity)
    assert problems(event) == []


def test_a_request_that_names_its_model_is_an_ai_operation() -> None:
    event = ocsf.event(
        a_row(action="request.refused", outcome="refused", after__model="gpt-4o", after__provider="openai")
    )
    assert event["ai_model"] == {"name": "gpt-4o", "ai_provider": "openai"}
    assert event["metadata"]["profiles"] == ["ai_operation"]
    assert (event["status_id"], event["severity_id"]) == (2, 3)


@pytest.mark.parametrize(
    ("kind", "uid", "user_type", "name"),
    [
        ("user", "3", (1, "User"), "user 3"),
        ("key", "5", (4, "Service"), "key 5"),
        ("command", "issue_key", (2, "Admin"), "command issue_key"),
        ("task", "purge", (3, "System"), "task purge"),
        ("system", "system", (3, "System"), "system"),
        (ANONYMOUS.kind, ANONYMOUS.id, (0, "Unknown"), "anonymous"),
        (ANONYMOUS.kind, "claim link", (0, "Unknown"), "anonymous claim link"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_did_it(kind: str, uid: str, user_type: tuple[int, str], name: str) -> None:
    fields: dict[str, Any] = {
        "actor_kind": kind,
        "actor_id": uid,
        "action": "user.sign_in_failed",
        "target_kind": "user",
    }
    event = ocsf.event(a_row(**fields, outcome="failure"))
    user = event["actor"]["user"]
    assert ((user["type_id"], user["type"]), user["name"], user["uid"]) == (user_type, name, uid)
    assert problems(event) == []


def test_every_kind_of_actor_has_a_type() -> None:
    assert {*get_args(ActorKind)} - ocsf._USER_TYPES.keys() == {"task", "system"}


def test_time_is_in_milliseconds_and_the_place_in_the_log_is_there() -> None:
    event = ocsf.event(a_row())
    assert event["time"] == 1795286925123
    assert (event["metadata"]["sequence"], event["metadata"]["uid"]) == (4, "12")
    assert event["unmapped"]["leaf"] == "ab" * 32


def test_the_rules_refuse_what_is_against_them() -> None:
    event = ocsf.event(a_row())
    assert problems({**event, "activity_id": 14, "type_uid": 300414})
    assert problems({**event, "type_uid": 1})
    assert problems({**event, "entity": {}})
    assert problems({**event, "src_endpoint": {}})
    assert problems({key: value for key, value in event.items() if key != "metadata"} | {"metadata": {"profiles": []}})


def test_a_redacted_event_is_still_one_of_its_class() -> None:
    bare = Row(fields={"id": 3, "action": "subject.changed"}, origin="o", index=0, redacted=("actor_id", "target_id"))
    event = ocsf.event(bare)
    assert problems(event) == []
    assert event["unmapped"]["redacted"] == ["actor_id", "target_id"]
