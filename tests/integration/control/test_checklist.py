"""The checklist: computed from what is there, stated by people where nothing can be computed."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from accounts.actions import groups
from accounts.models import User
from accounts.roles import LEGAL, OFFICERS
from compliance import audit, controls, own_controls, verification
from compliance.actions import approvals, audit_log, jobs
from compliance.actions import controls as actions
from compliance.contracts import Actor, Target
from compliance.controls import Control, State
from compliance.errors import ActionRefused
from compliance.models import (
    Approval,
    AuditCheckpoint,
    AuditEvent,
    BackupRun,
    ControlStatement,
    Erasure,
    PurgeRun,
    RestoreDrill,
    RetentionPolicy,
    SiemProgress,
)
from compliance.registry import Class
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.control import an_admin
from tests.factories.retention import THE_OFFICER
from tests.factories.siem import a_stream, events, place

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

NOW = timezone.now


def state_of(name: str) -> State:
    (found,) = [each for each in controls.look_at_all() if each.control.name == name]
    return found.finding.state


def words_of(name: str) -> str:
    (found,) = [each for each in controls.look_at_all() if each.control.name == name]
    return found.finding.words


def a_backup(part: str, *, hours_ago: int = 1) -> None:
    at = NOW() - timedelta(hours=hours_ago)
    label = f"{at:%Y%m%dT%H%M%SZ}"
    BackupRun.objects.create(label=label, part=part, state="done", place="here", started_by="test", made_at=at)


def a_drill(*, days_ago: int) -> None:
    drill = RestoreDrill.objects.create(state="passed", started_by="test", rto_s=60, rpo_s=3600)
    RestoreDrill.objects.filter(pk=drill.pk).update(started_at=NOW() - timedelta(days=days_ago))


def verified(*, findings: int = 0, hours_ago: int = 1) -> None:
    with jobs.running(kind="verify_audit", by=THE_SYSTEM) as progress:
        progress.result = {"findings": findings, "scope": "all", "unchecked": 0, "first": []}
    progress.run.started_at = NOW() - timedelta(hours=hours_ago)
    progress.run.save(update_fields=("started_at",))


def test_it_works() -> None:
    looked = controls.look_at_all()
    assert len({each.control.name for each in looked}) == len(looked) > 20
    assert all(each.finding.words.endswith((".", "?")) for each in looked)
    assert all(each.control.references and each.control.wanted for each in looked)


@pytest.mark.parametrize("framework", ["SOC 2", "GDPR", "HIPAA", "EU AI Act"])
def test_each_framework_has_controls(framework: str) -> None:
    found = [each for each in controls.controls() if any(r.framework == framework for r in each.references)]
    assert len(found) >= 5


class TestComputed:
    """Each control is seen in more than one state: none is always fine."""

    def test_backups(self) -> None:
        assert state_of("backups") == State.MISSING
        a_backup("data", hours_ago=40)
        a_backup("keys", hours_ago=40)
        assert state_of("backups") == State.ATTENTION
        a_backup("data")
        a_backup("keys")
        assert state_of("backups") == State.OK

    def test_restore_drills(self) -> None:
        assert state_of("restore-drills") == State.MISSING
        a_drill(days_ago=15)
        assert state_of("restore-drills") == State.ATTENTION
        a_drill(days_ago=1)
        assert state_of("restore-drills") == State.OK
        assert "60 s" in words_of("restore-drills")

    def test_verification_of_the_audit_log(self) -> None:
        assert state_of("audit-verified") == State.MISSING
        verified(hours_ago=60)
        assert state_of("audit-verified") == State.ATTENTION
        verified()
        assert state_of("audit-verified") == State.OK

    def test_checkpoints(self) -> None:
        a_tenant()
        audit_log.checkpoint(by=THE_SYSTEM)
        assert state_of("audit-signed") == State.OK

    def test_checkpoints_that_are_nowhere_else(self, monkeypatch: pytest.MonkeyPatch) -> None:
        a_tenant()
        audit_log.checkpoint(by=THE_SYSTEM)
        monkeypatch.setattr(own_controls, "DELIVERED_WITHIN", timedelta(0))
        waiting = AuditCheckpoint.objects.filter(delivered_at=None).exists()
        assert state_of("audit-outside") == (State.ATTENTION if waiting else State.OK)

    def test_delivery_to_a_siem(self) -> None:
        assert state_of("audit-delivered") == State.ATTENTION
        stream = a_stream(transport="syslog_tls", host="siem.example")
        assert state_of("audit-delivered") == State.OK
        SiemProgress.objects.filter(stream=stream).update(failing_since=NOW())
        assert state_of("audit-delivered") == State.ATTENTION
        SiemProgress.objects.filter(stream=stream).update(failing_since=None)
        place(*events(a_tenant(), 1))
        assert state_of("audit-delivered") == State.OK
        type(stream).objects.filter(pk=stream.pk).update(created_at=NOW() - timedelta(hours=1))
        assert "nothing was tried" in words_of("audit-delivered")
        SiemProgress.objects.filter(stream=stream).update(failing_since=NOW())
        assert stream.name in words_of("audit-delivered")

    def test_how_long_logs_are_kept(self) -> None:
        RetentionPolicy.objects.filter(tenant=None, data_class=Class.AUDIT.value).update(days=184, floor_days=184)
        assert state_of("audit-kept-six-months") == State.OK
        assert state_of("audit-kept-six-years") == State.ATTENTION
        RetentionPolicy.objects.filter(tenant=None, data_class=Class.AUDIT.value).update(days=2557)
        assert state_of("audit-kept-six-years") == State.OK

    def test_policies(self) -> None:
        assert state_of("retention-policies") == State.OK
        RetentionPolicy.objects.filter(tenant=None, data_class=Class.EXPORTS.value).delete()
        assert "Exports" in words_of("retention-policies")

    def test_an_altered_log(self) -> None:
        verified(findings=2)
        cache.delete(verification.ALARM)
        assert state_of("audit-verified") == State.FAILED

    def test_purges(self, monkeypatch: pytest.MonkeyPatch) -> None:
        a_tenant()
        audit_log.checkpoint(by=THE_SYSTEM)
        assert "this installation is new" in words_of("purges")
        assert state_of("purges") == State.ATTENTION
        with monkeypatch.context() as later:
            later.setattr(own_controls, "PURGED_WITHIN", timedelta(0))
            assert state_of("purges") == State.MISSING
        PurgeRun.objects.create(as_of=NOW().date(), plan_hash="", state="failed", started_by="test")
        assert state_of("purges") == State.FAILED
        PurgeRun.objects.create(as_of=NOW().date(), plan_hash="", state="done", started_by="test")
        assert state_of("purges") == State.OK

    def test_the_ledger_of_erasures(self, settings: Any) -> None:
        assert state_of("erasure-ledger") == State.ATTENTION
        settings.ERASURE_LEDGER = [*settings.ERASURE_LEDGER, "/elsewhere"]
        assert state_of("erasure-ledger") == State.OK

    def test_encrypted_ways(self, settings: Any) -> None:
        assert state_of("encrypted-ways") == State.ATTENTION
        settings.HTTPS_ONLY = True
        assert state_of("encrypted-ways") == State.OK

    def test_tenants_keys(self, settings: Any) -> None:
        assert state_of("keys-rotate") == State.OK
        settings.TENANT_KEY_DAYS = 0
        assert state_of("keys-rotate") == State.ATTENTION

    def test_jobs(self) -> None:
        assert state_of("jobs-end") == State.OK
        with pytest.raises(RuntimeError), jobs.running(kind="test", by=THE_SYSTEM):
            raise RuntimeError
        assert state_of("jobs-end") == State.ATTENTION

    def test_two_people(self) -> None:
        User.objects.update(is_active=False)
        assert state_of("two-approvers") == State.MISSING
        an_admin()
        an_admin()
        assert state_of("two-approvers") == State.OK

    def test_dormant_people(self) -> None:
        person = an_admin()
        assert state_of("access-dormant") == State.OK
        User.objects.filter(pk=person.pk).update(last_login=NOW() - timedelta(days=91))
        assert state_of("access-dormant") == State.ATTENTION

    def test_few_may_do_everything(self) -> None:
        User.objects.update(is_active=False)
        an_admin()
        assert "Everybody" in words_of("access-least")
        assert state_of("access-least") == State.ATTENTION
        an_admin(is_superuser=False)
        assert state_of("access-least") == State.OK

    def test_api_keys(self) -> None:
        key, _ = a_key()
        assert "1 of 1 active keys have no date" in words_of("api-keys-rotate")
        assert state_of("api-keys-rotate") == State.ATTENTION
        type(key).objects.filter(pk=key.pk).update(rotation_due_at=NOW() + timedelta(days=90))
        assert state_of("api-keys-rotate") == State.OK
        another, _ = a_key(key.application)
        assert "1 of 2 active keys have no date" in words_of("api-keys-rotate")
        assert state_of("api-keys-rotate") == State.OK
        type(key).objects.filter(pk=another.pk).update(secret_since=NOW() - timedelta(hours=3))
        assert state_of("api-keys-rotate") == State.ATTENTION
        type(key).objects.filter(pk=key.pk).update(secret_since=NOW() - timedelta(days=400))
        assert state_of("api-keys-rotate") == State.ATTENTION

    def test_grave_actions(self) -> None:
        Approval.objects.create(
            action="rootkey.retired",
            target_kind="rootkey",
            target_id="1",
            reason="old",
            requested_by="user 1",
            expires_at=NOW() + approvals.EXPIRES_IN,
        )
        assert "1 wait" in words_of("two-people")
        assert state_of("two-people") == State.OK

    def test_grave_actions_that_nobody_else_agreed_to(self) -> None:
        tenant = a_tenant()
        Erasure.objects.create(tenant_id=tenant.pk, requested_by="user 1", state=Erasure.State.RUNNING)
        audit.record(by=THE_SYSTEM, action="legalhold.released", target=Target("legalhold", "7"), tenant_id=tenant.pk)
        done = (("tenant.offboarded", "tenant", str(tenant.pk)), ("legal_hold.released", "legalhold", "7"))
        for number, (action, kind, pk) in enumerate(done):
            assert state_of("two-people") == State.FAILED
            assert f"{2 - number} grave actions" in words_of("two-people")
            Approval.objects.create(
                action=action,
                target_kind=kind,
                target_id=pk,
                reason="x",
                state="approved",
                requested_by="user 1",
                decided_by="user 2",
                decided_at=NOW(),
                expires_at=NOW(),
            )
        assert state_of("two-people") == State.OK
        assert "each of the 2 grave" in words_of("two-people")

    def test_one_that_cannot_be_computed_hides_no_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def away() -> controls.Finding:
            raise OperationalError

        control = Control(name="away", title="Away", group="Access", references=(), wanted="", compute=away)
        monkeypatch.setitem(controls._controls, "away", control)
        assert state_of("away") == State.ATTENTION
        assert len(controls.look_at_all()) > 20


class TestStatements:
    def a_statement(self, **fields: Any) -> ControlStatement:
        values = {
            "control": "training",
            "role": "Security officer",
            "text": "Everybody was trained.",
            "expires_on": NOW().date() + timedelta(days=300),
        }
        return ControlStatement(**{**values, **fields})

    def test_it_holds_until_it_ends(self) -> None:
        assert state_of("training") == State.MISSING
        statement = actions.state(statement=self.a_statement(), by=THE_OFFICER)
        assert state_of("training") == State.OK
        assert "Security officer" in words_of("training")
        ControlStatement.objects.filter(pk=statement.pk).update(expires_on=NOW().date() + timedelta(days=20))
        assert state_of("training") == State.ATTENTION
        ControlStatement.objects.filter(pk=statement.pk).update(expires_on=NOW().date() - timedelta(days=1))
        assert state_of("training") == State.MISSING

    def test_it_is_in_the_audit_log(self) -> None:
        actions.state(statement=self.a_statement(), by=THE_OFFICER)
        event = AuditEvent.objects.get(action="controlstatement.created")
        assert (event.actor_id, event.after["role"]) == ("1001", "Security officer")

    def test_what_is_computed_cannot_be_stated(self) -> None:
        with pytest.raises(ActionRefused, match="computed"):
            actions.state(statement=self.a_statement(control="backups"), by=THE_OFFICER)
        with pytest.raises(ActionRefused):
            actions.state(statement=self.a_statement(control="nothing-of-the-kind"), by=THE_OFFICER)

    def test_only_a_person_states_something(self) -> None:
        with pytest.raises(ActionRefused, match="signed in"):
            actions.state(statement=self.a_statement(), by=Actor(kind="command", id="test"))

    @pytest.mark.parametrize("days", [-1, 0, 400])
    def test_it_ends_within_a_year(self, days: int) -> None:
        with pytest.raises(ValidationError, match="within the coming year"):
            actions.state(statement=self.a_statement(expires_on=NOW().date() + timedelta(days=days)), by=THE_OFFICER)

    def test_a_role_is_named(self) -> None:
        with pytest.raises(ValidationError):
            actions.state(statement=self.a_statement(role=""), by=THE_OFFICER)


class TestPage:
    @pytest.fixture
    def browser(self, client: Client) -> Client:
        client.force_login(an_admin())
        return client

    def test_it_works(self, browser: Client) -> None:
        text = browser.get("/admin/checklist/").content.decode()
        for each in controls.controls():
            assert escape(each.title) in text
        assert "There is no good backup of data and keys." in text
        assert 'href="/admin/compliance/backuprun/"' in text

    def test_one_framework(self, browser: Client) -> None:
        text = browser.get("/admin/checklist/?framework=EU+AI+Act").content.decode()
        assert "People oversee high-risk uses" in text
        assert "Backups can be restored" not in text

    def test_every_link_leads_somewhere(self, browser: Client) -> None:
        for _, lines in browser.get("/admin/checklist/").context["groups"]:
            for line in lines:
                assert line.evidence_url or not line.evidence, line.name

    @pytest.mark.parametrize("role", [OFFICERS, LEGAL])
    def test_its_readers_may_open_every_link(self, role: str, client: Client) -> None:
        groups.seed(by=THE_SYSTEM)
        person = an_admin(is_superuser=False)
        person.groups.add(Group.objects.get(name=role))
        client.force_login(person)
        page = client.get("/admin/checklist/")
        lines = [line for _, lines in page.context["groups"] for line in lines]
        assert all(line.evidence_url for line in lines if line.evidence)
        for url in {line.evidence_url for line in lines if line.evidence_url}:
            assert client.get(url).status_code == 200, url
        for url in ("/admin/billing/alert/", "/admin/billing/alertrule/", "/admin/compliance/evidencepack/add/"):
            assert client.get(url).status_code == 200, url

    def test_without_a_right_there_is_a_name_and_no_link(self, client: Client) -> None:
        person = an_admin(is_superuser=False)
        person.user_permissions.add(Permission.objects.get(codename="view_controlstatement"))
        client.force_login(person)
        page = client.get("/admin/checklist/")
        assert [line.name for _, lines in page.context["groups"] for line in lines if line.evidence_url] == []
        text = page.content.decode()
        assert "Restore drills" in text
        assert "Make an evidence pack" not in text
        assert "State it" not in text

    def test_a_statement_is_made(self, browser: Client) -> None:
        values = {"role": "Security officer", "text": "It was practised.", "expires_on": NOW().date() + timedelta(30)}
        assert "practised within a year" in browser.get("/admin/checklist/incident-plan/").content.decode()
        browser.post("/admin/checklist/incident-plan/", values)
        text = browser.get("/admin/checklist/").content.decode()
        assert "Stated by the Security officer" in text
        assert "It was practised." in text

    def test_what_is_refused_is_said_in_the_form(self, browser: Client) -> None:
        values = {"role": "Security officer", "text": "So it is.", "expires_on": date(2099, 1, 1)}
        text = browser.post("/admin/checklist/incident-plan/", values).content.decode()
        assert "within the coming year" in text

    def test_what_is_computed_has_no_form(self, browser: Client) -> None:
        assert browser.get("/admin/checklist/backups/").status_code == 404

    def test_who_may_not_see_it(self, client: Client) -> None:
        client.force_login(an_admin(is_superuser=False))
        assert client.get("/admin/checklist/").status_code == 403
        assert client.get("/admin/checklist/training/").status_code == 403

    def test_it_asks_for_little(self, browser: Client, django_assert_max_num_queries: Callable[..., Any]) -> None:
        with django_assert_max_num_queries(80):
            browser.get("/admin/checklist/")
