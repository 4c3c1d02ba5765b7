"""Policies say how long what is kept; SQL and Python read them alike."""

import io
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.models import Tenant
from compliance import retention as reading
from compliance import tasks
from compliance.actions import consents, retention
from compliance.errors import ActionRefused
from compliance.models import AuditEvent, ConsentRecord, PurgeRun, RetentionPolicy, Transcript
from compliance.purgers import Scope
from compliance.purging import plans
from compliance.registry import Class
from compliance.retention_rules import due_on
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.compliance import a_consent, a_subject
from tests.factories.retention import a_hold, a_retention_policy, a_transcript

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


def everybodys(data_class: str = "content") -> RetentionPolicy:
    return RetentionPolicy.objects.get(tenant=None, data_class=data_class)


class TestPolicies:
    def test_it_works(self, acme: Tenant) -> None:
        assert reading.rule_of(acme.pk, Class.CONTENT).days == 30
        a_retention_policy(acme, days=90)
        assert reading.rule_of(acme.pk, Class.CONTENT).days == 90
        assert reading.rule_of(a_tenant("umbrella").pk, Class.CONTENT).days == 30

    def test_every_class_that_goes_by_the_day_has_everybodys(self) -> None:
        rows = RetentionPolicy.objects.filter(tenant=None)
        assert {row.data_class for row in rows} == set(RetentionPolicy.DataClass.values)
        assert all(row.days >= row.floor_days and row.reason for row in rows)

    def test_a_change_counts_and_is_on_record(self, acme: Tenant) -> None:
        policy = a_retention_policy(acme, days=90)
        before = reading.versions()
        policy.days, policy.reason = 60, "a new contract"
        retention.change(policy=policy, by=THE_SYSTEM)
        assert (policy.version, reading.versions() != before) == (2, True)
        event = AuditEvent.objects.get(action="retentionpolicy.changed", target_id=str(policy.pk))
        assert (event.before["days"], event.after["days"], event.reason) == (90, 60, "a new contract")

    def test_less_than_everybodys_floor_is_refused_with_the_law(self, acme: Tenant) -> None:
        with pytest.raises(ValidationError, match=r"184 days are required by law \(EU AI Act"):
            a_retention_policy(acme, days=183, data_class="metadata")
        assert a_retention_policy(acme, days=184, data_class="metadata").pk

    def test_less_than_its_own_floor_is_refused(self, acme: Tenant) -> None:
        with pytest.raises(ValidationError, match=r"2190 days are required by law \(HIPAA"):
            a_retention_policy(acme, days=365, data_class="audit", floor_days=2190, floor_basis="HIPAA")

    def test_a_floor_names_its_law(self, acme: Tenant) -> None:
        with pytest.raises(ValidationError, match="which law"):
            a_retention_policy(acme, days=90, floor_days=10)

    def test_the_database_refuses_less_than_the_floor_too(self, acme: Tenant) -> None:
        policy = a_retention_policy(acme, days=90)
        with pytest.raises(IntegrityError, match="retention_above_floor"), transaction.atomic():
            RetentionPolicy.objects.filter(pk=policy.pk).update(floor_days=91, floor_basis="a law")

    def test_there_is_one_for_a_tenant_and_class(self, acme: Tenant) -> None:
        a_retention_policy(acme, days=90)
        with pytest.raises(ValidationError, match="There is a policy"):
            a_retention_policy(acme, days=60)

    def test_everybodys_cannot_be_removed(self) -> None:
        with pytest.raises(ActionRefused, match="Change it instead"):
            retention.remove(policy=everybodys(), by=THE_SYSTEM)

    def test_it_stays_one_of_its_tenant_and_class(self, acme: Tenant) -> None:
        policy = a_retention_policy(acme, days=90)
        policy.tenant = a_tenant("umbrella")
        with pytest.raises(ValidationError, match="Add another one"):
            retention.change(policy=policy, by=THE_SYSTEM)

    def test_backups_are_of_all_tenants(self, acme: Tenant) -> None:
        with pytest.raises(ValidationError, match="all tenants"):
            a_retention_policy(acme, days=3, data_class="backups")


