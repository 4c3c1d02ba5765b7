"""The audit log's trees: places, hashes, checkpoints, and what outside of the database has of them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from accounts.actions import tenants
from billing.models import Alert
from compliance import audit, sinks
from compliance.actions import audit_log
from compliance.contracts import Target
from compliance.errors import KeyStoreUnavailable
from compliance.evidence import leaves, notes, proofs, tree
from compliance.keyring import signers
from compliance.models import AuditCheckpoint, AuditEvent, AuditLeaf, AuditLog, AuditPending, AuditTile
from tests.factories import THE_SYSTEM, a_tenant

pytestmark = pytest.mark.django_db(databases=["default", "keys"])


def events(count: int, *, tenant_id: int | None = None) -> None:
    for number in range(count):
        audit.record(by=THE_SYSTEM, action="x.y", target=Target("x", str(number)), tenant_id=tenant_id)


def leaves_of(log: AuditLog) -> list[bytes]:
    """The hashes of a log's events in the order of their places, computed anew."""
    places = dict(AuditLeaf.objects.filter(log=log).values_list("event_id", "index"))
    assert sorted(places.values()) == list(range(len(places)))
    rows = AuditEvent.objects.filter(pk__in=places).values(*leaves.COLUMNS)
    return [leaves.leaf_of(row) for row in sorted(rows, key=lambda row: places[row["id"]])]


