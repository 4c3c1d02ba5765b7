"""Each kind of alert: raised when its level is crossed, once, and again only after another crossing."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.actions import members
from accounts.models import Membership, Tenant
from billing import money
from billing.actions import alert_rules, alerts, budgets
from billing.charging import value_key
from billing.models import Alert, AlertDelivery, AlertKind, AlertRule, Budget, TierLimit
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_budget, a_key, a_tag, a_tenant, a_tier, an_override
from tests.factories.alerts import an_alert_rule, an_endpoint, metered, run, spending
from tests.factories.control import an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 5, 13, 12, tzinfo=UTC)
MAY, JUNE, JULY = (datetime(2026, month, 1, tzinfo=UTC) for month in (5, 6, 7))
OPS = "ops@acme.example"


@pytest.fixture(autouse=True)
def no_other_rules(db: None) -> None:
    """Out of sight is what other tests have committed."""
    AlertRule.objects.update(active=False)


def raised(tenant: Tenant) -> list[tuple[str, int]]:
    return list(Alert.objects.filter(tenant=tenant).order_by("id").values_list("kind", "level"))


def levels(tenant: Tenant) -> list[int]:
    return [level for _, level in raised(tenant)]


def use(budget: Budget, dollars: int | str, *, start: datetime = MAY, end: datetime = JUNE, of: str = "") -> None:
    metered(budget.tenant, budget.meter_name + of, start=start, end=end, dollars=dollars)


def test_it_works() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100", name="Chat")
    an_alert_rule(tenant=tenant, to=OPS)
    use(budget, 81)
    assert alerts.look_at_meters(at=NOON) == 2
    first, second = Alert.objects.filter(tenant=tenant).order_by("id")
    assert (first.level, second.level, second.label, second.subject) == (50, 80, "Chat", budget.meter_name)
    assert second.facts["used_nano"] == 81 * money.NANO
    assert second.facts["limit_nano"] == 100 * money.NANO
    assert second.facts["percent"] == 81
    assert second.deliveries.get().target == OPS
    assert not first.deliveries.exists()  # what is told is the highest of the levels crossed at once


# --- budgets ------------------------------------------------------------------------------------------------------


def test_a_level_is_told_once_in_its_period() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100")
    an_alert_rule(tenant=tenant)
    for dollars, expected in ((49, []), (50, [50]), (60, [50]), (80, [50, 80]), (99, [50, 80]), (100, [50, 80, 100])):
        use(budget, dollars)
        alerts.look_at_meters(at=NOON)
        alerts.look_at_meters(at=NOON)
        assert levels(tenant) == expected


def test_the_next_period_is_told_of_anew() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100")
    an_alert_rule(tenant=tenant, levels=[80])
    use(budget, 90)
    alerts.look_at_meters(at=JUNE - timedelta(seconds=1))
    # The month is over, and no request has rolled the meter over yet: what it says is of the past.
    assert alerts.look_at_meters(at=JUNE) == 0
    use(budget, 85, start=JUNE, end=JULY)
    assert alerts.look_at_meters(at=JUNE + timedelta(days=9)) == 1
    assert levels(tenant) == [80, 80]


def test_a_raised_limit_makes_the_next_crossing_another_one() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100")
    an_alert_rule(tenant=tenant, levels=[80])
    use(budget, 90)
    alerts.look_at_meters(at=NOON)
    budget.limit_nano *= 2
    budgets.change(budget=budget, by=THE_SYSTEM)
    alerts.look_at_meters(at=NOON + timedelta(minutes=1))
    assert Alert.objects.get(tenant=tenant).cleared_at == NOON + timedelta(minutes=1)
    use(budget, 160)
    alerts.look_at_meters(at=NOON)
    assert levels(tenant) == [80, 80]


def test_an_override_is_the_limit_while_it_holds() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100")
    soon = timezone.now() + timedelta(hours=1)
    an_override(budget, dollars="1000", starts_at=soon, ends_in=timedelta(hours=25))
    an_alert_rule(tenant=tenant, levels=[80])
    use(budget, 90, start=soon - timedelta(days=3), end=soon + timedelta(days=9))
    assert alerts.look_at_meters(at=soon + timedelta(hours=1)) == 0
    assert alerts.look_at_meters(at=soon + timedelta(days=2)) == 1


def test_held_money_is_not_spent_money() -> None:
    """A hold is mostly given back; telling of it would be telling of nothing."""
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100")
    an_alert_rule(tenant=tenant)
    use(budget, 10)
    run("UPDATE meter SET held = 90000000000 WHERE tenant_id = %s", tenant.pk)
    assert alerts.look_at_meters(at=NOON) == 0


def test_each_end_user_is_told_of_apart() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="10", each="end_user", name="People")
    an_alert_rule(tenant=tenant, levels=[100])
    for of, dollars in (("#eu_a", 10), ("#eu_b", 9), ("#eu_c", 12), ("#", 11)):
        use(budget, dollars, of=of)
    assert alerts.look_at_meters(at=NOON) == 3
    told = set(Alert.objects.filter(tenant=tenant).values_list("subject", flat=True))
    assert told == {budget.meter_name + of for of in ("#eu_a", "#eu_c", "#")}
    use(budget, 10, of="#eu_b")
    assert alerts.look_at_meters(at=NOON) == 1


@pytest.mark.parametrize(
    ("fields", "of", "label"),
    [
        pytest.param({"each": "end_user"}, "#eu_a", "B, end user eu_a", id="end user"),
        pytest.param({"each": "end_user"}, "#-", "B, requests that name no end user", id="no end user"),
        pytest.param({"each": "environment"}, "#production", "B, environment production", id="environment"),
        pytest.param({"each": "application"}, "#{app}", "B, application {name}", id="application"),
        pytest.param({"each": "api_key"}, "#{key}", "B, key test", id="key"),
        pytest.param({"each": "api_key"}, "#", "B, all beyond what the tier counts apart", id="all others"),
        pytest.param({"each": ""}, "", "B", id="one for all"),
    ],
)
def test_an_alert_names_whose_limit_it_is(fields: dict[str, str], of: str, label: str) -> None:
    tenant = a_tenant()
    key, _ = a_key(tenant=tenant)
    budget = a_budget(tenant, dollars="10", name="B", **fields)
    an_alert_rule(tenant=tenant, levels=[100])
    use(budget, 10, of=of.format(app=key.application_id, key=key.pk))
    alerts.look_at_meters(at=NOON)
    assert Alert.objects.get(tenant=tenant).label == label.format(name=key.application.name)


def test_meters_of_other_budgets_and_periods_are_not_mixed_up() -> None:
    """`budget/1/month` is how `budget/1/monthly` begins, and `budget/1` how `budget/12` does."""
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="10")
    an_alert_rule(tenant=tenant, levels=[100])
    for suffix in ("ly", "/2026", "$", "!"):
        use(budget, 10, of=suffix)
    assert alerts.look_at_meters(at=NOON) == 1  # "!" is before '#': no budget has such a name
    assert not Alert.objects.filter(subject=budget.meter_name).exists()


def test_another_tenants_meter_of_the_same_name_is_not_read() -> None:
    acme, umbrella = a_tenant(), a_tenant("umbrella")
    budget = a_budget(acme, dollars="10")
    an_alert_rule(tenant=acme)
    metered(umbrella, budget.meter_name, start=MAY, end=JUNE, dollars=10)
    assert alerts.look_at_meters(at=NOON) == 0


@pytest.mark.parametrize(
    ("mode", "dollars", "told"),
    [
        pytest.param("soft", 100, False, id="exactly its limit"),
        pytest.param("soft", "100.000000001", True, id="a nano-dollar more"),
        pytest.param("hard", 101, False, id="a hard one"),
    ],
)
def test_a_soft_budget_is_told_of_when_it_is_exceeded(mode: str, dollars: int | str, told: bool) -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100", mode=mode)
    an_alert_rule("soft_budget_exceeded", tenant=tenant)
    use(budget, dollars)
    assert bool(alerts.look_at_meters(at=NOON)) is told


@pytest.mark.parametrize(
    ("state", "dollars"),
    [
        pytest.param({"active": False}, 100, id="an inactive budget"),
        pytest.param({"limit_nano": 0}, 0, id="a budget of nothing, unused"),
    ],
)
def test_what_is_not_told(state: dict[str, object], dollars: int) -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100", **state)
    an_alert_rule(tenant=tenant)
    use(budget, dollars)
    assert alerts.look_at_meters(at=NOON) == 0


# --- rates --------------------------------------------------------------------------------------------------------


def drain_in(tenant: Tenant, name: str, *, seconds: int) -> None:
    """A rate that will be as if unused after so many seconds."""
    run(
        "INSERT INTO meter (tenant_id, name, tat_ns) VALUES"
        " (%s, %s, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000 + %s)"
        " ON CONFLICT (tenant_id, name) DO UPDATE SET tat_ns = excluded.tat_ns",
        tenant.pk,
        name,
        seconds * 10**9,
    )


def test_a_rate_is_told_of_once_an_hour() -> None:
    tenant = a_tenant(tier=a_tier(requests_per_minute=60))
    an_alert_rule("rate_limit_approached", tenant=tenant, levels=[90])
    drain_in(tenant, "tenant/requests_per_minute", seconds=30)
    assert alerts.look_at_meters(at=NOON) == 0
    drain_in(tenant, "tenant/requests_per_minute", seconds=59)
    assert alerts.look_at_meters(at=NOON) == 1
    drain_in(tenant, "tenant/requests_per_minute", seconds=1)
    alerts.look_at_meters(at=NOON + timedelta(minutes=5))
    drain_in(tenant, "tenant/requests_per_minute", seconds=59)
    assert alerts.look_at_meters(at=NOON + timedelta(minutes=10)) == 0
    assert alerts.look_at_meters(at=NOON + timedelta(hours=1)) == 1


def test_requests_at_once_are_told_of() -> None:
    tenant = a_tenant(tier=a_tier(concurrency=10))
    an_alert_rule("rate_limit_approached", tenant=tenant)
    run("INSERT INTO meter (tenant_id, name, held) VALUES (%s, 'tenant/concurrency', 9)", tenant.pk)
    assert alerts.look_at_meters(at=NOON) == 1
    assert Alert.objects.get(tenant=tenant).facts == {"percent": 90, "limit": 10}


@pytest.mark.parametrize(
    ("scope", "meter", "label"),
    [
        pytest.param("tenant", "tenant/input_tokens_per_hour", "input tokens per hour", id="tenant"),
        pytest.param("application", "application/{app}/input_tokens_per_hour", " of App", id="application"),
        pytest.param("key", "key/{key}/input_tokens_per_hour", " of the key test", id="key"),
        pytest.param("end_user", "end_user/input_tokens_per_hour#eu_x", " of the end user eu_x", id="end user"),
    ],
)
def test_limits_of_a_tier_are_told_of_by_whose_they_are(scope: str, meter: str, label: str) -> None:
    tier = a_tier()
    TierLimit.objects.create(tier=tier, scope=scope, measure="input_tokens", per="hour", limit=1000)
    tenant = a_tenant(tier=tier)
    key, _ = a_key(tenant=tenant)
    an_alert_rule("rate_limit_approached", tenant=tenant)
    drain_in(tenant, meter.format(app=key.application_id, key=key.pk), seconds=3_500)
    assert alerts.look_at_meters(at=NOON) == 1
    assert label in Alert.objects.get(tenant=tenant).label


# --- spending -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "zone", "spent_at", "counts"),
    [
        pytest.param("daily_spend", "UTC", "2026-05-13T00:00+00:00", True, id="the day's first moment"),
        pytest.param("daily_spend", "UTC", "2026-05-12T23:59+00:00", False, id="yesterday's last minute"),
        pytest.param("daily_spend", "Europe/Berlin", "2026-05-12T22:00+00:00", True, id="midnight in Berlin"),
        pytest.param("daily_spend", "Europe/Berlin", "2026-05-12T21:59+00:00", False, id="before midnight in Berlin"),
        pytest.param("daily_spend", "Asia/Kolkata", "2026-05-12T18:30+00:00", True, id="midnight in Kolkata"),
        pytest.param("daily_spend", "Asia/Kolkata", "2026-05-12T18:29+00:00", False, id="before midnight in Kolkata"),
        pytest.param("weekly_spend", "UTC", "2026-05-11T00:00+00:00", True, id="Monday"),
        pytest.param("weekly_spend", "UTC", "2026-05-10T23:59+00:00", False, id="Sunday before"),
        pytest.param("weekly_spend", "America/New_York", "2026-05-11T03:59+00:00", False, id="Sunday in New York"),
        pytest.param("weekly_spend", "America/New_York", "2026-05-11T04:00+00:00", True, id="Monday in New York"),
    ],
)
def test_days_and_weeks_are_those_of_the_tenants_clocks(kind: str, zone: str, spent_at: str, counts: bool) -> None:
    tenant = a_tenant(time_zone=zone)
    key, _ = a_key(tenant=tenant)
    an_alert_rule(kind, tenant=tenant, amount_nano=10 * money.NANO)
    spending(key, at=datetime.fromisoformat(spent_at), dollars=10)
    assert bool(alerts.look_at_spending(at=NOON)) is counts


def test_a_days_spend_is_told_once_and_the_next_days_again() -> None:
    tenant = a_tenant()
    key, _ = a_key(tenant=tenant)
    an_alert_rule("daily_spend", tenant=tenant, amount_nano=10 * money.NANO)
    spending(key, at=NOON - timedelta(hours=1), dollars="9.99")
    assert alerts.look_at_spending(at=NOON) == 0
    spending(key, at=NOON - timedelta(hours=1), dollars="0.01")
    assert alerts.look_at_spending(at=NOON) == 1
    spending(key, at=NOON, dollars=20)
    assert alerts.look_at_spending(at=NOON + timedelta(minutes=1)) == 0
    spending(key, at=NOON + timedelta(days=1), dollars=20)
    assert alerts.look_at_spending(at=NOON + timedelta(days=1, minutes=1)) == 1


def past_weeks(tenant: Tenant, hour: datetime, dollars: list[int | str]) -> None:
    """What the same hour has cost, one week ago and further back, by the tenant's clock."""
    key, _ = a_key(tenant=tenant)
    zone = ZoneInfo(tenant.time_zone)
    for week, amount in enumerate(dollars, start=1):
        local = hour.astimezone(zone).replace(tzinfo=None) - timedelta(weeks=week)
        spending(key, at=local.replace(tzinfo=zone).astimezone(UTC) + timedelta(minutes=30), dollars=amount)


