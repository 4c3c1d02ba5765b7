"""The list of usage records: filters, search, and no reading of the whole table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import ApiKey
from billing.charging import value_key
from billing.ledger.models import Meter
from compliance.admin.paginator import LimitedPaginator
from tests.factories import a_budget, a_key, a_tenant
from tests.factories.control import a_meter, a_refusal, a_usage_record, an_admin

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

LIST = "/admin/billing/usagerecord/"


@pytest.fixture
def key(client: Client) -> ApiKey:
    client.force_login(an_admin())
    return a_key()[0]


def shown(client: Client, **query: Any) -> list[str]:
    return [str(record.request_id) for record in client.get(LIST, query).context["cl"].result_list]


def test_it_works(client: Client, key: ApiKey) -> None:
    record = a_usage_record(key)
    text = client.get(LIST).content.decode()
    assert key.tenant.name in text
    assert f"{key.name} (…{key.last_four})" in text
    assert "$0.0010" in text
    assert "500 ms" in text
    assert shown(client) == [str(record.request_id)]


def test_a_record_shows_what_it_is_attributed_to(client: Client, key: ApiKey) -> None:
    record = a_usage_record(
        key,
        end_user="eu_abcdefghijklmnopqrstuvwx",
        tags={"team": "red", "feature": "chat"},
        served_model="gpt-cheap",
        charged=[1, 2],
        over_budget=True,
    )
    text = client.get(f"{LIST}{record.pk}/change/").content.decode()
    assert "eu_abcdefghijklmnopqrstuvwx" in text
    assert "feature: chat, team: red" in text
    assert "gpt-cheap" in text
    assert "charged to 2, a soft one of them exceeded" in text


@pytest.mark.parametrize(
    ("field", "value"),
    [("model", "gpt-other"), ("outcome", "refused"), ("code", "model_not_found")],
    ids=["model", "outcome", "code"],
)
def test_filters_by_value(field: str, value: str, client: Client, key: ApiKey) -> None:
    a_usage_record(key)
    wanted = a_refusal(key, code="model_not_found", model="gpt-other")
    assert shown(client, **{field: value}) == [str(wanted.request_id)]


@pytest.mark.parametrize("column", ["tenant_id", "application_id", "api_key_id"])
def test_filters_by_whose_it_is(column: str, client: Client, key: ApiKey) -> None:
    a_usage_record(key)
    wanted = a_usage_record(a_key(tenant=a_tenant("umbrella"))[0])
    assert shown(client, **{column: getattr(wanted, column)}) == [str(wanted.request_id)]


def test_shows_a_week_unless_asked_for_more(client: Client, key: ApiKey) -> None:
    old = a_usage_record(key, at=timezone.now() - timedelta(days=8))
    assert shown(client) == []
    assert shown(client, since="month") == [str(old.request_id)]
    assert shown(client, since="all") == [str(old.request_id)]


def test_a_range_of_days(client: Client, key: ApiKey) -> None:
    at = datetime(2026, 1, 15, 10, tzinfo=UTC)
    wanted = a_usage_record(key, at=at)
    a_usage_record(key, at=at + timedelta(days=2))
    query = {"at_from_0": "2026-01-15", "at_from_1": "00:00:00", "at_to_0": "2026-01-16", "at_to_1": "00:00:00"}
    assert shown(client, **query) == [str(wanted.request_id)]


def test_finds_a_request_by_its_id_however_old(client: Client, key: ApiKey) -> None:
    wanted = a_usage_record(key, at=timezone.now() - timedelta(days=60))
    a_usage_record(key)
    assert shown(client, q=str(wanted.request_id)) == [str(wanted.request_id)]
    assert shown(client, q=f" {wanted.request_id.hex} ") == [str(wanted.request_id)]
    assert shown(client, q="acme") == []


def test_the_table_is_never_counted_from_end_to_end(client: Client, key: ApiKey) -> None:
    a_usage_record(key)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        client.get(LIST, {"since": "all"})
    counts = [query["sql"] for query in queries if "COUNT" in query["sql"] and "usagerecord" in query["sql"]]
    assert counts
    assert all(f"LIMIT {LimitedPaginator.limit}" in sql for sql in counts)


def test_says_when_there_is_more_than_it_turns_pages_through(
    client: Client, key: ApiKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        a_usage_record(key)
    monkeypatch.setattr(LimitedPaginator, "limit", 2)
    assert "Showing the newest 2" in client.get(LIST).content.decode()


def test_a_record_whose_key_is_gone_keeps_its_number(client: Client, key: ApiKey) -> None:
    record = a_usage_record(key, api_key_id=987654)
    assert "API key 987654" in client.get(LIST).content.decode()
    assert client.get(f"{LIST}{record.pk}/change/").status_code == 200


def test_a_record_leads_to_the_budgets_that_it_was_charged_to(client: Client, key: ApiKey) -> None:
    budget = a_budget(key.tenant, name="Models", each="model")
    a_meter(budget, used=1_234_567_890, of=value_key("gpt-cheap"))
    meter = Meter.objects.get(tenant_id=key.tenant_id)
    record = a_usage_record(key, served_model="gpt-cheap", charged=[meter.pk], cost_nano=1_234_567_890)
    text = client.get(f"{LIST}{record.pk}/change/").content.decode()
    assert f'/admin/billing/budget/{budget.pk}/change/" class="pcl-chip">Models, gpt-cheap</a>' in text
    assert "$1.23456789" in text
    assert "accounts/pseudonyms.py" not in text