@contextmanager
def tampering() -> Iterator[None]:
    """As the tables' owner, who may switch triggers off."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in ("auditevent", "audittile"):
            cursor.execute(f"ALTER TABLE compliance_{table} DISABLE TRIGGER audit_no_change")
        yield
        for table in ("auditevent", "audittile"):
            cursor.execute(f"ALTER TABLE compliance_{table} ENABLE ALWAYS TRIGGER audit_no_change")


def test_it_works() -> None:
    tenant = a_tenant()
    events(3)
    made = audit_log.checkpoint(by=THE_SYSTEM)
    assert {each.log.tenant_id for each in made} == {None, tenant.pk}
    assert not AuditPending.objects.filter(event_id__lte=AuditEvent.objects.latest("pk").pk - 1).exists()
    for each in made:
        log = AuditLog.objects.get(pk=each.log_id)
        opened = notes.open_checkpoint(each.note, origin=log.origin, publics=signers.public_keys())
        assert (opened.size, opened.root) == (log.size, tree.root_of(leaves_of(log)))
        assert (each.size, bytes(each.root)) == (opened.size, opened.root)
    origins = sorted(each.log.origin.split("/", 2)[2] for each in made)
    assert origins == ["platform", f"tenant/{tenant.pk}"]
    assert len({each.log.origin.split("/")[1] for each in made}) == 1


def test_a_log_grows_over_many_tiles_and_proves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "SLICE", 100)
    sizes = []
    for count in (1, 255, 300):
        events(count)
        [made] = audit_log.checkpoint(by=THE_SYSTEM, tenant_id=None)
        sizes.append((made.size, bytes(made.root)))
    log, hashes = made.log, leaves_of(made.log)
    assert made.size == len(hashes) >= 556
    for size, root in sizes:
        assert tree.root_of(hashes[:size]) == proofs.root(log, size) == root
        proof = proofs.consistency(log, size, made.size)
        assert tree.verify_consistency(size, made.size, proof, root, bytes(made.root))
    every = proofs.Proofs(log, made.size)
    for index in range(0, made.size, 50):
        assert every.leaf(index) == hashes[index]
        assert tree.verify_inclusion(index, made.size, hashes[index], every.inclusion(index), bytes(made.root))


def test_only_the_log_that_is_asked_for_grows() -> None:
    acme, umbrella = a_tenant(), a_tenant(slug="umbrella")
    [made] = audit_log.checkpoint(by=THE_SYSTEM, tenant_id=acme.pk)
    assert made.log.tenant_id == acme.pk
    waiting = AuditEvent.objects.filter(pk__in=AuditPending.objects.values("event_id"))
    assert set(waiting.values_list("tenant_id", flat=True)) >= {umbrella.pk}
    assert not waiting.filter(tenant_id=acme.pk).exists()


def test_nothing_new_costs_one_query_however_many_logs_there_are() -> None:
    for number in range(20):
        a_tenant(slug=f"acme-{number}")
    audit_log.checkpoint(by=THE_SYSTEM)
    audit_log.checkpoint(by=THE_SYSTEM)  # the signing key's own event
    with CaptureQueriesContext(connection) as queries:
        assert audit_log.checkpoint(by=THE_SYSTEM) == []
    assert len(queries) == 1


def test_many_logs_cost_as_many_queries_as_one() -> None:
    rows = [a_tenant(slug=f"acme-{number}") for number in range(10)]
    audit_log.checkpoint(by=THE_SYSTEM)
    audit_log.checkpoint(by=THE_SYSTEM)
    counts = []
    for some in (rows[:1], rows):
        for row in some:
            events(1, tenant_id=row.pk)
        with CaptureQueriesContext(connection) as queries:
            assert len(audit_log.checkpoint(by=THE_SYSTEM)) == len(some)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_without_the_keys_database_nothing_gets_a_place(monkeypatch: pytest.MonkeyPatch) -> None:
    a_tenant()
    audit_log.checkpoint(by=THE_SYSTEM)
    events(2)

    def away() -> Any:
        raise KeyStoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(signers, "current", away)
        with pytest.raises(KeyStoreUnavailable):
            audit_log.checkpoint(by=THE_SYSTEM)
    waiting = set(AuditPending.objects.values_list("event_id", flat=True))
    assert len(waiting) >= 2
    assert not AuditLeaf.objects.filter(event_id__in=waiting).exists()
    audit_log.checkpoint(by=THE_SYSTEM)
    assert AuditLeaf.objects.filter(event_id__in=waiting).count() == len(waiting)


def test_nothing_is_signed_on_top_of_hashes_that_were_altered() -> None:
    acme, umbrella = a_tenant(), a_tenant(slug="umbrella")
    audit_log.checkpoint(by=THE_SYSTEM)
    log = AuditLog.objects.get(tenant_id=acme.pk)
    with tampering():
        AuditTile.objects.filter(log=log).update(hashes=b"x" * 32 * log.size)
    events(1, tenant_id=acme.pk)
    events(1, tenant_id=umbrella.pk)
    made = audit_log.checkpoint(by=THE_SYSTEM)
    assert [each.log.tenant_id for each in made] == [umbrella.pk]
    assert AuditLog.objects.get(pk=log.pk).size == log.size


def test_an_event_that_nobody_here_wrote_holds_no_other_up() -> None:
    events(2)
    first = AuditPending.objects.earliest("event_id").event_id
    with tampering():
        AuditEvent.objects.filter(pk=first).update(salts=b"short")
    [made] = audit_log.checkpoint(by=THE_SYSTEM, tenant_id=None)
    assert AuditPending.objects.filter(event_id=first).exists()
    assert AuditLeaf.objects.filter(log=made.log).exists()


def test_the_guards_are_shut_again_afterwards() -> None:
    events(1)
    audit_log.checkpoint(by=THE_SYSTEM)
    events(1)
    with pytest.raises(Exception, match="the audit log only grows"), transaction.atomic():
        AuditPending.objects.all().delete()


# --- sinks -----------------------------------------------------------------------------------------------------------


def test_checkpoints_reach_the_files_once(settings: Settings) -> None:
    tenant = a_tenant()
    made = {each.log.origin: each for each in audit_log.checkpoint(by=THE_SYSTEM)}
    assert audit_log.deliver() >= len(made)
    assert audit_log.deliver() == 0
    for origin, each in made.items():
        [held] = sinks.latest(each.log)
        assert (held.sink, held.origin, held.size, held.note) == ("files", origin, each.size, each.note)
    log = AuditLog.objects.get(tenant_id=tenant.pk)
    tenants.suspend(tenant=tenant, by=THE_SYSTEM)
    [newer] = audit_log.checkpoint(by=THE_SYSTEM, tenant_id=tenant.pk)
    audit_log.deliver()
    assert [held.note for held in sinks.all(log)] == [made[log.origin].note, newer.note]
    path = settings.AUDIT_FILES_DIR / f"{log.origin}.jsonl"
    assert [json.loads(line)["size"] for line in path.read_text().splitlines()] == [made[log.origin].size, newer.size]


def test_a_sink_that_fails_is_offered_the_same_again(settings: Settings, tmp_path: Path) -> None:
    audit_log.deliver()
    events(1)
    [made] = audit_log.checkpoint(by=THE_SYSTEM, tenant_id=None)
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a folder should be")
    settings.AUDIT_FILES_DIR = blocked
    assert audit_log.deliver() == 0
    assert AuditCheckpoint.objects.get(pk=made.pk).delivered_at is None
    assert audit_log.deliver() == 0
    [alert] = Alert.objects.filter(kind="audit_sink_failing")
    assert "files" in alert.label
    assert alert.cleared_at is None
    blocked.unlink()
    assert audit_log.deliver() >= 1
    assert Alert.objects.get(pk=alert.pk).cleared_at is not None
    assert AuditCheckpoint.objects.get(pk=made.pk).delivered_at is not None
    assert made.note in [held.note for held in sinks.latest(made.log)]


def test_a_line_that_a_crash_has_cut_off_is_passed_over(settings: Settings) -> None:
    events(1)
    [made] = audit_log.checkpoint(by=THE_SYSTEM, tenant_id=None)
    path = settings.AUDIT_FILES_DIR / f"{made.log.origin}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"origin": "portcul')
    audit_log.deliver()
    assert [held.note for held in sinks.all(made.log)][-1] == made.note
    assert path.read_text().startswith('{"origin": "portcul\n')


def test_nobody_undoes_its_migration_once_there_are_events() -> None:
    """It would destroy the salts, and with them every proof."""
    events(1)
    undo = import_module("compliance.migrations.0009_audit_log").REVERSE
    with pytest.raises(DatabaseError, match="cannot be undone; restore a backup"), transaction.atomic():
        connection.cursor().execute(undo)
    audit_log.checkpoint(by=THE_SYSTEM)
