"""A tenant that leaves takes everything along, and leaves nothing behind that opens anything."""

import json
import os
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from accounts.actions import tenants
from accounts.models import Tenant
from compliance import erasure_ledger, signing
from compliance.actions import approvals, erasers, jobs, keys, offboarding, replays, tenant_exports
from compliance.actions.jobs import Progress, TakenOver
from compliance.contracts import Actor
from compliance.errors import ActionRefused, KeyStoreUnavailable
from compliance.keyring import store
from compliance.keyring.models import SubjectKey, TenantKey
from compliance.lookups import lookup_of
from compliance.models import (
    AuditEvent,
    ConsentRecord,
    Erasure,
    JobRun,
    LegalHold,
    RetentionPolicy,
    Subject,
    SubjectExport,
    Transcript,
)
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_content_policy
from tests.factories.retention import a_hold, a_hold_request, decide, release
from tests.integration.control.test_erasure import somebody
from tests.integration.control.test_erasure_replay import Backup

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

OLGA, OTTO = Actor(kind="user", id="1"), Actor(kind="user", id="2")


@pytest.fixture(autouse=True)
def _exports(tmp_path: Path) -> Any:
    with override_settings(EXPORTS_DIR=tmp_path):
        yield tmp_path


def a_closed_tenant() -> Tenant:
    tenant = a_tenant()
    a_content_policy(tenant)
    for name in ("ada", "bob"):
        somebody(tenant, name, f"secret of {name}")
    return tenants.close(tenant=tenant, by=THE_SYSTEM)


def offboarded(tenant: Tenant) -> Erasure:
    approval = offboarding.ask(tenant_id=tenant.pk, reason="contract ended", by=OLGA)
    approvals.approve(approval=approval, by=OTTO, reason="yes")
    return offboarding.run(erasure=Erasure.objects.get(tenant=tenant, surrogate=""), by=THE_SYSTEM)


def the_zip(erasure: Erasure) -> zipfile.ZipFile:
    return zipfile.ZipFile(tenant_exports.path_of(erasure=erasure, by=OLGA))


def test_it_works() -> None:
    tenant = a_closed_tenant()
    done = offboarded(tenant)
    assert (done.state, done.problem) == (Erasure.State.COMPLETE, "")
    assert signing.verify(done.certificate or {}, public=signing.public_keys())


def test_the_export_holds_every_conversation_and_name_in_clear_and_is_signed() -> None:
    done = offboarded(a_closed_tenant())
    with the_zip(done) as archive:
        said = archive.read("compliance.transcript.jsonl").decode()
        names = [json.loads(line)["external_id"] for line in archive.read("compliance.subject.jsonl").splitlines()]
        manifest = json.loads(archive.read("manifest.json"))
    assert "secret of ada" in said
    assert "secret of bob" in said
    assert names == ["ada", "bob"]
    assert signing.verify(manifest, public=signing.public_keys())
    assert tenant_exports.path_of(erasure=done, by=OLGA).stat().st_mode & 0o777 == 0o600


def test_a_text_that_does_not_open_keeps_no_tenant_from_leaving() -> None:
    tenant = a_closed_tenant()
    damaged = Transcript.objects.filter(tenant_id=tenant.pk).order_by("created_at").values_list("pk", flat=True)[0]
    with connection.cursor() as cursor:
        cursor.execute("UPDATE transcript SET sealed = sealed || 'x'::bytea WHERE id = %s", [damaged])
    done = offboarded(tenant)
    assert (done.state, done.problem) == (Erasure.State.COMPLETE, "")
    with the_zip(done) as archive:
        records = [json.loads(line) for line in archive.read("compliance.transcript.jsonl").splitlines()]
        told = json.loads(archive.read("manifest.json"))["payload"]["files"]
    assert [record["id"] for record in records if record.get("problem") == "cannot be decrypted"] == [str(damaged)]
    assert "secret of bob" in str(records)
    assert [each["unreadable"] for each in told if "unreadable" in each] == [1]


