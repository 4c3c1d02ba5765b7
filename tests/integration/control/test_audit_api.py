"""A tenant's audit log over the API: filtered, in pages, with proofs, and of no other tenant."""

import json
import re
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, get_args

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client

from accounts.models import ApiKey
from compliance import audit
from compliance.actions import audit_log, tallies
from compliance.contracts import Actor, ActorKind, Target
from compliance.evidence import tree
from compliance.models import AuditEvent, AuditLeaf, AuditLog, AuditTally
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.tallies import counted_at, no_tallies

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

EVENTS = "/api/audit/events"
LONG_AGO = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _nothing_left_by_others(db: None) -> None:
    cache.clear()
    no_tallies()


class Asker:
    """An application with a key."""

    def __init__(self, slug: str = "acme", scopes: tuple[str, ...] = ("audit",)) -> None:
        self.key: ApiKey
        self.key, self._secret = a_key(tenant=a_tenant(slug), scopes=list(scopes))

    def get(self, path: str, *, status: int = 200, **query: Any) -> Any:
        answer = Client().get(path, query, headers={"Authorization": f"Bearer {self._secret}"})
        assert answer.status_code == status, answer.content
        return answer.json()

    def events(self, **query: Any) -> list[int]:
        return [event["id"] for event in self.get(EVENTS, **query)["events"]]


def an_event(tenant_id: int | None, **fields: Any) -> AuditEvent:
    values: dict[str, Any] = {
        "by": Actor(kind="user", id="7", ip="192.0.2.1", request_id="r-1"),
        "action": "thing.changed",
        "target": Target("thing", "1"),
        "tenant_id": tenant_id,
        "before": {"colour": "red"},
        "after": {"colour": "blue"},
        "reason": "why not",
    }
    with transaction.atomic():
        return audit.record(**{**values, **fields})


def test_it_works() -> None:
    acme = Asker()
    event = an_event(acme.key.tenant_id)
    found = acme.get(EVENTS, action="thing.changed")["events"]
    assert found == [
        {
            "id": event.pk,
            "occurred_at": found[0]["occurred_at"],
            "tenant_id": acme.key.tenant_id,
            "actor": {"kind": "user", "id": "7"},
            "action": "thing.changed",
            "target": {"kind": "thing", "id": "1"},
            "outcome": "success",
            "reason": "",
            "before": {"colour": "red"},
            "after": {"colour": "blue"},
            "request_id": "r-1",
            "ip": None,
            "user_agent": "",
            "version": event.version,
            "redacted": ["ip", "reason"],
        }
    ]


STAFF = {"ip": "198.51.100.77", "user_agent": "a browser of ours"}
WHY = "we suspect a fraud"


@pytest.mark.parametrize("kind", ["user", "command"])
def test_from_where_and_why_staff_acted_is_withheld_and_proven(kind: Any) -> None:
    acme = Asker()
    event = an_event(
        acme.key.tenant_id,
        by=Actor(kind=kind, id="7", **STAFF),
        reason=WHY,
        before={"decision_reason": WHY, "colour": "red"},
        after={"reason": WHY, "colour": "blue"},
    )
    audit_log.checkpoint(by=THE_SYSTEM)
    (listed,) = acme.get(EVENTS, action="thing.changed")["events"]
    answer = acme.get(f"{EVENTS}/{event.pk}")
    gone = ["after.reason", "before.decision_reason", "ip", "reason", "user_agent"]
    assert listed == answer["event"]
    assert listed["redacted"] == gone == sorted(answer["proof"]["redacted"])
    for secret in (WHY, *STAFF.values()):
        assert secret not in json.dumps([listed, answer])
    assert (listed["before"], listed["after"]) == ({"colour": "red"}, {"colour": "blue"})
    assert leaf_of(answer["event"], answer["proof"]).hex() == answer["proof"]["leaf"]
    assert len(answer["proof"]["salts"]) == 2 * len(bytes(event.salts)) - 32 * len(gone)


@pytest.mark.parametrize("kind", ["key", "task", "system", "anonymous"])
def test_of_others_all_is_told(kind: Any) -> None:
    acme = Asker()
    an_event(acme.key.tenant_id, by=Actor(kind=kind, id="7", **STAFF))
    (event,) = acme.get(EVENTS, action="thing.changed", actor_kind=kind)["events"]
    assert (event["ip"], event["user_agent"], event["reason"]) == (*STAFF.values(), "why not")
    assert event["redacted"] == []


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"action": "thing.done"}, {"action": "thing.done"}),
        ({"actor_kind": "task"}, {"by": Actor(kind="task", id="x")}),
        ({"actor_kind": "user", "actor_id": "8"}, {"by": Actor(kind="user", id="8")}),
        ({"target_kind": "other"}, {"target": Target("other", "1")}),
        ({"target_kind": "thing", "target_id": "2"}, {"target": Target("thing", "2")}),
        ({"outcome": "refused"}, {"outcome": "refused"}),
        ({"request_id": "r-2"}, {"by": Actor(kind="user", id="7", request_id="r-2")}),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_it_is_filtered(query: dict[str, str], fields: dict[str, Any]) -> None:
    acme = Asker()
    an_event(acme.key.tenant_id)
    wanted = an_event(acme.key.tenant_id, **fields)
    assert acme.events(**query) == [wanted.pk]