@pytest.mark.parametrize(
    ("past", "now", "told"),
    [
        pytest.param([10] * 8, 10, False, id="as ever"),
        pytest.param([10] * 8, 14, False, id="somewhat more"),
        pytest.param([10] * 8, 100, True, id="ten times as much"),
        pytest.param([10, 300, 10, 10, 200, 10, 10, 10], 100, True, id="past incidents hide nothing"),
        pytest.param([10, 0, 10, 10, 0, 10, 10, 10], 12, False, id="past outages make nothing strange"),
        pytest.param([5, 20, 10, 15, 8, 18, 12, 9], 25, False, id="an hour that always varies"),
        pytest.param([10] * 3, 100, False, id="too short a past"),
        pytest.param(["0.001"] * 8, "0.5", False, id="small change"),
    ],
)
def test_an_unusual_hour_is_told_of(past: list[int | str], now: int | str, told: bool) -> None:
    tenant = a_tenant()
    hour = NOON - timedelta(hours=1)
    past_weeks(tenant, hour, past)
    key, _ = a_key(tenant=tenant)
    spending(key, at=hour + timedelta(minutes=5), dollars=now)
    an_alert_rule("unusual_spend", tenant=tenant)
    alerts.look_at_spending(at=NOON + timedelta(minutes=6))
    subjects = set(Alert.objects.filter(tenant=tenant).values_list("subject", flat=True))
    assert subjects == ({"unusual/hour", "unusual/day"} if told else set())


