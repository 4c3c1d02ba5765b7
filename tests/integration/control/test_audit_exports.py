"""Exports of the audit log: asked for, made, verified by the program inside, taken, and deleted."""

import json
import subprocess
import sys
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from accounts.models import Tenant
from compliance import audit, signing
from compliance.actions import audit_exports, audit_log, erasure, jobs
from compliance.bundles import files, source, verify
from compliance.bundles.filters import Filters
from compliance.contracts import Actor, Target
from compliance.errors import ActionRefused
from compliance.models import AuditCheckpoint, AuditEvent, AuditExport, AuditLog, JobRun
from compliance.privacy.bundles import _files_left
from compliance.registry import Class, Person
from compliance.retention import rule_of
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.compliance import a_subject
from tests.unit.compliance.formats.ocsf_rules import problems

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

OFFICER = Actor(kind="user", id="41")
OTHER = Actor(kind="user", id="42")
TASK = Actor(kind="task", id="make_audit_exports")


@pytest.fixture(autouse=True)
def _own_folder(settings: LazySettings, tmp_path: Path) -> None:
    settings.EXPORTS_DIR = tmp_path / "exports"


@pytest.fixture
def acme() -> Tenant:
    """A tenant about which a few things were done."""
    tenant = a_tenant()
    for _ in range(5):
        a_key(tenant=tenant)
    return tenant


def asked(tenant: Tenant | None, *, by: Actor = OFFICER, **chosen: Any) -> AuditExport:
    return audit_exports.request(
        export=AuditExport(tenant_id=tenant.pk if tenant else None, filters=Filters(**chosen).as_json()), by=by
    )


def made(tenant: Tenant | None, **chosen: Any) -> AuditExport:
    export = asked(tenant, **chosen)
    assert audit_exports.make(export=export, by=TASK)
    export.refresh_from_db()
    return export


def checked(export: AuditExport, *, earlier: list[Path] | None = None) -> verify.Report:
    path = files.path_of(export.public_id)
    return verify.verify(path, signing.public_keys(), earlier or [], lambda done, total: None)


def events_of(export: AuditExport) -> list[dict[str, Any]]:
    with zipfile.ZipFile(files.path_of(export.public_id)) as archive:
        return [json.loads(line) for line in archive.read("events.jsonl").splitlines()]


def test_it_works(acme: Tenant) -> None:
    export = made(acme)
    assert export.state == "ready"
    assert checked(export).problems == []
    assert export.events == AuditLog.objects.get(tenant_id=acme.pk).size
    newest = events_of(export)[-1]
    assert (newest["metadata"]["event_code"], newest["unmapped"]["tenant_id"]) == ("auditexport.created", acme.pk)


def test_every_event_is_one_of_ocsf(acme: Tenant) -> None:
    assert {tuple(problems(event)) for event in events_of(made(acme))} == {()}


def test_an_export_of_a_part_proves_each_event(acme: Tenant) -> None:
    export = made(acme, action="apikey.")
    assert checked(export).problems == []
    told = events_of(export)
    assert told
    assert {event["metadata"]["event_code"].split(".")[0] for event in told} == {"apikey"}


def test_filters_choose(acme: Tenant) -> None:
    rows = AuditEvent.objects.filter(tenant_id=acme.pk).order_by("pk")
    middle = rows[3]
    by_time = made(acme, since=middle.occurred_at, until=middle.occurred_at + timedelta(microseconds=1))
    by_object = made(acme, target_kind=middle.target_kind, target_id=middle.target_id)
    by_actor = made(acme, actor_kind="user", actor_id=OFFICER.id)
    assert str(middle.pk) in {event["metadata"]["uid"] for event in events_of(by_time)}
    assert {event["resources"][0]["uid"] for event in events_of(by_object) if "resources" in event} <= {
        middle.target_id
    }
    assert {event["actor"]["user"]["uid"] for event in events_of(by_actor)} == {OFFICER.id}


def test_nothing_of_another_tenant_is_in_it(acme: Tenant) -> None:
    umbrella = a_tenant()
    a_key(tenant=umbrella)
    assert {event["unmapped"]["tenant_id"] for event in events_of(made(acme))} == {acme.pk}
    assert {event["unmapped"]["tenant_id"] for event in events_of(made(None))} == {None}


