"""Exports of the audit log in the admin: asked for with the filters of the list, followed, and taken."""

import json
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import Group
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from accounts.actions import tenants
from accounts.models import User
from accounts.roles import LEGAL, OFFICERS, OPERATORS
from compliance import verification
from compliance.actions import audit_exports, jobs
from compliance.actions import verification as verifying
from compliance.bundles import files
from compliance.contracts import Actor
from compliance.models import AuditEvent, AuditExport
from tests.factories import a_tenant
from tests.factories.audit import sealed, tamper
from tests.factories.bundles import an_audit_export

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

TASK = Actor(kind="task", id="make_audit_exports")
ADD = reverse("admin:compliance_auditexport_add")
LOG = reverse("admin:compliance_auditevent_changelist")


@pytest.fixture(autouse=True)
def _own_folder(settings: LazySettings, tmp_path: Path) -> None:
    settings.EXPORTS_DIR = tmp_path / "exports"


def somebody(group: str, name: str) -> Client:
    call_command("seed_groups", verbosity=0)
    person = User.objects.create_user(username=name, is_staff=True)
    person.groups.add(Group.objects.get(name=group))
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def officer() -> Client:
    return somebody(OFFICERS, "user-1")


def page_of(export: AuditExport) -> str:
    return reverse("admin:compliance_auditexport_change", args=(export.pk,))


def file_of(export: AuditExport) -> str:
    return reverse("admin:compliance_auditexport_file", args=(export.pk,))


def ask(client: Client, **fields: str) -> AuditExport:
    answer = client.post(ADD, {"log": "platform", **fields})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    return AuditExport.objects.latest("pk")


def test_it_works(officer: Client) -> None:
    export = ask(officer)
    assert "Waiting" in officer.get(page_of(export)).content.decode()
    assert audit_exports.make_waiting(by=TASK) == 1
    text = officer.get(page_of(export)).content.decode()
    assert "Download" in text
    assert AuditExport.objects.get().sha256 in text
    file = officer.get(file_of(export))
    assert (file.status_code, file["Content-Type"]) == (200, "application/zip")
    assert b"".join(file.streaming_content).startswith(b"PK")  # type: ignore[attr-defined]
    assert AuditEvent.objects.filter(action="auditexport.downloaded").count() == 1


def test_the_filters_of_the_log_are_carried_over(officer: Client) -> None:
    tenant = a_tenant()
    asked = {
        "tenant_id": str(tenant.pk),
        "action": "budget.changed",
        "target_kind": "budget",
        "actor_id": "7",
        "occurred_at_from_0": "2026-11-01",
        "occurred_at_to_0": "2026-11-02",
        "occurred_at_to_1": "12:30",
    }
    listed = officer.get(LOG, asked).content.decode()
    assert f"{ADD}?tenant_id={tenant.pk}&amp;action=budget.changed" in listed
    form = officer.get(ADD, asked).context["adminform"].form
    assert {name: form.get_initial_for_field(form.fields[name], name) for name in ("log", "action", "actor_kind")} == {
        "log": str(tenant.pk),
        "action": "budget.changed",
        "actor_kind": "user",
    }
    assert f"{form.initial['since']:%Y-%m-%d %H:%M}" == "2026-11-01 00:00"
    assert f"{form.initial['until']:%Y-%m-%d %H:%M}" == "2026-11-02 12:30"


def log_chosen(client: Client, **asked: str) -> str:
    form = client.get(ADD, asked).context["adminform"].form
    return str(form.get_initial_for_field(form.fields["log"], "log"))


def test_the_log_is_the_one_whose_events_are_listed(officer: Client) -> None:
    acme, umbrella = a_tenant(), a_tenant("umbrella")
    tenants.suspend(tenant=acme, by=TASK, reason="unpaid")
    assert log_chosen(officer, action="tenant.suspended") == str(acme.pk)
    tenants.suspend(tenant=umbrella, by=TASK, reason="unpaid")
    assert log_chosen(officer, action="tenant.suspended") == "", "the events are of two logs: one has to be chosen"
    assert log_chosen(officer, action="group.created") == "platform"
    assert log_chosen(officer) == ""
    assert "Choose the log." in officer.post(ADD, {"log": ""}).content.decode()


def test_who_did_it_is_chosen_by_name(officer: Client) -> None:
    person = User.objects.get(username="user-1")
    form = officer.get(ADD, {"actor_id": str(person.pk)}).context["adminform"].form
    assert form.initial["person"] == str(person.pk)
    assert (str(person.pk), "user-1") in form.fields["person"].widget.choices
    assert ask(officer, person=str(person.pk)).filters == {"actor_kind": "user", "actor_id": str(person.pk)}
    both = officer.post(ADD, {"log": "platform", "person": str(person.pk), "actor_kind": "key"}).content.decode()
    assert "not both" in both


