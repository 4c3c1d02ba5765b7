"""What the requests of a key are charged to: tier, tier limits and budgets, at a time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import ApiKey, Tenant
from billing import meters
from billing.actions import budgets, tiers
from billing.charging import Facts
from billing.contracts import SECOND_NS, MeterKind, MeterSpec
from billing.models import Budget, BudgetOverride, TierLimit
from tests.factories import THE_SYSTEM, a_budget, a_key, a_tag, a_tenant, a_tier, an_application, an_override

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
ANY = Facts(model="large", end_user="", tags={})


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


@pytest.fixture
def key(acme: Tenant) -> ApiKey:
    return a_key(tenant=acme, environment="dev")[0]


def charges(key: ApiKey, *, at: datetime = NOW) -> meters.Charges:
    return meters.of_key(key, tier=key.tenant.subscription.tier, at=at)


def budgets_of(key: ApiKey, facts: Facts = ANY, *, at: datetime = NOW) -> list[MeterSpec]:
    specs = charges(key, at=at).charging.of(facts).specs
    return [spec for spec in specs if spec.kind == MeterKind.BUDGET]


def names(specs: list[MeterSpec]) -> list[str]:
    return [spec.name for spec in specs]


# --- whose -----------------------------------------------------------------------------------------------------------


def test_it_works(acme: Tenant, key: ApiKey) -> None:
    budget = a_budget(acme, dollars="2", period="day")
    (spec,) = budgets_of(key)
    assert (spec.name, spec.limit, spec.period, spec.zone) == (f"budget/{budget.pk}/day", 2 * 10**9, "day", "UTC")
    assert charges(key).changes_at is None


@pytest.mark.parametrize("scope", ["application", "api_key", "environment"])
def test_a_budget_of_somebody_else_does_not_count(acme: Tenant, key: ApiKey, scope: str) -> None:
    other, _ = a_key(an_application(acme), environment="production")
    fields: dict[str, Any] = {scope: key if scope == "api_key" else getattr(key, scope)}
    own = a_budget(acme, **fields)
    a_budget(acme, active=False)
    a_budget(a_tenant("umbrella"))
    assert names(budgets_of(key)) == [own.meter_name]
    assert budgets_of(other) == []


@pytest.mark.parametrize(
    ("each", "value"),
    [("application", "application_id"), ("api_key", "pk"), ("environment", "environment")],
    ids=["application", "key", "environment"],
)
def test_what_each_key_knows_of_itself_needs_no_rule(acme: Tenant, key: ApiKey, each: str, value: str) -> None:
    budget = a_budget(acme, each=each)
    known = charges(key).charging
    assert known.of(ANY) is known.whole
    assert names(budgets_of(key)) == [f"{budget.meter_name}#{getattr(key, value)}"]


def test_what_depends_on_the_request_is_a_rule(acme: Tenant, key: ApiKey) -> None:
    a_tag(acme, "feature")
    each_user = a_budget(acme, each="end_user")
    of_model = a_budget(acme, model="large")
    of_chat = a_budget(acme, tag="feature", tag_value="chat")
    whole = a_budget(acme)
    assert names(budgets_of(key, Facts(model="large", end_user="eu_x", tags={"feature": "chat"}))) == [
        whole.meter_name,
        f"{each_user.meter_name}#eu_x",
        of_model.meter_name,
        of_chat.meter_name,
    ]
    assert names(budgets_of(key, Facts(model="small", end_user="", tags={}))) == [
        whole.meter_name,
        f"{each_user.meter_name}#-",
    ]


def test_modes_and_the_bound_of_separate_meters_come_along(acme: Tenant, key: ApiKey) -> None:
    a_budget(acme, mode="soft")
    a_budget(acme, mode="downgrade", downgrade_to="small")
    soft, downgrading = budgets_of(key)
    assert (soft.soft, soft.downgrade_to) == (True, "")
    assert (downgrading.soft, downgrading.downgrade_to) == (False, "small")
    assert soft.most == acme.subscription.tier.separate_meters_most


# --- dates -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "at", "counts", "changes_at"),
    [
        pytest.param("UTC", "2026-03-27 23:59Z", False, "2026-03-28 00:00Z", id="before"),
        pytest.param("UTC", "2026-03-28 00:00Z", True, "2026-03-30 00:00Z", id="from the first moment"),
        pytest.param("UTC", "2026-03-29 23:59Z", True, "2026-03-30 00:00Z", id="to the last one"),
        pytest.param("UTC", "2026-03-30 00:00Z", False, None, id="after"),
        pytest.param("Europe/Berlin", "2026-03-27 23:00Z", True, "2026-03-29 22:00Z", id="an hour ahead, then two"),
        pytest.param("Europe/Berlin", "2026-03-29 21:59Z", True, "2026-03-29 22:00Z", id="clocks have changed"),
        pytest.param("Europe/Berlin", "2026-03-29 22:00Z", False, None, id="over by the new clocks"),
        pytest.param("America/New_York", "2026-03-28 03:59Z", False, "2026-03-28 04:00Z", id="behind"),
    ],
)
def test_fixed_dates_are_days_of_the_tenant(zone: str, at: str, counts: bool, changes_at: str | None) -> None:
    tenant = a_tenant(time_zone=zone)
    key, _ = a_key(tenant=tenant)
    a_budget(tenant, period="dates", starts_on=date(2026, 3, 28), ends_on=date(2026, 3, 29))
    found = charges(key, at=datetime.fromisoformat(at))
    assert bool(budgets_of(key, at=datetime.fromisoformat(at))) is counts
    assert found.changes_at == (datetime.fromisoformat(changes_at) if changes_at else None)


def test_prolonging_fixed_dates_keeps_the_meter_and_another_start_makes_one(acme: Tenant, key: ApiKey) -> None:
    budget = a_budget(acme, period="dates", starts_on=date(2026, 6, 1), ends_on=date(2026, 7, 31))
    (before,) = budgets_of(key)
    budget.ends_on = date(2026, 8, 31)
    budgets.change(budget=budget, by=THE_SYSTEM)
    (prolonged,) = budgets_of(key)
    budget.starts_on = date(2026, 6, 2)
    budgets.change(budget=budget, by=THE_SYSTEM)
    (moved,) = budgets_of(key)
    assert prolonged.name == before.name != moved.name
    assert prolonged.period == "dates/2026-06-01/2026-09-01"


# --- overrides -------------------------------------------------------------------------------------------------------


@pytest.fixture
def budget(acme: Tenant) -> Budget:
    return a_budget(acme, dollars="1")


def from_now(**span: int) -> datetime:
    return timezone.now() + timedelta(**span)


def limit_at(key: ApiKey, at: datetime) -> int:
    (spec,) = budgets_of(key, at=at)
    return spec.limit // 10**9


def test_an_override_holds_from_its_start_until_its_end(key: ApiKey, budget: Budget) -> None:
    row = an_override(budget, dollars="5", starts_at=from_now(hours=1), ends_in=timedelta(hours=3))
    assert limit_at(key, row.starts_at - timedelta(microseconds=1)) == 1
    assert limit_at(key, row.starts_at) == limit_at(key, row.ends_at - timedelta(microseconds=1)) == 5
    assert limit_at(key, row.ends_at) == 1


def test_of_several_overrides_the_one_that_began_last_holds(key: ApiKey, budget: Budget) -> None:
    an_override(budget, dollars="5", starts_at=from_now(hours=-2), ends_in=timedelta(hours=9))
    an_override(budget, dollars="3", starts_at=from_now(hours=-1), ends_in=timedelta(hours=2))
    an_override(budget, dollars="7", starts_at=from_now(hours=4), ends_in=timedelta(hours=5))
    assert [limit_at(key, from_now(hours=h)) for h in (0, 1, 3)] == [3, 3, 5]
    assert limit_at(key, from_now(hours=4, minutes=30)) == 7
    assert limit_at(key, from_now(hours=6)) == 5
    assert limit_at(key, from_now(hours=10)) == 1


def test_of_two_that_began_together_the_later_one_holds(key: ApiKey, budget: Budget) -> None:
    starts_at = from_now(minutes=-5)
    for dollars in ("5", "3"):
        an_override(budget, dollars=dollars, starts_at=starts_at)
    assert limit_at(key, from_now()) == 3


def test_the_next_date_that_changes_anything_is_known(acme: Tenant, key: ApiKey, budget: Budget) -> None:
    row = an_override(budget, dollars="5", starts_at=from_now(hours=1), ends_in=timedelta(hours=3))
    an_override(a_budget(acme), dollars="5", ends_in=timedelta(hours=2))
    second = BudgetOverride.objects.exclude(pk=row.pk).get()
    assert charges(key, at=from_now()).changes_at == row.starts_at
    assert charges(key, at=row.starts_at).changes_at == second.ends_at
    assert charges(key, at=second.ends_at).changes_at == row.ends_at
    assert charges(key, at=row.ends_at).changes_at is None


# --- tier limits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "name", "kind", "window_s"),
    [
        (("tenant", "tokens", "day"), "tenant/tokens_per_day", MeterKind.TOKENS, 86_400),
        (("application", "requests", "minute"), "application/{app}/requests_per_minute", MeterKind.REQUESTS, 60),
        (("key", "input_tokens", "hour"), "key/{key}/input_tokens_per_hour", MeterKind.INPUT_TOKENS, 3_600),
        (("end_user", "output_tokens", "day"), "end_user/output_tokens_per_day#eu_x", MeterKind.OUTPUT_TOKENS, 86_400),
        (("key", "concurrency", ""), "key/{key}/concurrency", MeterKind.CONCURRENCY, 0),
    ],
    ids=["tenant", "application", "key", "end user", "at once"],
)
def test_limits_of_a_tier_have_meters_of_their_owner(
    fields: tuple[str, str, str], name: str, kind: MeterKind, window_s: int
) -> None:
    scope, measure, per = fields
    tier = a_tier()
    tiers.add_limit(limit=TierLimit(tier=tier, scope=scope, measure=measure, per=per, limit=42), by=THE_SYSTEM)
    key, _ = a_key(tenant=a_tenant(tier=tier))
    specs = charges(key).charging.of(Facts(model="m", end_user="eu_x", tags={})).specs
    (spec,) = [spec for spec in specs if spec.limit == 42]
    assert spec.name == name.format(app=key.application_id, key=key.pk)
    assert (spec.kind, spec.window_ns) == (kind, window_s * SECOND_NS)