def test_nothing_secret_is_exported() -> None:
    done = offboarded(a_closed_tenant())
    with the_zip(done) as archive:
        tenant_row = json.loads(archive.read("accounts.tenant.jsonl"))
    assert "pseudonym_salt" not in tenant_row
    assert tenant_row["slug"]


def test_nothing_of_the_tenant_opens_afterwards_and_others_do() -> None:
    tenant, other = a_closed_tenant(), somebody()
    offboarded(tenant)
    assert store.tenant_keys(tenant.pk) == {}
    assert not SubjectKey.objects.filter(tenant_id=tenant.pk, wrapped__isnull=False).exists()
    assert not TenantKey.objects.filter(tenant_id=tenant.pk, wrapped__isnull=False).exists()
    assert not Transcript.objects.filter(tenant_id=tenant.pk).exists()
    assert not Subject.objects.filter(tenant=tenant).exclude(lookup=None, external_id=None, state="erased").exists()
    with pytest.raises(Exception, match="no key"):
        lookup_of(tenant.pk, "ada")
    assert store.subject_keys(other.tenant_id, [other.surrogate])


def test_another_person_has_to_agree() -> None:
    tenant = a_closed_tenant()
    approval = offboarding.ask(tenant_id=tenant.pk, reason="contract ended", by=OLGA)
    with pytest.raises(ActionRefused):
        approvals.approve(approval=approval, by=OLGA)
    with pytest.raises(ActionRefused, match="Another person has to agree"):
        offboarding.begin(approval=approval, by=OTTO)
    assert not Erasure.objects.filter(tenant=tenant).exists()


def test_an_open_tenant_is_refused() -> None:
    with pytest.raises(ActionRefused, match="Close the tenant first"):
        offboarding.ask(tenant_id=a_tenant().pk, reason="x", by=OLGA)


def test_a_tenant_under_a_legal_hold_is_refused() -> None:
    tenant = a_closed_tenant()
    LegalHold.objects.create(tenant=tenant, title="Case 1", reason="court", scope="tenant", state="active")
    with pytest.raises(ActionRefused, match="Case 1"):
        offboarding.ask(tenant_id=tenant.pk, reason="x", by=OLGA)


def test_a_step_that_fails_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = a_closed_tenant()
    with monkeypatch.context() as patch:

        def broken(**_: Any) -> Any:
            raise OSError("no space")

        patch.setattr(tenant_exports, "make", broken)
        tried = offboarded(tenant)
    assert tried.state == Erasure.State.INCOMPLETE
    assert "no space" in tried.problem
    assert store.tenant_keys(tenant.pk), "nothing is destroyed before the export is there"
    assert offboarding.continue_all(by=THE_SYSTEM) == 1
    assert Erasure.objects.get(pk=tried.pk).state == Erasure.State.COMPLETE


# --- holds and laws, until the keys are destroyed ------------------------------------------------------------------


def agreed(tenant: Tenant) -> Erasure:
    """Two people want it; nothing is done yet."""
    approval = offboarding.ask(tenant_id=tenant.pk, reason="contract ended", by=OLGA)
    approvals.approve(approval=approval, by=OTTO, reason="yes")
    return Erasure.objects.get(tenant=tenant, surrogate="")


def test_a_hold_that_is_placed_after_two_agreed_keeps_everything() -> None:
    tenant = a_closed_tenant()
    begun = agreed(tenant)
    hold = a_hold(tenant)
    stopped = offboarding.run(erasure=begun, by=THE_SYSTEM)
    assert (stopped.state, stopped.fenced_at, stopped.destroyed_at) == (Erasure.State.INCOMPLETE, None, None)
    assert hold.title in stopped.problem
    assert Transcript.objects.filter(tenant_id=tenant.pk).count() == 2
    assert store.tenant_keys(tenant.pk)
    assert Subject.objects.filter(tenant=tenant, lookup__isnull=False).count() == 2
    release(hold)
    assert offboarding.run(erasure=begun, by=THE_SYSTEM).state == Erasure.State.COMPLETE


