"""Forgeries that fit together: what only the sinks, the signatures or the log's own words give away."""

import json
import random
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import connection, transaction
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from compliance.actions import audit_log, redactions, verification
from compliance.errors import ActionRefused
from compliance.evidence import checking, leaves, notes
from compliance.evidence.checking import Wanted
from compliance.evidence.findings import Finding
from compliance.evidence.tiles import Edge
from compliance.keyring import signers
from compliance.models import AuditCheckpoint, AuditEvent, AuditLeaf, AuditLog, AuditPending, AuditTile
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.audit import events, sealed, tamper, trying
from tests.integration.control.test_erasure import person_of, somebody

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


def found() -> list[Finding]:
    return checking.check(Wanted()).in_order()


@pytest.fixture
def log() -> AuditLog:
    tenant = a_tenant()
    sealed(20, tenant=tenant)
    return sealed(20, tenant=tenant)


def rewritten(log: AuditLog, *, index: int, key: Ed25519PrivateKey) -> None:
    """Changes an event and everything in the database that follows from it, signed with a key."""
    tamper(
        "UPDATE compliance_auditevent SET reason = 'forged' WHERE id = (SELECT event_id FROM compliance_auditleaf"
        " WHERE log_id = %s AND index = %s)",
        [log.pk, index],
    )
    ids = AuditLeaf.objects.filter(log=log).order_by("index").values_list("event_id", flat=True)
    rows = AuditEvent.objects.in_bulk(list(ids))
    edge = Edge(0, {})
    sizes = {point.size: point for point in AuditCheckpoint.objects.filter(log=log)}
    for number, event_id in enumerate(ids, start=1):
        row = {name: getattr(rows[event_id], name) for name in leaves.COLUMNS}
        edge.add([leaves.leaf_of(row)])
        if point := sizes.get(number):
            root = edge.root()
            note = notes.sign_checkpoint(notes.Checkpoint(log.origin, number, root), keys=[key])
            tamper("UPDATE compliance_auditcheckpoint SET root = %s, note = %s WHERE id = %s", [root, note, point.pk])
    for (level, at), hashes in edge.changed.items():
        change = "UPDATE compliance_audittile SET hashes = %s WHERE log_id = %s AND level = %s AND index = %s"
        tamper(change, [hashes, log.pk, level, at])


def test_without_the_key_no_forgery_is_signed(log: AuditLog) -> None:
    rewritten(log, index=5, key=Ed25519PrivateKey.generate())
    assert any("is not signed as it should" in each.text for each in found())


def test_with_the_key_the_sink_still_knows_what_was_sealed(log: AuditLog) -> None:
    first = AuditCheckpoint.objects.filter(log=log).order_by("size").first()
    key = signers.current()
    assert first is not None
    assert key is not None
    rewritten(log, index=log.size - 3, key=key)
    (finding,) = found()
    assert (finding.index, finding.until) == (first.size, log.size), (
        "between the checkpoints that fit and that does not"
    )
    assert "files holds another checkpoint" in finding.text


def test_a_database_that_went_back_is_behind_its_sink(log: AuditLog) -> None:
    with transaction.atomic():
        sealed(5)
        events(3)
        tenant_events = AuditLog.objects.get(tenant_id=None).size
        audit_log.checkpoint(by=THE_SYSTEM)
        audit_log.deliver()
        transaction.set_rollback(True)
    (finding,) = [each for each in found() if "rolled back" in each.text]
    assert finding.until == tenant_events + 3


def test_a_restore_is_accepted_by_name_and_covers_nothing_else(log: AuditLog) -> None:
    with transaction.atomic():
        a_tenant()
        before = sealed(5).size
        transaction.set_rollback(True)
    assert any("rolled back" in each.text for each in found())
    lost = verification.accept_rollback(by=THE_SYSTEM, reason="Restored the backup of 02:00 after a disk had failed.")
    platform = AuditLog.objects.get(tenant_id=None)
    assert lost.logs[platform.origin] == (platform.size, before)
    assert found() == []
    sealed(9)
    assert found() == [], "other events are at those indices now"
    assert log.origin not in lost.logs
    with pytest.raises(ActionRefused, match="has everything"):
        verification.accept_rollback(by=THE_SYSTEM, reason="again")
    change = "UPDATE compliance_auditevent SET reason = 'x' WHERE action = 'auditlog.rolled_back'"
    assert any("not what was sealed" in each.text for each in trying(change, [], found))


def test_a_checkpoint_that_a_sink_lost_is_missed(log: AuditLog) -> None:
    path = settings.AUDIT_FILES_DIR / f"{log.origin}.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:1]))
    assert [each.text for each in found() if "lost it" in each.text] == [
        f"files had the checkpoint over {log.size:,} events, and lost it."
    ]
    path.write_text("".join(lines).replace(str(log.size), str(log.size + 1)))
    assert any("altered" in each.text for each in found())


