"""The front page: its numbers are those of the usage records, and it stands when the ledger does not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import ApiKey
from billing import selectors
from billing.ledger.models import Meter
from tests.factories import a_budget, a_key, a_tenant
from tests.factories.control import a_meter, a_refusal, a_usage_record, an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def at_noon(client: Client, monkeypatch: pytest.MonkeyPatch) -> ApiKey:
    """A key, and a clock that stands at noon, so that neither midnight nor a month's end comes in between."""
    client.force_login(an_admin())
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    return a_key()[0]


def cards_of(client: Client) -> dict[str, Any]:
    return {card.title: card for card in client.get("/admin/").context["cards"]}


def test_it_works(client: Client, at_noon: ApiKey) -> None:
    a_usage_record(at_noon, at=NOON - timedelta(hours=1), cost_nano=1_500_000_000, latency_ms=410)
    a_usage_record(at_noon, at=NOON - timedelta(hours=2), cost_nano=500_000_000, latency_ms=440)
    a_refusal(at_noon, at=NOON - timedelta(hours=3), requests=8)
    cards = cards_of(client)
    assert cards["Requests"].value == "10"
    assert cards["Spend"].value == "$2.00"
    assert cards["Refusals"].value == "8"
    assert cards["Refusals"].note.startswith("80.0% of requests")
    assert cards["Latency, median"].value == "425 ms"  # the middle of those from 400 to 450


def test_yesterday_counts_until_the_same_time_of_day(client: Client, at_noon: ApiKey) -> None:
    a_usage_record(at_noon, at=NOON - timedelta(hours=1), cost_nano=3_000_000_000)
    a_usage_record(at_noon, at=NOON - timedelta(hours=25), cost_nano=2_000_000_000)
    a_usage_record(at_noon, at=NOON - timedelta(hours=20), cost_nano=9_000_000_000)
    assert cards_of(client)["Spend"].note == "+50% on yesterday"


def test_of_yesterdays_last_hour_only_its_share_counts(
    client: Client, at_noon: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timezone, "now", lambda: NOON + timedelta(minutes=15))
    a_usage_record(at_noon, at=NOON, cost_nano=1_000_000_000)
    a_usage_record(at_noon, at=NOON - timedelta(hours=23, minutes=1), cost_nano=4_000_000_000)
    assert cards_of(client)["Spend"].note == "as yesterday"


def test_latencies_are_compared_with_the_whole_day_before(client: Client, at_noon: ApiKey) -> None:
    a_usage_record(at_noon, at=NOON - timedelta(hours=1), latency_ms=5)
    a_usage_record(at_noon, at=NOON - timedelta(hours=13), latency_ms=4)
    assert cards_of(client)["Latency, median"].note == "+25% on yesterday"


def test_days_are_days_in_utc(client: Client, at_noon: ApiKey) -> None:
    for at in ("2026-03-09T23:59:59", "2026-03-10T00:00:00"):
        a_usage_record(at_noon, at=datetime.fromisoformat(at).replace(tzinfo=UTC))
    bars = client.get("/admin/").context["requests_chart"]["bars"]
    assert [bar.title.partition(",")[0] for bar in bars[-2:]] == ["Mon 9 Mar: 1 requests", "Tue 10 Mar: 1 requests"]
    assert len(bars) == 14


def test_what_is_older_than_two_weeks_is_left_out(client: Client, at_noon: ApiKey) -> None:
    a_usage_record(at_noon, at=NOON - timedelta(days=14))
    assert client.get("/admin/").context["tenants"] == []


def test_tenants_are_ranked_by_what_they_spend(client: Client, at_noon: ApiKey) -> None:
    rival, _ = a_key(tenant=a_tenant("umbrella"))
    for _ in range(3):
        a_usage_record(at_noon, at=NOON - timedelta(hours=1), cost_nano=1)
    a_usage_record(rival, at=NOON - timedelta(hours=1), cost_nano=5)
    labels = [row["label"] for row in client.get("/admin/").context["tenants"]]
    assert labels == [rival.tenant.name, at_noon.tenant.name]


def test_usage_records_are_read_for_the_newest_refusals_alone(client: Client, at_noon: ApiKey) -> None:
    a_usage_record(at_noon, at=NOON - timedelta(hours=1))
    with CaptureQueriesContext(connection) as captured:
        client.get("/admin/")
    (statement,) = [query["sql"] for query in captured.captured_queries if "billing_usagerecord" in query["sql"]]
    assert "refused" in statement
    assert "LIMIT" in statement


def test_an_empty_installation_says_what_to_do(client: Client) -> None:
    client.force_login(an_admin())
    text = client.get("/admin/").content.decode()
    assert "To get the first one through" in text
    assert "Open a tenant" in text


def test_budgets_close_to_their_limit_are_shown_fullest_first(client: Client, at_noon: ApiKey) -> None:
    tenant = at_noon.tenant
    for name, used, held in (("low", 79, 0), ("near", 70, 10), ("over", 120, 0)):
        a_meter(a_budget(tenant, name=name, dollars="0.0000001"), used=used, held=held)
    shown = client.get("/admin/").context["budgets"]
    assert [(budget.name, use.percent, use.level) for budget, use in shown] == [
        ("over", 120, "over"),
        ("near", 80, "near"),
    ]


def test_a_period_that_is_over_counts_as_unused() -> None:
    budget = a_budget(a_tenant(), dollars="1")
    a_meter(budget, used=900_000_000, is_over=True)
    assert selectors.uses_of([budget])[budget.pk].taken_nano == 0


def test_a_budget_without_limit_is_used_up() -> None:
    assert selectors.Use(limit_nano=0, taken_nano=0).percent == 100


def test_without_the_ledger_use_is_unknown(client: Client, at_noon: ApiKey, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = a_budget(at_noon.tenant)

    def unreachable(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(type(Meter.objects.none()), "values", unreachable)
    assert not selectors.uses_of([budget])[budget.pk].is_known
    monkeypatch.undo()


@pytest.mark.parametrize("path", ["/admin/", "/admin/billing/budget/"])
def test_pages_stand_without_the_ledger(path: str, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.force_login(an_admin())
    a_budget(a_tenant())
    monkeypatch.setattr(selectors, "_taken", lambda names, tenants: None)
    response = client.get(path)
    assert response.status_code == 200
    assert "Unknown: the ledger database does not answer" in response.content.decode()