def test_an_hour_is_judged_when_it_has_settled() -> None:
    """Until five minutes past, the hour before it is the last one: records of this one are still on their way."""
    tenant = a_tenant()
    past_weeks(tenant, NOON, [10] * 8)
    key, _ = a_key(tenant=tenant)
    spending(key, at=NOON, dollars=100)
    an_alert_rule("unusual_spend", tenant=tenant)
    end = NOON + timedelta(hours=1)
    assert alerts.look_at_spending(at=end + timedelta(minutes=4)) == 0
    assert alerts.look_at_spending(at=end + timedelta(minutes=5)) == 2


def test_an_incident_that_lasts_is_told_once_a_day() -> None:
    tenant = a_tenant()
    key, _ = a_key(tenant=tenant)
    for hours in range(3):
        hour = NOON + timedelta(hours=hours)
        past_weeks(tenant, hour, [10] * 8)
        spending(key, at=hour, dollars=500)
    an_alert_rule("unusual_spend", tenant=tenant)
    new = [alerts.look_at_spending(at=NOON + timedelta(hours=hours, minutes=6)) for hours in (1, 2, 3)]
    assert new == [2, 0, 0]


def test_the_same_hour_is_the_same_by_the_clock_on_the_wall() -> None:
    """Berlin's clocks went forward in between: 9 o'clock is another hour of UTC since."""
    tenant = a_tenant(time_zone="Europe/Berlin")
    nine = datetime(2026, 4, 8, 9, tzinfo=BERLIN).astimezone(UTC)
    past_weeks(tenant, nine, [10] * 8)
    key, _ = a_key(tenant=tenant)
    spending(key, at=nine, dollars=11)
    an_alert_rule("unusual_spend", tenant=tenant)
    assert alerts.look_at_spending(at=nine + timedelta(hours=1, minutes=6)) == 0


