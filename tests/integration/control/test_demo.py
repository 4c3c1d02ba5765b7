"""What a new installation is filled with."""

import json
import stat
from collections import Counter
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db.models import Max, Min, Sum
from django.utils import timezone

from accounts import tokens
from accounts.models import ApiKey, Tenant, User
from billing.ledger.models import Meter
from billing.models import Budget, Price, Tier, UsageRecord
from compliance.models import AuditEvent
from gateway.demo import credentials, seed, upstreams, usage
from gateway.models import Model, Provider

pytestmark = pytest.mark.django_db(databases=["default", "ledger"])


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
    """Seven thousand rows less, for tests that do not look at them."""
    monkeypatch.setattr(usage, "seed", lambda: None)


def test_it_works(demo_file: Path) -> None:
    seed_demo()
    assert list(Tenant.objects.values_list("slug", "time_zone", "subscription__tier__slug")) == [
        ("acme", "Europe/Berlin", "enterprise"),
        ("umbrella", "America/New_York", "free"),
    ]
    assert set(Model.objects.values_list("name", flat=True)) == {"sandbox-small", "sandbox-large"}
    assert demo_file.exists()


def test_a_second_time_changes_nothing(demo_file: Path) -> None:
    seed_demo()
    before = counts(), demo_file.read_text()
    assert "nothing added" in seed_demo()
    assert (counts(), demo_file.read_text()) == before


@pytest.mark.usefixtures("no_history")
def test_the_file_has_what_a_first_call_needs_and_is_private(demo_file: Path) -> None:
    seed_demo()
    found = json.loads(demo_file.read_text())
    assert found.keys() == {"base_url", "api_key", "model", "admin_url", "admin_username", "admin_password"}
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


def seed_demo() -> str:
    output = StringIO()
    call_command("seed_demo", sandbox_port=4711, stdout=output)
    return output.getvalue()


def counts() -> dict[str, int]:
    tables = (Tenant, ApiKey, User, Tier, Budget, Price, Provider, Model, UsageRecord, AuditEvent)
    return {table.__name__: table.objects.count() for table in tables}