def test_it_is_filtered_by_time() -> None:
    acme = Asker()
    wanted = an_event(acme.key.tenant_id)
    assert wanted.pk in acme.events(since="2026-01-01T00:00:00Z")
    assert acme.events(until="2020-01-01T00:00:00Z") == []
    assert acme.events(since="2120-01-01") == []


def test_pages_follow_each_other() -> None:
    acme = Asker()
    made = [an_event(acme.key.tenant_id).pk for _ in range(5)]
    first = acme.get(EVENTS, action="thing.changed", limit=3)
    second = acme.get(EVENTS, action="thing.changed", limit=3, before=first["next"])
    assert [event["id"] for page in (first, second) for event in page["events"]] == made[::-1]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"mood": "sunny"}, "mood"),
        ({"limit": "0"}, "limit"),
        ({"before": "x"}, "before"),
        ({"since": "yesterday"}, "since"),
        ({"since": "2026-13-01T00:00:00Z"}, "since"),
        ({"since": "2026-02-01T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "until"),
        ({"target_id": "1"}, "target_kind"),
        ({"actor_id": "1"}, "actor_kind"),
        ({"action": "a" * 101}, "action"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_what_makes_no_sense_is_refused_in_words(query: dict[str, str], param: str) -> None:
    error = Asker().get(EVENTS, status=400, **query)["error"]
    assert error["param"] == param
    assert error["message"].endswith(".")


# --- whose log it is ----------------------------------------------------------------------------------------------


def test_another_tenants_log_and_the_platforms_are_out_of_reach() -> None:
    acme, umbrella = Asker(), Asker("umbrella")
    theirs, nobodys = an_event(umbrella.key.tenant_id), an_event(None)
    audit_log.checkpoint(by=THE_SYSTEM)
    assert not {theirs.pk, nobodys.pk} & set(acme.events(limit=100))
    for event in (theirs, nobodys):
        acme.get(f"{EVENTS}/{event.pk}", status=404)
    notes = [each["note"] for each in acme.get("/api/audit/checkpoints")["checkpoints"]]
    assert notes
    assert all(f"/tenant/{acme.key.tenant_id}\n" in note for note in notes)


@pytest.mark.parametrize(
    "path", [EVENTS, f"{EVENTS}/1", "/api/audit/checkpoints", "/api/audit/consistency?from=1"], ids=str
)
def test_a_key_needs_the_scope(path: str) -> None:
    answer = Asker(scopes=("chat", "consents")).get(path, status=403)
    assert "'audit'" in answer["error"]["message"]
    assert Client().get(path).status_code == 401


# --- proofs -------------------------------------------------------------------------------------------------------


def leaf_of(event: dict[str, Any], proof: dict[str, Any]) -> bytes:
    """The leaf, as anybody who reads the documents would compute it."""
    fields = {
        "id": event["id"],
        "occurred_at": datetime.fromisoformat(event["occurred_at"])
        .astimezone(UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z"),
        "version": event["version"],
        "tenant_id": event["tenant_id"],
        "actor_kind": event["actor"]["kind"],
        "actor_id": event["actor"]["id"],
        "target_kind": event["target"]["kind"],
        "target_id": event["target"]["id"],
        **{name: event[name] for name in ("action", "outcome", "reason", "request_id", "ip", "user_agent")},
        **{f"{side}.{name}": value for side in ("before", "after") for name, value in event[side].items()},
    }
    fields = {name: value for name, value in fields.items() if value not in (None, "")}
    salts, committed = bytes.fromhex(proof["salts"]), dict(proof["redacted"])
    for n, name in enumerate(sorted(fields)):
        said = salts[16 * n : 16 * n + 16] + name.encode() + b"\0" + _canonical(fields[name])
        committed[name] = sha256(said).hexdigest()
    return sha256(b"\0" + _canonical(committed)).digest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_an_event_comes_with_a_proof_that_anybody_can_check() -> None:
    acme = Asker()
    events = [an_event(acme.key.tenant_id, target=Target("thing", str(n))) for n in range(7)]
    url = f"{EVENTS}/{events[3].pk}"
    assert acme.get(url)["proof"] is None
    audit_log.checkpoint(by=THE_SYSTEM)
    answer = acme.get(url)
    proof, checkpoint = answer["proof"], answer["proof"]["checkpoint"]
    leaf = leaf_of(answer["event"], proof)
    assert leaf.hex() == proof["leaf"]
    hashes = [bytes.fromhex(each) for each in proof["hashes"]]
    root = bytes.fromhex(checkpoint["root"])
    assert tree.verify_inclusion(proof["index"], checkpoint["size"], leaf, hashes, root)
    assert checkpoint["note"].splitlines()[:2] == [checkpoint["origin"], str(checkpoint["size"])]


def test_a_proof_by_a_later_checkpoint_and_that_nothing_was_changed_between() -> None:
    acme = Asker()
    event = an_event(acme.key.tenant_id)
    audit_log.checkpoint(by=THE_SYSTEM)
    for _ in range(3):
        an_event(acme.key.tenant_id)
    audit_log.checkpoint(by=THE_SYSTEM)
    new, old = acme.get("/api/audit/checkpoints", limit=2)["checkpoints"][:2]
    assert new["size"] == old["size"] + 3
    assert acme.get("/api/audit/checkpoints", size=old["size"])["checkpoints"] == [old]
    proof = acme.get(f"{EVENTS}/{event.pk}", size=new["size"])["proof"]
    assert proof["checkpoint"] == new
    found = acme.get("/api/audit/consistency", **{"from": old["size"]})
    assert (found["old"], found["new"]) == (old, new)
    hashes, roots = [bytes.fromhex(each) for each in found["hashes"]], [bytes.fromhex(x["root"]) for x in (old, new)]
    assert tree.verify_consistency(old["size"], new["size"], hashes, *roots)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/audit/consistency", 400),
        ("/api/audit/consistency?from=0", 404),
        ("/api/audit/consistency?from=-1", 400),
        ("/api/audit/consistency?from=99999", 404),
        (f"{EVENTS}/999999999", 404),
    ],
    ids=str,
)
def test_what_is_not_there(path: str, status: int) -> None:
    acme = Asker()
    an_event(acme.key.tenant_id)
    audit_log.checkpoint(by=THE_SYSTEM)
    acme.get(path, status=status)


def test_a_checkpoint_older_than_the_event_proves_nothing() -> None:
    acme = Asker()
    audit_log.checkpoint(by=THE_SYSTEM)
    size = acme.get("/api/audit/checkpoints")["checkpoints"][0]["size"]
    event = an_event(acme.key.tenant_id)
    assert acme.get(f"{EVENTS}/{event.pk}", status=400, size=size)["error"]["param"] == "size"


def test_an_altered_event_is_not_shown_as_proven() -> None:
    acme = Asker()
    event = an_event(acme.key.tenant_id)
    audit_log.checkpoint(by=THE_SYSTEM)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE compliance_auditevent DISABLE TRIGGER ALL")
        cursor.execute("UPDATE compliance_auditevent SET reason = 'another' WHERE id = %s", [event.pk])
        cursor.execute("ALTER TABLE compliance_auditevent ENABLE TRIGGER ALL")
    assert acme.get(f"{EVENTS}/{event.pk}", status=503)["error"]["code"] == "audit_log_altered"
    assert AuditLeaf.objects.filter(event_id=event.pk).exists()


# --- and the reading itself ---------------------------------------------------------------------------------------


def test_reading_is_on_record_counted_by_key_and_minute() -> None:
    acme = Asker()
    for _ in range(3):
        acme.get(EVENTS)
    acme.get("/api/audit/checkpoints")
    counted_at(LONG_AGO)
    tallies.put_on_record()
    events = AuditEvent.objects.filter(action="auditlog.read", tenant_id=acme.key.tenant_id)
    assert {event.after["place"]: event.after["count"] for event in events} == {
        "/api/audit/events": 3,
        "/api/audit/checkpoints": 1,
    }
    assert {(event.actor_kind, event.actor_id) for event in events} == {("key", str(acme.key.pk))}


def test_what_was_read_is_named_by_the_logs_own_number() -> None:
    acme = Asker()
    acme.get(EVENTS)
    before = AuditTally.objects.get(action="auditlog.read")
    assert (before.target_kind, before.target_id) == ("tenant", str(acme.key.tenant_id)), "it has no log yet"
    audit_log.checkpoint(by=THE_SYSTEM)
    no_tallies()
    acme.get(EVENTS)
    after = AuditTally.objects.get(action="auditlog.read")
    log = AuditLog.objects.get(tenant_id=acme.key.tenant_id)
    assert (after.target_kind, after.target_id) == ("auditlog", str(log.pk))


def test_the_schema_names_every_kind_of_actor() -> None:
    text = " ".join(Client().get("/api/schema/").content.decode().split())
    listed = "`user`, `key`, `command`, `task`, `system`, or `anonymous` for nobody who is known."
    assert set(get_args(ActorKind)) == set(re.findall("`([a-z]+)`", listed))
    assert text.count(listed) == 2  # the list of events, and exports
    for kind in get_args(ActorKind):
        assert re.search(rf"- {kind}\b", text)


def test_the_schema_names_the_endpoints() -> None:
    text = Client().get("/api/schema/").content.decode()
    for name in ("listAuditEvents", "readAuditEvent", "listAuditCheckpoints", "proveAuditConsistency"):
        assert re.search(rf"operationId: {name}\b", text)
