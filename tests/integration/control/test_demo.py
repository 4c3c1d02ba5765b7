"""What a new installation is filled with."""

import json
import stat
from collections import Counter
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core.management import call_command
from django.db.models import Max, Min, Sum
from django.test import Client
from django.utils import timezone

from accounts import key_uses, roles, tokens
from accounts.models import ApiKey, Tenant, User
from billing.ledger.models import Meter
from billing.models import Budget, Price, Tier, UsageRecord
from compliance.actions import readings
from compliance.models import (
    Approval,
    AuditEvent,
    AuditExport,
    ConsentRecord,
    ContentDecision,
    EvidencePack,
    LegalHold,
    SubjectRequest,
    Transcript,
)
from compliance.purgers import Scope
from compliance.purging import plans
from gateway.demo import credentials, privacy, seed, traffic, upstreams, usage
from gateway.guards.registry import guards
from gateway.models import GuardDecision, GuardPolicy, Leak, Model, Provider, ReviewItem

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])


@pytest.fixture(autouse=True)
def demo_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "demo.json"
    monkeypatch.setattr(credentials.write, "__defaults__", (path,))
    monkeypatch.setattr(credentials.read, "__defaults__", (path,))
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return path


@pytest.fixture
def no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven thousand rows less, for tests that do not look at them, and nobody who has agreed to anything."""
    monkeypatch.setattr(usage, "seed", lambda: None)
    monkeypatch.setattr(privacy, "seed", lambda by: None)


@pytest.fixture
def short_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three days of it, for tests that are not about two weeks."""
    monkeypatch.setattr(traffic, "DAYS", 3)


@pytest.mark.usefixtures("short_history")
def test_it_works(demo_file: Path) -> None:
    seed_demo()
    assert list(Tenant.objects.values_list("slug", "time_zone", "subscription__tier__slug")) == [
        ("acme", "Europe/Berlin", "enterprise"),
        ("umbrella", "America/New_York", "free"),
    ]
    assert set(Model.objects.values_list("name", flat=True)) == {"sandbox-small", "sandbox-large"}
    assert demo_file.exists()


@pytest.mark.usefixtures("short_history")
def test_a_second_time_changes_nothing(demo_file: Path) -> None:
    seed_demo()
    before = counts(), demo_file.read_text()
    assert "nothing added" in seed_demo()
    assert (counts(), demo_file.read_text()) == before


@pytest.mark.usefixtures("no_history")
def test_a_second_person_can_approve_and_is_told_of_alerts(client: Client) -> None:
    seed_demo()
    officer = User.objects.get(username=seed.OFFICER)
    found = credentials.read()
    assert found is not None
    assert client.login(username=found.officer_username, password=found.officer_password)
    assert officer.email
    assert {group.name for group in officer.groups.all()} == {roles.OFFICERS, roles.LEGAL}
    assert officer.has_perm("compliance.change_approval")


@pytest.mark.usefixtures("no_history")
def test_a_worker_finds_evidence_to_make(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, *args, **kwargs: sent.append(name))
    with django_capture_on_commit_callbacks(execute=True):
        seed_demo()
    assert {"back_up", "restore_drill", "verify_audit_log"} <= {name.rpartition(".")[2] for name in sent}
    assert AuditExport.objects.get().tenant_id == Tenant.objects.get(slug="acme").pk
    assert EvidencePack.objects.count() == 1
    leak = Leak.objects.get()
    assert (leak.outcome, leak.key.status) == (Leak.Outcome.REVOKED, ApiKey.Status.REVOKED)


@pytest.mark.usefixtures("short_history")
def test_keys_are_older_than_what_they_were_used_for() -> None:
    seed_demo()
    first = dict(UsageRecord.objects.values("api_key_id").annotate(at=Min("at")).values_list("api_key_id", "at"))
    last = dict(UsageRecord.objects.values("api_key_id").annotate(at=Max("at")).values_list("api_key_id", "at"))
    for key in ApiKey.objects.filter(pk__in=list(filter(None, first))):
        assert max(key.created_at, key.secret_since) < first[key.pk]
        assert key_uses.of_secrets([key.public_id])[key.public_id] == last[key.pk]


@pytest.mark.usefixtures("no_history")
def test_the_file_has_what_a_first_call_needs_and_is_private(demo_file: Path) -> None:
    seed_demo()
    found = json.loads(demo_file.read_text())
    assert found.keys() == {
        *("base_url", "api_key", "model", "admin_url", "admin_username", "admin_password"),
        *("officer_username", "officer_password"),
    }
    assert stat.S_IMODE(demo_file.stat().st_mode) == 0o600
    token = tokens.parse(found["api_key"])
    assert token
    assert ApiKey.objects.get(public_id=token.public_id).application.slug == "support"
    assert User.objects.get(username=found["admin_username"]).check_password(found["admin_password"])
    assert Model.objects.filter(name=found["model"]).exists()


@pytest.mark.usefixtures("no_history")
def test_tiers_are_as_documented() -> None:
    seed_demo()
    limits = Tier.objects.values_list("slug", "requests_per_minute", "requests_per_hour", "requests_per_day")
    assert set(limits) == {
        ("free", 10, 100, 1_000),
        ("premium", 60, 1_000, 50_000),
        ("enterprise", 600, 10_000, 1_000_000),
    }