def test_an_erasure_explains_what_it_redacted_and_nothing_else(log: AuditLog) -> None:
    ada, bob = somebody(), somebody()
    sealed()
    assert redactions.redact(person=person_of(ada), by=THE_SYSTEM)
    assert found() == [], "also while the event that says so waits for its place"
    sealed()
    assert found() == []
    event = AuditEvent.objects.filter(subjects__contains=[bob.surrogate], after__has_key="surrogate").earliest("pk")
    fields = leaves.fields_of({name: getattr(event, name) for name in leaves.COLUMNS})
    salts, name = bytes(event.salts), "after.surrogate"
    at = leaves.SALT_BYTES * leaves.ordered(fields).index(name)
    rest = salts[:at] + salts[at + leaves.SALT_BYTES :]
    digest = leaves.commitments(fields, salts, event.redacted)[name]
    silently = (
        "UPDATE compliance_auditevent SET after = after - 'surrogate', subjects = '{}', salts = %s,"
        " redacted = jsonb_build_object(%s::text, %s::text) WHERE id = %s"
    )
    findings = trying(silently, [rest, name, digest, event.pk], found)
    place = AuditLeaf.objects.get(event_id=event.pk)
    assert [(each.index, "no redaction says so" in each.text) for each in findings] == [(place.index, True)]


def test_what_was_redacted_may_not_come_back(log: AuditLog) -> None:
    ada = somebody()
    event = AuditEvent.objects.filter(subjects__contains=[ada.surrogate]).first()
    assert event is not None
    redactions.redact(person=person_of(ada), by=THE_SYSTEM)
    sealed()
    findings = trying(
        "UPDATE compliance_auditevent SET before = '{}', after = %s, target_id = %s, reason = %s, salts = %s,"
        " redacted = '{}', subjects = %s WHERE id = %s",
        [json.dumps(event.after), event.target_id, event.reason, bytes(event.salts), event.subjects, event.pk],
        found,
    )
    assert any("something of that is there again" in each.text for each in findings)


# --- any mutation ----------------------------------------------------------------------------------------------------

NOT_EVIDENCE = {
    AuditLog: {"created_at"},  # when the row was made
    AuditTile: {"id"},  # numbers that nothing refers to
    AuditCheckpoint: {"id", "signed_at", "delivered_at"},  # what is signed says no time
}
"""Columns that say nothing about what happened; see docs/adr/0027."""
MODELS = (AuditEvent, AuditPending, AuditLog, AuditLeaf, AuditTile, AuditCheckpoint)
MUTATIONS = {
    "bigint": "{c} + 1000003",
    "smallint": "{c} + 3",
    "text": "{c} || 'x'",
    "character varying": "{c} || 'x'",
    "timestamp with time zone": "{c} + interval '3 days'",
    "jsonb": "{c} || '{{\"mutated\": true}}'",
    "bytea": "set_byte({c}, length({c}) / 2, 255 - get_byte({c}, length({c}) / 2))",
    "inet": "'10.9.8.7'",
    "ARRAY": "{c} || '{{eu_aaaaaaaaaaaaaaaaaaaaaaaa}}'",
}
SMALL = {"pruned_to": "least({c} + 3, size)"}  # beyond the log a constraint refuses it
TYPES = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s"


def _mutation(kind: str, column: str) -> str:
    return SMALL.get(column, MUTATIONS[kind])


def _columns(model: Any) -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute(TYPES, [model._meta.db_table])
        return {name: kind for name, kind in cursor.fetchall() if name not in NOT_EVIDENCE.get(model, set())}


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate)
)
@given(model=st.sampled_from(MODELS), pick=st.integers(0, 10**6), deletes=st.booleans())
def test_a_mutation_of_any_row_of_any_table_is_found(log: AuditLog, model: Any, pick: int, deletes: bool) -> None:
    if not AuditPending.objects.exists():
        events(2)
        assert found() == []
    chosen = random.Random(pick)
    key = model._meta.pk.attname
    row = chosen.choice(list(model.objects.order_by(key).values_list(key, flat=True)))
    table = model._meta.db_table
    if deletes and model is not AuditPending:
        waits = model is AuditEvent and AuditPending.objects.filter(event_id=row).exists()
        change = f"DELETE FROM {table} WHERE {key} = %s"
        assert trying(change, [row], found), (table, row, waits)
        return
    column, kind = chosen.choice(sorted(_columns(model).items()))
    quoted = connection.ops.quote_name(column)
    other = _mutation(kind, column).format(c=quoted)
    change = f"UPDATE {table} SET {quoted} = {other} WHERE {key} = %s AND {quoted} IS NOT NULL"
    waiting = model is AuditEvent and AuditPending.objects.filter(event_id=row).exists()
    if waiting and column != "id":
        return  # what has no place yet is not sealed
    with transaction.atomic():
        findings = found() if tamper(change, [row]) else ["nothing there to change"]
        transaction.set_rollback(True)
    assert findings, (table, column, row)