def test_it_agrees_with_checkpoints_of_before(acme: Tenant, tmp_path: Path) -> None:
    audit_log.checkpoint(by=THE_SYSTEM)
    first = AuditCheckpoint.objects.filter(log__tenant_id=acme.pk).latest("id")
    (tmp_path / "kept").write_text(first.note)
    a_key(tenant=acme)
    for export in (made(acme), made(acme, action="apikey.")):
        report = checked(export, earlier=[tmp_path / "kept"])
        assert (report.problems, report.unchecked) == ([], [])


def test_the_program_inside_verifies_it_where_nothing_of_the_project_is(acme: Tenant, tmp_path: Path) -> None:
    export = made(acme)
    with zipfile.ZipFile(files.path_of(export.public_id)) as archive:
        archive.extractall(tmp_path / "unpacked")
    program, key = tmp_path / "unpacked" / "verify.py", signing.public_keys()[0].hex()
    for bundle in (files.path_of(export.public_id), tmp_path / "unpacked"):
        found = subprocess.run(
            [sys.executable, "-I", str(program), str(bundle), "--key", key], capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stdout + found.stderr


def test_what_was_tampered_with_before_the_export_is_named_by_its_index(acme: Tenant) -> None:
    from django.db import connection

    audit_log.checkpoint(by=THE_SYSTEM)
    victim = AuditEvent.objects.filter(tenant_id=acme.pk).order_by("pk")[2]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE compliance_auditevent DISABLE TRIGGER USER")
        cursor.execute("UPDATE compliance_auditevent SET actor_id = 'nobody' WHERE id = %s", [victim.pk])
        cursor.execute("ALTER TABLE compliance_auditevent ENABLE TRIGGER USER")
    assert checked(made(acme)).problems[0].startswith("The event at index 2 was altered")


def test_an_event_that_is_gone_makes_it_fail_and_say_which(acme: Tenant) -> None:
    from django.db import connection

    audit_log.checkpoint(by=THE_SYSTEM)
    victim = AuditEvent.objects.filter(tenant_id=acme.pk).order_by("pk")[2]
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE compliance_auditevent DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM compliance_auditevent WHERE id = %s", [victim.pk])
        cursor.execute("ALTER TABLE compliance_auditevent ENABLE TRIGGER USER")
    export = asked(acme)
    with pytest.raises(ActionRefused, match="index 2"):
        audit_exports.make(export=export, by=TASK)
    export.refresh_from_db()
    assert (export.state, not files.path_of(export.public_id).exists()) == ("failed", True)
    assert "index 2" in export.problem


# --- the job -----------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process dies."""


def test_one_that_died_is_made_from_the_beginning(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    export = asked(acme)
    with monkeypatch.context() as patched:
        patched.setattr(source, "_fill", _dies)
        with pytest.raises(Killed):
            audit_exports.make(export=export, by=TASK)
    export.refresh_from_db()
    assert export.state == "running"
    assert audit_exports.make_waiting(by=TASK) == 1
    assert list(files.path_of(export.public_id).parent.iterdir()) == [files.path_of(export.public_id)]
    export.refresh_from_db()
    assert checked(export).problems == []


def _dies(*_: Any, **__: Any) -> None:
    raise Killed


def test_one_that_dies_again_and_again_is_given_up(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    export = asked(acme)
    monkeypatch.setattr(source, "_fill", _dies)
    for _ in range(audit_exports.MOST_ATTEMPTS):
        with pytest.raises(Killed):
            audit_exports.make(export=export, by=TASK)
    assert audit_exports.make_waiting(by=TASK) == 0
    export.refresh_from_db()
    assert (export.state, bool(export.problem)) == ("failed", True)


def test_it_is_made_once_at_a_time(acme: Tenant) -> None:
    export = asked(acme)
    with jobs.running(kind=audit_exports.KIND, key=str(export.pk), by=TASK):
        assert audit_exports.make_waiting(by=TASK) == 0
    assert audit_exports.make_waiting(by=TASK) == 1
    assert JobRun.objects.filter(kind=audit_exports.KIND, state="done").latest("id").done == 100


def test_nobody_asks_for_many_at_once(acme: Tenant) -> None:
    for _ in range(audit_exports.MOST_AT_ONCE):
        asked(acme)
    with pytest.raises(ActionRefused, match="are being made"):
        asked(acme)
    assert asked(acme, by=OTHER)


# --- taken, and deleted ------------------------------------------------------------------------------------------


def test_who_asked_takes_it_and_that_is_on_record(acme: Tenant) -> None:
    export = made(acme)
    content = b"".join(audit_exports.download(export=export, by=OFFICER))
    assert content == files.path_of(export.public_id).read_bytes()
    event = AuditEvent.objects.filter(action="auditexport.downloaded").get()
    assert (event.actor_id, event.target_id, event.tenant_id) == ("41", str(export.pk), acme.pk)
    assert event.after["sha256"] == export.sha256
    with pytest.raises(ActionRefused, match="Somebody else"):
        audit_exports.download(export=export, by=OTHER)
    assert audit_exports.download(export=export, by=OTHER, may_download_any=True)


def test_the_file_is_nobody_elses(acme: Tenant) -> None:
    path = files.path_of(made(acme).public_id)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_it_is_deleted_when_its_time_is_over(acme: Tenant) -> None:
    export = made(acme)
    days = rule_of(acme.pk, Class.EXPORTS).days
    assert export.expires_on == timezone.now().date() + timedelta(days=days + 1)
    assert audit_exports.delete_due(by=TASK) == 0
    assert audit_exports.delete_due(by=TASK, as_of=export.expires_on) == 1
    assert not files.path_of(export.public_id).exists()
    export.refresh_from_db()
    assert export.state == "deleted"
    assert AuditEvent.objects.filter(action="auditexport.deleted").count() == 1
    with pytest.raises(ActionRefused, match="its time is over"):
        audit_exports.download(export=export, by=OFFICER)


def test_one_that_names_somebody_who_is_erased_is_deleted(acme: Tenant) -> None:
    naming, other, huge = made(acme), made(acme), made(acme)
    AuditExport.objects.filter(pk=naming.pk).update(subjects=["eu_somebody"])
    AuditExport.objects.filter(pk=huge.pk).update(subjects=None)
    assert audit_exports.delete_naming(person=Person(acme.pk, "eu_somebody"), by=THE_SYSTEM) == 2
    states = {row.pk: row.state for row in AuditExport.objects.all()}
    assert states == {naming.pk: "deleted", other.pk: "ready", huge.pk: "deleted"}
    assert not files.path_of(naming.public_id).exists()


def test_the_platforms_log_may_name_somebody_too(acme: Tenant) -> None:
    audit.record(by=THE_SYSTEM, action="user.changed", target=Target("user", "7"), tenant_id=None)
    naming, other = made(None), made(None)
    AuditExport.objects.filter(pk=naming.pk).update(subjects=["eu_somebody"])
    person = Person(acme.pk, "eu_somebody")
    assert _files_left(person) == 1
    assert audit_exports.delete_naming(person=person, by=THE_SYSTEM) == 1
    assert _files_left(person) == 0
    assert [files.path_of(each.public_id).exists() for each in (naming, other)] == [False, True]


def test_after_an_erasure_nothing_that_names_the_person_is_left_and_a_new_one_proves_the_same(
    acme: Tenant, tmp_path: Path
) -> None:
    ada = a_subject(acme, "ada")
    before, of_others = made(acme), made(acme, target_kind="apikey")
    assert ada.surrogate in (before.subjects or [])
    with zipfile.ZipFile(files.path_of(before.public_id)) as archive:
        (tmp_path / "kept").write_bytes(archive.read("checkpoint"))
        assert ada.surrogate.encode() in archive.read("events.csv")
    begun = erasure.begin(person=Person(acme.pk, ada.surrogate), request_id=None, by=THE_SYSTEM)
    assert erasure.advance(erasure=begun, by=THE_SYSTEM).state == "complete"

    states = {row.pk: row.state for row in AuditExport.objects.all()}
    assert states == {before.pk: "deleted", of_others.pk: "ready"}
    assert not files.path_of(before.public_id).exists()
    after = made(acme)
    report = checked(after, earlier=[tmp_path / "kept"])
    assert (report.problems, report.unchecked) == ([], [])
    assert any(fact.startswith("Redacted: ") for fact in report.facts)


def test_one_that_is_made_while_somebody_is_erased_is_made_anew(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    export, fill = asked(acme), source._fill

    def erased_meanwhile(*args: Any, **more: Any) -> None:
        fill(*args, **more)
        audit_exports.delete_naming(person=Person(acme.pk, "eu_somebody"), by=THE_SYSTEM)

    with monkeypatch.context() as patched:
        patched.setattr(source, "_fill", erased_meanwhile)
        assert not audit_exports.make(export=export, by=TASK)
    assert not files.path_of(export.public_id).exists()
    assert audit_exports.make_waiting(by=TASK) == 1