class TestFloors:
    def test_the_higher_one_binds_erasures_too(self, acme: Tenant) -> None:
        assert reading.floor_for(acme.pk, Class.AUDIT).days == 184
        a_retention_policy(acme, days=2190, data_class="audit", floor_days=2190, floor_basis="HIPAA")
        assert reading.floor_for(acme.pk, Class.AUDIT) == reading.Floor(2190, "HIPAA")
        assert reading.floor_for(a_tenant("umbrella").pk, Class.AUDIT).days == 184

    def test_without_one_nothing_binds(self, acme: Tenant) -> None:
        assert reading.floor_for(acme.pk, Class.CONTENT) == reading.Floor(0, "")
        assert reading.floor_for(acme.pk, Class.USAGE) == reading.Floor(0, "")


@pytest.mark.parametrize("own", [None, (10, 0), (10, 10), (90, 20)])
@pytest.mark.parametrize("theirs", [(30, 0), (30, 30), (60, 15)])
def test_sql_and_python_say_the_same(acme: Tenant, own: tuple[int, int] | None, theirs: tuple[int, int]) -> None:
    if own:
        a_retention_policy(acme, days=own[0], floor_days=own[1], floor_basis="a law")
    policy = everybodys()
    policy.days, policy.floor_days, policy.floor_basis = *theirs, "another law"
    retention.change(policy=policy, by=THE_SYSTEM)
    days = reading.rule_of(acme.pk, Class.CONTENT).days
    at = datetime(2024, 2, 28, 23, 59, 59, tzinfo=UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT retention_days(%s, 'content'), content_expires_on(%s, %s)", [acme.pk, acme.pk, at])
        assert cursor.fetchone() == (days, due_on(date(2024, 2, 28), days))


class TestConsents:
    """They go six years after they ended, and never while they allow something."""

    def later(self, monkeypatch: pytest.MonkeyPatch, days: int) -> int:
        """How many rows a run so many days from now removes."""
        day = timezone.now().astimezone(UTC).date() + timedelta(days=days)
        monkeypatch.setattr(plans, "today", lambda: day)
        return tasks.purge()

    def test_what_was_withdrawn_goes_with_its_history(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        subject = a_subject(acme)
        a_consent(subject)
        consents.withdraw(subject=subject, purpose="store_conversations", by=THE_SYSTEM)
        assert self.later(monkeypatch, 2190) == 0
        assert self.later(monkeypatch, 2191) == 2
        assert not ConsentRecord.objects.filter(subject=subject).exists()

    def test_what_allows_something_stays(self, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
        subject = a_subject(acme)
        a_consent(subject)
        assert self.later(monkeypatch, 9999) == 0
        assert ConsentRecord.objects.filter(subject=subject).exists()

    def test_any_hold_that_is_not_on_another_person_keeps_it(
        self, acme: Tenant, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held, free = a_subject(acme), a_subject(acme)
        for subject in (held, free):
            a_consent(subject, state="refused")
        a_hold(acme, scope="subject", surrogate=held.surrogate)
        assert self.later(monkeypatch, 2191) == 1
        a_hold(acme, scope="key", api_key_id=7)
        assert ConsentRecord.objects.get(subject__tenant=acme).subject == held


class TestCommand:
    def test_it_shows_and_then_removes_what_it_showed(self, acme: Tenant) -> None:
        a_transcript(acme.pk, plans.today() - timedelta(days=31))
        shown = self.run()
        assert f"tenant {acme.pk}: 1 conversations" in shown
        assert "kept 30 days (policy of the platform)" in shown
        assert Transcript.objects.filter(tenant_id=acme.pk).exists()
        assert "1 rows removed" in self.run("--plan", shown.split()[-1])
        assert not Transcript.objects.filter(tenant_id=acme.pk).exists()

    def test_it_refuses_another_plan(self, acme: Tenant) -> None:
        with pytest.raises(CommandError, match="Look again"):
            self.run("--plan", "0" * 64)

    def run(self, *arguments: str) -> str:
        out = io.StringIO()
        call_command("purge", *arguments, stdout=out)
        return out.getvalue()


class TestTasks:
    def test_the_nightly_purge(self, acme: Tenant) -> None:
        a_transcript(acme.pk, plans.today() - timedelta(days=31))
        assert tasks.purge() == plans.make(Scope(as_of=plans.today(), tenant_id=acme.pk)).rows + 1
        assert PurgeRun.objects.latest("pk").started_by == "task purge"

    def test_holds_are_settled(self, acme: Tenant) -> None:
        a_transcript(acme.pk, plans.today())
        a_hold(acme)
        assert tasks.settle_holds() == 1

    def test_approvals_expire(self) -> None:
        assert tasks.expire_approvals() == 0
