"""The audit log under sequencers that run at once and are killed: each event has one place, and no place is empty."""

import os
from functools import partial
from pathlib import Path

import pytest
from django.db import connection

from compliance.actions import audit_log
from compliance.evidence import leaves, notes, proofs, tree
from compliance.keyring import signers
from compliance.models import AuditCheckpoint, AuditEvent, AuditLeaf, AuditLog, AuditPending
from tests.factories import THE_SYSTEM, a_tenant
from tests.system.processes import Command, eventually

pytestmark = [pytest.mark.system, pytest.mark.usefixtures("databases")]

EVENTS = 20_000
SLICES_UNTIL_KILLED = 2


@pytest.fixture
def waiting() -> int:
    """A tenant of whom very many events wait, between those of others."""
    audit_log.checkpoint(by=THE_SYSTEM)
    tenant_id = a_tenant().pk
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO compliance_auditevent (tenant_id, actor_kind, actor_id, action, target_kind, target_id,"
            " outcome, reason, before, after, request_id, user_agent, version, salts, redacted, subjects)"
            " SELECT CASE WHEN n %% 3 = 0 THEN NULL ELSE %s END, 'system', 'tests', 'x.y', 'x', n::text, 'success', '',"
            " '{}', '{}', '', '', 2, %s, '{}', '{}' FROM generate_series(1, %s) AS n WHERE n %% 3 > 0",
            [tenant_id, os.urandom(16 * 10), EVENTS * 3 // 2],
        )
    return tenant_id


@pytest.mark.timeout(240)
def test_two_at_once_of_which_one_is_killed_leave_no_gap_and_no_double(waiting: int, tmp_path: Path) -> None:
    first = Command("checkpoint_audit", log=tmp_path / "first.log")
    second = Command("checkpoint_audit", log=tmp_path / "second.log")
    eventually(partial(has_placed, waiting, SLICES_UNTIL_KILLED * audit_log.SLICE), within_s=60)
    first.kill()
    assert second.process.wait(120) == 0, second.log_tail()
    last = Command("checkpoint_audit", log=tmp_path / "last.log")
    assert last.process.wait(60) == 0, last.log_tail()

    log = AuditLog.objects.get(tenant_id=waiting)
    ids = list(AuditEvent.objects.filter(tenant_id=waiting).order_by("pk").values_list("pk", flat=True))
    assert not AuditPending.objects.filter(event_id__in=ids).exists()
    places = list(AuditLeaf.objects.filter(log=log).order_by("index").values_list("event_id", "index"))
    assert places == [(event_id, index) for index, event_id in enumerate(ids)]
    assert len(ids) == log.size > EVENTS

    rows = AuditEvent.objects.filter(pk__in=ids).order_by("pk").values(*leaves.COLUMNS)
    hashes = [leaves.leaf_of(row) for row in rows.iterator()]
    sizes = list(AuditCheckpoint.objects.filter(log=log).order_by("size").values_list("size", "root", "note"))
    assert len(sizes) >= EVENTS // audit_log.SLICE
    for size, root, note in sizes:
        assert tree.root_of(hashes[:size]) == bytes(root) == proofs.root(log, size)
        notes.open_checkpoint(note, origin=log.origin, publics=signers.public_keys())


def has_placed(tenant_id: int, wanted: int) -> bool:
    return AuditLeaf.objects.filter(log__tenant_id=tenant_id).count() >= wanted