def test_an_hour_that_was_always_quiet_makes_a_sudden_bill_unusual() -> None:
    """Nobody works at three on a Sunday, though the tenant does otherwise."""
    tenant = a_tenant()
    key, _ = a_key(tenant=tenant)
    three = datetime(2026, 5, 17, 3, tzinfo=UTC)
    for week in range(1, 9):
        spending(key, at=three - timedelta(weeks=week, days=-2), dollars=10)
    spending(key, at=three, dollars=5)
    an_alert_rule("unusual_spend", tenant=tenant)
    assert alerts.look_at_spending(at=three + timedelta(hours=1, minutes=6)) == 2


def test_a_budget_that_will_be_exceeded_is_told_of_early() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100")
    an_alert_rule("projected_spend", tenant=tenant)
    use(budget, 30)
    assert alerts.look_at_spending(at=MAY + timedelta(days=2)) == 0  # too early to tell
    assert alerts.look_at_spending(at=MAY + timedelta(days=15)) == 0  # 62 by the end of the month
    use(budget, 60)
    assert alerts.look_at_spending(at=MAY + timedelta(days=15)) == 1
    alert = Alert.objects.get(tenant=tenant)
    assert alert.facts["projected_nano"] == 124 * money.NANO


def test_a_projection_that_wavers_is_told_once() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100")
    an_alert_rule("projected_spend", tenant=tenant)
    use(budget, 60)
    new = [alerts.look_at_spending(at=MAY + timedelta(days=days)) for days in (18, 19)]
    use(budget, 65)
    new.append(alerts.look_at_spending(at=MAY + timedelta(days=20)))
    assert new == [1, 0, 0]