def test_a_hold_that_is_placed_behind_the_fence_keeps_keys_and_conversations(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = a_closed_tenant()
    begun = agreed(tenant)

    def down(**_: Any) -> Any:
        raise KeyStoreUnavailable("The keys database does not answer.")

    with monkeypatch.context() as patch:
        patch.setattr(keys, "destroy_tenant_keys", down)
        assert offboarding.run(erasure=begun, by=THE_SYSTEM).fenced_at
    a_hold(tenant)
    assert offboarding.run(erasure=begun, by=THE_SYSTEM).state == Erasure.State.INCOMPLETE
    assert store.tenant_keys(tenant.pk)
    assert Transcript.objects.filter(tenant_id=tenant.pk).count() == 2


def test_a_law_that_is_entered_after_two_agreed_keeps_everything() -> None:
    tenant = a_closed_tenant()
    begun = agreed(tenant)
    RetentionPolicy.objects.filter(tenant=None, data_class="content").update(
        days=400, floor_days=365, floor_basis="HIPAA, 45 CFR 164.316"
    )
    assert "HIPAA" in offboarding.run(erasure=begun, by=THE_SYSTEM).problem
    assert store.tenant_keys(tenant.pk)


def test_no_hold_is_placed_on_a_tenant_whose_keys_are_destroyed() -> None:
    tenant = a_closed_tenant()
    waiting = a_hold_request(tenant)
    offboarded(tenant)
    with pytest.raises(ActionRefused, match="keys are destroyed"):
        decide(waiting)
    with pytest.raises(ActionRefused, match="keys are destroyed"):
        a_hold_request(tenant)
    waiting.refresh_from_db()
    assert waiting.state == LegalHold.State.REQUESTED


# --- one that is broken, or taken over -----------------------------------------------------------------------------


def test_an_error_in_one_keeps_no_other_tenant_and_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = agreed(a_closed_tenant()), agreed(a_closed_tenant()), agreed(a_closed_tenant())
    make = tenant_exports.make

    def poisoned(*, erasure: Erasure, **about: Any) -> Any:
        if erasure.pk == first.pk:
            raise ValueError("poison")
        return make(erasure=erasure, **about)

    monkeypatch.setattr(tenant_exports, "make", poisoned)
    with jobs.running(kind=offboarding.JOB, key=str(second.tenant_id), by=THE_SYSTEM):
        assert offboarding.continue_all(by=THE_SYSTEM) == 3
    states = dict(Erasure.objects.values_list("pk", "state"))
    assert states == {first.pk: "incomplete", second.pk: "running", third.pk: "complete"}
    assert Erasure.objects.get(pk=first.pk).problem == "export: ValueError"


def test_who_was_taken_over_stops_and_leaves_the_others_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    erasure = agreed(a_closed_tenant())
    write, path = tenant_exports._write, tenant_exports.path_of(erasure=erasure, by=OLGA)

    def slowly(*about: Any) -> Any:
        told = write(*about)
        JobRun.objects.filter(kind=offboarding.JOB).update(process="another")
        path.write_bytes(b"the other's")
        return told

    monkeypatch.setattr(tenant_exports, "_write", slowly)
    with pytest.raises(TakenOver):
        offboarding.run(erasure=erasure, by=THE_SYSTEM)
    assert path.read_bytes() == b"the other's"
    assert list(path.parent.iterdir()) == [path], "what was half written lies in clear, so it goes"
    erasure.refresh_from_db()
    assert (erasure.state, erasure.export) == (Erasure.State.RUNNING, {})
    assert not erasure.steps.exclude(state="waiting").exists()


def test_what_a_dead_process_left_of_an_export_goes() -> None:
    erasure = agreed(a_closed_tenant())
    path = tenant_exports.path_of(erasure=erasure, by=OLGA)
    path.parent.mkdir()
    path.with_suffix(".0123.part").write_text("in clear")
    offboarding.run(erasure=erasure, by=THE_SYSTEM)
    assert list(path.parent.iterdir()) == [path]


def test_a_large_tenant_goes_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = a_closed_tenant()
    told: list[str] = []
    at = Progress.at

    def listening(self: Progress, done: int, total: int | None = None, step: str = "") -> None:
        told.append(step)
        at(self, done, total, step)

    monkeypatch.setattr(erasers, "SLICE", 1)
    monkeypatch.setattr(erasers, "PEOPLE", 1)
    monkeypatch.setattr(Progress, "at", listening)
    assert offboarded(tenant).state == Erasure.State.COMPLETE
    assert [step for step in told if step.startswith("Conversations")] == [
        *("Conversations: 1", "Conversations: 2", "Conversations: 2")
    ]


def test_consents_end_with_a_record_that_says_so() -> None:
    tenant = a_closed_tenant()
    offboarded(tenant)
    rows = ConsentRecord.objects.filter(tenant=tenant)
    assert sorted(rows.values_list("state", "live")) == [
        *(("given", False), ("given", False), ("terminated", True), ("terminated", True))
    ]


def test_it_is_replayed_after_a_restore() -> None:
    tenant = a_closed_tenant()
    backup = Backup("default", "keys")
    first = offboarded(tenant)
    file = tenant_exports.path_of(erasure=first, by=OLGA)
    handed_over = file.read_bytes()
    backup.restore()
    [again] = replays.replay(by=THE_SYSTEM).again
    done = offboarding.run(erasure=again, by=THE_SYSTEM)
    assert (done.pk, done.state, done.problem) == (first.pk, Erasure.State.COMPLETE, "")
    assert done.export == first.export
    assert file.read_bytes() == handed_over
    assert signing.verify(done.certificate or {}, public=signing.public_keys())
    assert store.tenant_keys(tenant.pk) == {}
    assert not Transcript.objects.filter(tenant_id=tenant.pk).exists()
    assert not Subject.objects.filter(tenant=tenant, lookup__isnull=False).exists()
    assert erasure_ledger.read()[0].surrogate == ""


def test_the_file_goes_when_its_time_is_over() -> None:
    done = offboarded(a_closed_tenant())
    assert offboarding.delete_due(by=THE_SYSTEM) == 0
    Erasure.objects.filter(pk=done.pk).update(export={**done.export, "expires_on": "2020-01-01"})
    assert offboarding.delete_due(by=THE_SYSTEM) == 1
    assert AuditEvent.objects.get(action="erasure.export_deleted").target_id == str(done.pk)
    assert offboarding.delete_due(by=THE_SYSTEM) == 0
    with pytest.raises(ActionRefused, match="not there"):
        tenant_exports.read(erasure=done, by=OLGA)


def test_what_a_crash_left_in_clear_goes_and_what_is_being_written_stays() -> None:
    done = offboarded(a_closed_tenant())
    folder = tenant_exports.path_of(erasure=done, by=OLGA).parent
    left, written = folder / f"{done.pk}.dead.part", folder / f"{done.pk}.live.part"
    for part in (left, written):
        part.write_bytes(b"half of it")
    long_ago = (timezone.now() - timedelta(hours=2)).timestamp()
    os.utime(left, (long_ago, long_ago))
    assert offboarding.delete_due(by=THE_SYSTEM) == 1
    assert (left.exists(), written.exists()) == (False, True)


def test_a_download_is_on_record() -> None:
    done = offboarded(a_closed_tenant())
    assert b"".join(tenant_exports.read(erasure=done, by=OLGA))[:2] == b"PK"
    assert AuditEvent.objects.filter(action="erasure.export_downloaded", actor_id="1").exists()
    assert not SubjectExport.objects.exists()