def test_usage_covers_two_weeks_up_to_now_and_every_kind_of_ending() -> None:
    seed_demo()
    assert 3_000 < UsageRecord.objects.count() < 12_000
    span = UsageRecord.objects.aggregate(first=Min("at"), last=Max("at"))
    assert timezone.now() - timedelta(days=15) < span["first"] < timezone.now() - timedelta(days=12)
    assert span["last"] < timezone.now()
    codes = Counter(UsageRecord.objects.filter(outcome="refused").values_list("code", flat=True))
    assert codes.keys() == {"rate_limit_exceeded", "insufficient_quota", "model_not_found"}
    assert UsageRecord.objects.values("application_id").distinct().count() == 5


def test_budgets_begin_with_what_their_period_has_cost() -> None:
    seed_demo()
    total = Budget.objects.get(name="Trial credit")
    spent = UsageRecord.objects.filter(tenant_id=total.tenant_id).aggregate(sum=Sum("cost_nano"))["sum"]
    meter = Meter.objects.get(tenant_id=total.tenant_id, name=total.meter_name)
    assert meter.used == spent
    assert 0 < meter.used < total.limit_nano


@pytest.mark.usefixtures("short_history")
def test_conversations_are_those_of_people_who_agreed() -> None:
    seed_demo()
    agreed = ConsentRecord.objects.filter(purpose="store_conversations", live=True, state="given")
    people = set(agreed.values_list("subject__surrogate", flat=True))
    assert len(people) == len(privacy.GIVEN)
    stored = Transcript.objects.all()
    assert len(stored) > 20
    assert {row.surrogate for row in stored} <= people
    recent = [row for row in stored if row.created_at > timezone.now() - timedelta(days=30)]
    assert UsageRecord.objects.filter(request_id__in=[row.pk for row in recent]).count() == len(recent)
    reasons = Counter(ContentDecision.objects.values_list("reason", flat=True))
    assert reasons[""] == len(stored)
    assert reasons["no_consent"]
    found = readings.read(transcript=stored[0], reason="to see the demo", may_read_restricted=False, by=seed.ACTOR)
    assert found.content["answer"]["choices"][0]["message"]["content"] in dict(privacy.SAID).values()


@pytest.mark.usefixtures("short_history")
def test_something_is_due_and_a_hold_waits_for_a_second_person() -> None:
    seed_demo()
    due = plans.make(Scope(as_of=plans.next_run().date()))
    assert due.rows == privacy.DUE
    hold = LegalHold.objects.get()
    assert hold.state == "requested"
    assert Approval.objects.get(state="requested").target_id == str(hold.pk)


def test_a_queue_of_requests_waits_and_none_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "seed", lambda: None)
    seed_demo()
    waiting = SubjectRequest.objects.filter(closed_at=None)
    assert set(waiting.values_list("right", flat=True)) == {"access", "rectification", "erasure"}
    assert all(request.due_at > timezone.now() for request in waiting)


@pytest.mark.usefixtures("no_history")
def test_every_row_has_its_audit_event() -> None:
    seed_demo()
    assert set(AuditEvent.objects.values_list("actor_kind", "actor_id")) == {("command", "seed_demo")}
    created = Counter(AuditEvent.objects.values_list("action", flat=True))
    assert created["apikey.created"] == ApiKey.objects.count()
    assert created["budget.opened"] == Budget.objects.filter(each="").count()


@pytest.mark.usefixtures("no_history")
def test_an_administrator_who_is_there_keeps_the_password(demo_file: Path) -> None:
    User.objects.create_user("admin", password="chosen before")
    seed_demo()
    assert json.loads(demo_file.read_text())["admin_password"] == ""
    assert User.objects.get(username="admin").check_password("chosen before")


@pytest.mark.usefixtures("no_history")
def test_the_sandbox_can_move() -> None:
    seed_demo()
    assert upstreams.sandbox_port() == 4711
    upstreams.move_sandbox(port=4712, by=seed.ACTOR)
    assert upstreams.sandbox_port() == 4712


@pytest.mark.usefixtures("no_history")
def test_a_sandbox_elsewhere_is_not_ours_to_start() -> None:
    seed_demo()
    Provider.objects.filter(slug="sandbox").update(base_url="https://sandbox.example/v1")
    assert upstreams.sandbox_port() is None


def test_acme_has_a_guard_policy_and_something_to_review() -> None:
    seed_demo()
    policy = GuardPolicy.objects.get(tenant__slug="acme")
    known = guards()
    assert all(rule.guard in known for rule in policy.rules.all())
    names = {name for guard in known.values() for name in guard.rule_names}
    found = set(GuardDecision.objects.exclude(guard__in=("patterns", "dictionaries")).values_list("rule", flat=True))
    assert found <= names
    assert set(ReviewItem.objects.values_list("state", flat=True)) == {"open", "confirmed", "dismissed"}
    assert GuardDecision.objects.filter(request_id__in=Transcript.objects.values("id")).exists()


def seed_demo() -> str:
    output = StringIO()
    call_command("seed_demo", sandbox_port=4711, stdout=output)
    return output.getvalue()


def counts() -> dict[str, int]:
    tables = (Tenant, ApiKey, User, Tier, Budget, Price, Provider, Model, UsageRecord, AuditEvent)
    return {table.__name__: table.objects.count() for table in tables}