def test_a_budget_that_is_used_up_is_not_projected() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100")
    an_alert_rule("projected_spend", tenant=tenant)
    use(budget, 100)
    assert alerts.look_at_spending(at=MAY + timedelta(days=15)) == 0


def test_a_projection_that_came_true_stays_open() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100")
    an_alert_rule("projected_spend", tenant=tenant)
    use(budget, 60)
    alerts.look_at_spending(at=MAY + timedelta(days=15))
    use(budget, 101)
    assert alerts.look_at_spending(at=MAY + timedelta(days=16)) == 0
    assert Alert.objects.get(tenant=tenant).cleared_at is None


@pytest.mark.parametrize(
    ("each", "usage", "label"),
    [
        pytest.param({"each": "model"}, {"served_model": "gpt-x"}, "model gpt-x", id="model"),
        pytest.param({"each": "tag", "tag": "team"}, {"tags": {"team": "gpt-x"}}, "team gpt-x", id="value of a tag"),
    ],
)
def test_what_a_meter_names_by_a_hash_is_told_by_its_name(
    each: dict[str, str], usage: dict[str, Any], label: str
) -> None:
    key, _ = a_key()
    a_tag(key.tenant, "team")
    budget = a_budget(key.tenant, dollars="100", name="B", **each)
    an_alert_rule(tenant=key.tenant, levels=[80])
    spending(key, at=NOON - timedelta(days=1), dollars=1, **usage)
    unknown = value_key("not in any record")
    for of in (value_key("gpt-x"), unknown):
        use(budget, 90, of=f"#{of}")
    alerts.look_at_meters(at=NOON)
    told = {alert.label: alert.facts["value"] for alert in Alert.objects.filter(tenant=key.tenant)}
    assert told[f"B, {label}"] == "gpt-x"
    assert set(told.values()) == {"gpt-x", unknown}