def test_what_is_filled_in_is_what_is_exported(officer: Client) -> None:
    tenant = a_tenant()
    export = ask(
        officer, log=str(tenant.pk), since_0="2026-11-01", since_1="08:00:00", action="tenant.", outcome="success"
    )
    assert export.tenant_id == tenant.pk
    assert export.filters == {"since": "2026-11-01T08:00:00+00:00", "action": "tenant.", "outcome": "success"}
    text = officer.get(page_of(export)).content.decode()
    assert "from 2026-11-01 08:00 UTC on, action tenant., outcome success" in text


def test_a_span_that_is_none_is_refused_with_words(officer: Client) -> None:
    answer = officer.post(
        ADD,
        {
            "log": "platform",
            "since_0": "2026-11-02",
            "since_1": "00:00:00",
            "until_0": "2026-11-01",
            "until_1": "00:00:00",
        },
    )
    assert "This is not after the first moment." in answer.content.decode()
    assert not AuditExport.objects.exists()


def test_too_many_at_once_are_refused_with_words(officer: Client) -> None:
    for _ in range(audit_exports.MOST_AT_ONCE):
        ask(officer)
    assert "Wait until one is ready" in officer.post(ADD, {"log": "platform"}).content.decode()


def test_an_export_of_an_altered_log_says_so(officer: Client) -> None:
    acme, umbrella = a_tenant(), a_tenant("umbrella")
    log, whole = sealed(3, tenant=acme), sealed(3, tenant=umbrella)
    tamper("UPDATE compliance_auditevent SET action = 'tier.added' WHERE tenant_id = %s", [acme.pk])
    cache.delete(verification.ALARM)
    assert verifying.verify(by=TASK).count
    exports = {each.tenant_id: each for each in (ask(officer, log=str(log.tenant_id)) for log in (log, whole))}
    audit_exports.make_waiting(by=TASK)
    for tenant, is_altered in ((acme, True), (umbrella, False)):
        export = exports[tenant.pk]
        export.refresh_from_db()
        assert export.state == AuditExport.State.READY
        assert ("this log was altered" in officer.get(page_of(export)).content.decode()) is is_altered
        with ZipFile(files.path_of(export.public_id)) as archive:
            said = json.loads(archive.read("manifest.json"))["payload"]
        assert ("this log was altered" in said.get("warning", "")) is is_altered
    cache.delete(verification.ALARM)


def test_others_take_it_only_with_the_right(officer: Client) -> None:
    export = ask(officer)
    audit_exports.make_waiting(by=TASK)
    another, legal = somebody(OFFICERS, "user-2"), somebody(LEGAL, "user-3")
    answer = another.get(file_of(export), follow=True)
    assert "Somebody else asked for this export" in answer.content.decode()
    assert legal.get(file_of(export)).status_code == 200
    assert AuditEvent.objects.filter(action="auditexport.downloaded").count() == 1


def test_operators_see_none(officer: Client) -> None:
    export = ask(officer)
    operator = somebody(OPERATORS, "user-4")
    assert operator.get(page_of(export)).status_code == 403
    assert operator.get(ADD).status_code == 403
    assert operator.post(ADD, {"log": "platform"}).status_code == 403


def test_a_file_is_deleted_before_its_time_for_a_reason(officer: Client) -> None:
    export = ask(officer)
    audit_exports.make_waiting(by=TASK)
    url = reverse("admin:compliance_auditexport_remove", args=(export.pk,))
    assert officer.post(url, {"reason": "sent to the wrong auditor"}).status_code == 403
    legal = somebody(LEGAL, "user-3")
    assert legal.post(url, {"reason": "sent to the wrong auditor"}).status_code == 302
    export.refresh_from_db()
    assert (export.state, export.problem) == ("deleted", "sent to the wrong auditor")
    assert "its time is over" in legal.get(file_of(export), follow=True).content.decode()


@pytest.mark.parametrize(
    "query", [{"since": "week"}, {"tenant_id": "platform"}, {"occurred_at_from_0": "x"}, {"q": "1"}]
)
def test_no_filter_of_the_log_breaks_the_form(officer: Client, query: dict[str, Any]) -> None:
    assert officer.get(ADD, query).status_code == 200


def test_a_page_shows_how_far_the_job_is(officer: Client) -> None:
    export = ask(officer)
    AuditExport.objects.update(state="running")
    with jobs.running(kind=audit_exports.KIND, key=str(export.pk), by=TASK) as progress:
        progress.at(40, 100, step="leaves: 1,000 of 2,000 events")
        text = officer.get(page_of(export)).content.decode()
    assert "<strong>40%</strong>" in text
    assert "leaves: 1,000 of 2,000 events" in text


def test_the_list_shows_what_is_under_way(officer: Client) -> None:
    an_audit_export(a_tenant(), action="budget.")
    text = officer.get(reverse("admin:compliance_auditexport_changelist")).content.decode()
    assert "action budget." in text
    assert "Waiting" in text
