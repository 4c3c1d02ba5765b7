"""Runs of the verifier: the command, the alarm, the banner on every page, and closing it."""

from io import StringIO
from typing import Any

import pytest
from celery import current_app
from django.contrib.auth.models import Permission
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client

from accounts.models import User
from compliance import verification
from compliance.actions import verification as actions
from compliance.errors import ActionRefused
from compliance.models import AuditEvent, AuditLog, JobRun
from compliance.sinks.files import Files
from compliance.tasks import verify_audit_log
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.audit import sealed, tamper
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])
PAGE = "/admin/audit-verification/"
BANNER = "The audit log was altered."


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.delete(verification.ALARM)


@pytest.fixture
def log() -> AuditLog:
    return sealed(10, tenant=a_tenant())


@pytest.fixture
def officer(client: Client) -> Client:
    client.force_login(an_admin())
    return client


def alter() -> None:
    tamper("UPDATE compliance_auditevent SET reason = reason || '!' WHERE action = 'tier.changed' AND target_id = '3'")


def restore() -> None:
    tamper("UPDATE compliance_auditevent SET reason = replace(reason, '!', '')")


def verify_audit(*arguments: str) -> str:
    out = StringIO()
    call_command("verify_audit", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_it_works(log: AuditLog) -> None:
    assert "all as it was sealed" in verify_audit()
    run = verification.runs()[0]
    assert (run.state, run.result["findings"], run.result["scope"]) == (JobRun.State.DONE, 0, "all")


def test_a_finding_is_told_with_its_place_and_raises_the_alarm(log: AuditLog) -> None:
    alter()
    out = StringIO()
    with pytest.raises(CommandError, match="altered"):
        call_command("verify_audit", stdout=out, stderr=StringIO())
    index = log.size - 7
    assert f"{log.origin}, index {index}: " in out.getvalue()
    event = AuditEvent.objects.get(action="auditlog.found_altered")
    assert (event.after["log"], event.after["place"], event.outcome) == (log.origin, f"index {index}", "failure")
    assert verify_audit_log() == 1, "as each night"


def test_one_log_alone(log: AuditLog) -> None:
    alter()
    assert "1 logs" in verify_audit("--log", AuditLog.objects.get(tenant_id=None).origin)
    with pytest.raises(CommandError):
        verify_audit("--log", log.origin)
    with pytest.raises(CommandError):
        verify_audit("--log", "portcullis/nobody/platform")


def test_what_was_added_since_the_last_clean_run(log: AuditLog) -> None:
    sealed(300, tenant=a_tenant())
    verify_audit()
    big = AuditLog.objects.order_by("-size")[0]
    sealed(300)
    assert "all as it was sealed" in verify_audit("--since-checkpoint")
    change = "UPDATE compliance_auditevent SET reason = 'x' WHERE id = (SELECT event_id FROM compliance_auditleaf"
    tamper(f"{change} WHERE log_id = %s AND index = 10)", [big.pk])
    assert "all as it was sealed" in verify_audit("--since-checkpoint"), "it counts by its hashes"
    tamper(f"{change} WHERE log_id = %s AND index = %s)", [big.pk, big.size - 1])
    with pytest.raises(CommandError):
        verify_audit("--since-checkpoint")


def test_a_sink_that_does_not_answer_is_no_forgery_and_no_clean_run(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from compliance.sinks import SinkUnavailable

    def down(*_: Any) -> Any:
        raise SinkUnavailable("files: no such device")

    monkeypatch.setattr(Files, "all", down)
    with pytest.raises(CommandError, match="Not all could be verified"):
        verify_audit()
    assert verification.read_alarm() is None
    assert not verification.is_clean(verification.runs()[0])


def test_every_page_says_so_until_it_is_whole_and_somebody_closes_the_alarm(log: AuditLog, officer: Client) -> None:
    pages = ("/admin/", "/admin/accounts/tenant/", "/admin/billing/tier/add/", "/admin/audit-verification/")
    assert not any(BANNER in officer.get(page).text for page in pages)
    alter()
    actions.verify(by=THE_SYSTEM)
    assert all(BANNER in officer.get(page).text for page in pages)
    with pytest.raises(ActionRefused, match="has to be clean first"):
        actions.acknowledge(by=THE_SYSTEM, reason="It will not matter.")
    restore()
    actions.verify(by=THE_SYSTEM)
    assert all(BANNER in officer.get(page).text for page in pages), "nobody has looked into it"
    officer.post("/admin/audit-verification/", {"reason": ""})
    assert verification.read_alarm() is not None
    answer = officer.post("/admin/audit-verification/", {"reason": "A restore had gone wrong; see incident 7."})
    assert answer.status_code == 302
    event = AuditEvent.objects.get(action="auditlog.acknowledged")
    assert (event.actor_kind, event.reason) == ("user", "A restore had gone wrong; see incident 7.")
    cache.delete(verification.ALARM)
    assert not any(BANNER in officer.get(page).text for page in pages)
    with pytest.raises(ActionRefused, match="no alarm"):
        actions.acknowledge(by=THE_SYSTEM, reason="again")


def test_a_clean_run_over_a_part_does_not_count(log: AuditLog) -> None:
    alter()
    actions.verify(by=THE_SYSTEM)
    actions.verify(by=THE_SYSTEM, origins=[AuditLog.objects.get(tenant_id=None).origin])
    with pytest.raises(ActionRefused, match="has to be clean first"):
        actions.acknowledge(by=THE_SYSTEM, reason="looked at")


def test_only_who_may_sees_the_page_or_closes_the_alarm(client: Client, log: AuditLog) -> None:
    alter()
    actions.verify(by=THE_SYSTEM)
    restore()
    actions.verify(by=THE_SYSTEM)
    colleague = an_admin(is_superuser=False)
    client.force_login(colleague)
    assert client.get("/admin/audit-verification/").status_code == 403
    colleague.user_permissions.add(Permission.objects.get(codename="view_auditevent"))
    assert "Somebody with the right" in client.get("/admin/audit-verification/").text
    assert client.post("/admin/audit-verification/", {"reason": "mine"}).status_code == 403


def test_officers_have_it_verified_without_a_terminal(
    officer: Client,
    log: AuditLog,
    monkeypatch: pytest.MonkeyPatch,
    django_capture_on_commit_callbacks: Any,
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, *args, **kwargs: sent.append(name))
    assert "Verify now" in officer.get(PAGE).text
    with django_capture_on_commit_callbacks(execute=True):
        assert officer.post(f"{PAGE}?now").status_code == 302
    assert "compliance.tasks.verify_audit_log" in sent
    assert AuditEvent.objects.filter(action="auditlog.verification_requested", actor_kind="user").count() == 1
    JobRun.objects.create(kind=verification.KIND, started_by="task verify_audit_log", process="elsewhere 1 1.00")
    assert "Verify now" not in officer.get(PAGE).text
    assert "is under way" in officer.post(f"{PAGE}?now", follow=True).text
    assert len(sent) == 1


def test_a_finding_leads_to_its_event_and_its_tenant(officer: Client, log: AuditLog) -> None:
    alter()
    actions.verify(by=THE_SYSTEM)
    event = AuditEvent.objects.get(action="tier.changed", target_id="3")
    text = officer.get(PAGE).text
    assert f'href="/admin/compliance/auditevent/{event.pk}/change/"' in text
    assert f'href="/admin/accounts/tenant/{log.tenant_id}/change/"' in text
    assert '<h3 class="mt-4" id="what-to-do">' in text
    assert "1 findings" not in text
    restore()
    actions.verify(by=THE_SYSTEM)
    officer.post(PAGE, {"reason": "A restore had gone wrong."})
    run = verification.runs()[1]
    name = run.result["acknowledged"].partition(" by user ")[2]
    assert f"by {User.objects.get(pk=name).username}" in officer.get(PAGE).text