def test_a_total_has_no_end_to_be_projected_to() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100", period="total")
    an_alert_rule("projected_spend", tenant=tenant)
    use(budget, 99, start=datetime(1970, 1, 1, tzinfo=UTC), end=datetime(9999, 12, 31, tzinfo=UTC))
    assert alerts.look_at_spending(at=NOON) == 0


# --- rules --------------------------------------------------------------------------------------------------------


def test_a_platform_wide_rule_is_for_tenants_without_their_own() -> None:
    acme, umbrella = a_tenant(), a_tenant("umbrella")
    for tenant in (acme, umbrella):
        use(a_budget(tenant, dollars="100"), 60)
    an_alert_rule(levels=[50])
    an_alert_rule(tenant=umbrella, levels=[90])
    alerts.look_at_meters(at=NOON)
    assert (levels(acme), levels(umbrella)) == ([50], [])


def test_an_inactive_rule_of_its_own_silences_a_tenant() -> None:
    tenant = a_tenant()
    use(a_budget(tenant, dollars="100"), 60)
    an_alert_rule(levels=[50])
    an_alert_rule(tenant=tenant, active=False)
    alerts.look_at_meters(at=NOON)
    assert levels(tenant) == []


def test_two_rules_of_a_tenant_each_tell_their_people() -> None:
    tenant = a_tenant()
    use(a_budget(tenant, dollars="100"), 60)
    an_alert_rule(tenant=tenant, levels=[50], to="a@acme.example")
    an_alert_rule(tenant=tenant, levels=[60], to="b@acme.example")
    alerts.look_at_meters(at=NOON)
    told = AlertDelivery.objects.filter(alert__tenant=tenant).values_list("target", "alert__level")
    assert set(told) == {("a@acme.example", 50), ("b@acme.example", 60)}


def test_a_muted_rule_logs_and_tells_nobody() -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="100")
    an_alert_rule(tenant=tenant, to=OPS, muted_until=NOON + timedelta(hours=1))
    use(budget, 60)
    alerts.look_at_meters(at=NOON)
    use(budget, 90)
    alerts.look_at_meters(at=NOON + timedelta(hours=1))
    told = AlertDelivery.objects.filter(alert__tenant=tenant).values_list("alert__level", flat=True)
    assert (levels(tenant), list(told)) == ([50, 80], [80])


def test_owners_of_the_tenant_are_told_where_the_rule_says_so() -> None:
    tenant = a_tenant()
    for role, address, active in (("owner", "owner@acme.example", True), ("viewer", "viewer@acme.example", True)):
        user = an_admin(email=address, is_active=active)
        members.add(membership=Membership(tenant=tenant, user=user, role=role), by=THE_SYSTEM)
    for fields in ({"email": ""}, {"email": "left@acme.example", "is_active": False}):
        members.add(membership=Membership(tenant=tenant, user=an_admin(**fields), role="owner"), by=THE_SYSTEM)
    use(a_budget(tenant, dollars="100"), 50)
    an_alert_rule(to=OPS, notify_owners=True)
    alerts.look_at_meters(at=NOON)
    told = AlertDelivery.objects.filter(alert__tenant=tenant).values_list("target", flat=True)
    assert sorted(told) == [OPS, "owner@acme.example"]


def test_a_closed_tenant_is_not_told_of() -> None:
    tenant = a_tenant()
    use(a_budget(tenant, dollars="100"), 60)
    an_alert_rule()
    Tenant.objects.filter(pk=tenant.pk).update(status="closed", closed_at=NOON)
    alerts.look_at_meters(at=NOON)
    assert raised(tenant) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"kind": "daily_spend"}, "amount_nano", id="a day's spend without an amount"),
        pytest.param({"kind": "budget_threshold", "amount_nano": 1}, "amount_nano", id="a level with an amount"),
        pytest.param({"kind": "unusual_spend", "levels": [50]}, "levels", id="unusual spend with levels"),
        pytest.param({"kind": "budget_threshold", "levels": [0]}, "levels", id="a level of nothing"),
        pytest.param({"kind": "test"}, "kind", id="a kind that no rule asks for"),
        pytest.param({"recipients": ["nobody"]}, "recipients", id="an address that is none"),
    ],
)
def test_rules_that_make_no_sense_are_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        alert_rules.add(rule=AlertRule(**{"kind": "budget_threshold", "name": "R", **fields}), by=THE_SYSTEM)
    assert field in refusal.value.error_dict


def test_an_endpoint_of_another_tenant_is_refused() -> None:
    endpoint, _ = an_endpoint("https://hooks.example/", tenant=a_tenant("umbrella"))
    with pytest.raises(ValidationError, match="another tenant"):
        an_alert_rule(tenant=a_tenant(), endpoints=(endpoint,))


def test_levels_are_the_usual_ones_unless_given() -> None:
    assert an_alert_rule().levels == [50, 80, 100]
    assert an_alert_rule(levels=[90, 10, 90]).levels == [10, 90]


def test_what_a_rule_is_connected_to_is_audited_and_addresses_are_not_kept() -> None:
    tenant = a_tenant()
    endpoint, _ = an_endpoint("https://hooks.example/", tenant=tenant)
    rule = an_alert_rule(tenant=tenant, to=OPS, endpoints=(endpoint,))
    events = AuditEvent.objects.filter(target_kind="alertrule", target_id=str(rule.pk)).order_by("id")
    assert [event.action for event in events] == ["alertrule.created", "alertrule.connected"]
    assert events[1].after == {"endpoints": [endpoint.pk]}
    assert OPS not in str([event.after for event in events])


def test_the_usual_rules_are_added_once() -> None:
    AlertRule.objects.filter(tenant=None).delete()
    assert {rule.kind for rule in alert_rules.seed(by=THE_SYSTEM)} >= {AlertKind.BUDGET, AlertKind.UNUSUAL}
    assert alert_rules.seed(by=THE_SYSTEM) == []


# --- what the database holds --------------------------------------------------------------------------------------


def test_an_open_alert_cannot_be_written_twice() -> None:
    tenant = a_tenant()
    use(a_budget(tenant, dollars="100"), 50)
    an_alert_rule(tenant=tenant)
    alerts.look_at_meters(at=NOON)
    again = Alert.objects.get(tenant=tenant)
    again.pk = None
    with pytest.raises(IntegrityError, match="alert_once_per_crossing"), transaction.atomic():
        again.save(force_insert=True)
