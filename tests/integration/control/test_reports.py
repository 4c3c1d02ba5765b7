"""Reports of usage: whose days, which lines, and where they are read."""

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import ApiKey, Tenant
from billing import reports
from billing.actions import usage
from billing.reports import OTHERS, Dimension, Query, Unanswerable
from tests.factories import a_key, a_tag, a_tenant, an_application

pytestmark = pytest.mark.django_db

MARCH: dict[str, Any] = {"start": date(2026, 3, 1), "end": date(2026, 4, 1)}


@pytest.fixture
def key() -> ApiKey:
    return a_key()[0]


def test_it_works(key: ApiKey) -> None:
    used(key, cost_nano=5, model="small", input_tokens=10)
    used(key, cost_nano=7, model="large", estimated=True)
    answer = reports.report(Query(**MARCH, tenant_id=key.tenant_id, by=Dimension.MODEL))
    assert [(line.key, line.label, line.cost_nano) for line in answer.lines] == [
        ("large", "large", 7),
        ("small", "small", 5),
    ]
    assert (answer.total.requests, answer.total.cost_nano, answer.total.estimated_nano) == (2, 12, 7)
    assert answer.lines[1].input_tokens == 10
    assert answer.others is None


def test_nothing_adds_up_to_nothing() -> None:
    answer = reports.report(Query(**MARCH, tenant_id=a_tenant().pk, by=Dimension.MODEL))
    assert (answer.lines, answer.others, answer.total) == ([], None, reports.Sums())


@pytest.mark.parametrize(
    ("by", "label"),
    [
        pytest.param(Dimension.TENANT, "{key.tenant.name}", id="tenant"),
        pytest.param(Dimension.APPLICATION, "{key.application.name}", id="application"),
        pytest.param(Dimension.API_KEY, "{key.name} (…{key.last_four})", id="key"),
        pytest.param(Dimension.ENVIRONMENT, "dev", id="environment"),
        pytest.param(Dimension.MODEL, "gpt-test", id="model"),
        pytest.param(Dimension.PROVIDER, "one", id="provider"),
        pytest.param(Dimension.END_USER, "eu_a", id="end user"),
        pytest.param(Dimension.TAG, "chat", id="tag"),
        pytest.param(Dimension.DAY, "2026-03-14", id="day"),
    ],
)
def test_every_dimension_has_labels_for_people(key: ApiKey, by: Dimension, label: str) -> None:
    used(key, cost_nano=5, provider="one", end_user="eu_a", tags={"feature": "chat"})
    answer = reports.report(Query(**MARCH, tenant_id=key.tenant_id, by=by, tag="feature"))
    assert [(line.label, line.cost_nano) for line in answer.lines] == [(label.format(key=key), 5)]


def test_without_a_tenant_labels_name_it(key: ApiKey) -> None:
    used(key, cost_nano=10**15)
    answer = reports.report(Query(**MARCH, by=Dimension.APPLICATION, most=1))
    assert answer.lines[0].label == f"{key.tenant.name}: {key.application.name}"


def test_what_requests_had_none_of_is_named_so(key: ApiKey) -> None:
    used(key, api_key_id=None, provider="")
    for by, label in ((Dimension.API_KEY, "without an API key"), (Dimension.PROVIDER, "without a provider")):
        (line,) = reports.report(Query(**MARCH, tenant_id=key.tenant_id, by=by)).lines
        assert (line.key, line.label) == ("", label)
        again = Query(**MARCH, tenant_id=key.tenant_id, filters={by: ""})
        assert reports.report(again).total.requests == 1


def test_what_is_gone_keeps_its_number(key: ApiKey) -> None:
    used(key, application_id=10**12)
    (line,) = reports.report(Query(**MARCH, tenant_id=key.tenant_id, by=Dimension.APPLICATION)).lines
    assert line.label == f"application {10**12}"


def test_lines_are_dearest_first_and_the_rest_is_added_up(key: ApiKey) -> None:
    for n in range(5):
        used(key, model=f"m{n}", cost_nano=n)
    answer = reports.report(Query(**MARCH, tenant_id=key.tenant_id, by=Dimension.MODEL, most=2))
    assert [line.key for line in answer.lines] == ["m4", "m3"]
    assert answer.others is not None
    assert (answer.others.label, answer.others.cost_nano, answer.others.requests) == ("3 others", 0 + 1 + 2, 3)
    assert answer.total.cost_nano == 10


def test_filters_narrow(key: ApiKey) -> None:
    other = a_key(tenant=key.tenant)[0]
    used(key, cost_nano=1, model="small")
    used(key, cost_nano=2, model="large")
    used(other, cost_nano=4, model="small")
    filters = {Dimension.APPLICATION: str(key.application_id), Dimension.MODEL: "small"}
    answer = reports.report(Query(**MARCH, tenant_id=key.tenant_id, by=Dimension.API_KEY, filters=filters))
    assert [(line.key, line.cost_nano) for line in answer.lines] == [(str(key.pk), 1)]


def test_a_tenant_sees_its_own_alone(key: ApiKey) -> None:
    used(a_key(tenant=a_tenant("umbrella"))[0], cost_nano=9, end_user="eu_a")
    for by in (Dimension.MODEL, Dimension.END_USER, Dimension.DAY):
        assert reports.report(Query(**MARCH, tenant_id=key.tenant_id, by=by)).lines == []


# --- days --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "at", "day"),
    [
        pytest.param("UTC", "2026-03-31T23:59:59.999999Z", "2026-03-31", id="the end of a month"),
        pytest.param("Europe/Berlin", "2026-03-31T22:00:00Z", "2026-04-01", id="midnight in summer time"),
        pytest.param("Europe/Berlin", "2026-03-01T22:59:59Z", "2026-03-01", id="just before midnight in winter time"),
        pytest.param("Asia/Kolkata", "2026-03-14T18:29:59Z", "2026-03-14", id="within an hour of UTC, before"),
        pytest.param("Asia/Kolkata", "2026-03-14T18:30:00Z", "2026-03-15", id="within an hour of UTC, after"),
        pytest.param("Asia/Kathmandu", "2026-03-14T18:15:00Z", "2026-03-15", id="a quarter past"),
        pytest.param("Pacific/Kiritimati", "2024-02-28T10:00:00Z", "2024-02-29", id="a leap day, far east"),
        pytest.param("America/Los_Angeles", "2024-03-01T07:59:59Z", "2024-02-29", id="a leap day, far west"),
        pytest.param("America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-04", id="a day without midnight"),
    ],
)
def test_days_are_the_tenants_own(zone: str, at: str, day: str) -> None:
    key = a_key(tenant=a_tenant(time_zone=zone))[0]
    moment = datetime.fromisoformat(at)
    used(key, at=moment, cost_nano=5, end_user="eu_a")
    expected = date.fromisoformat(day)
    for start, end, cost in (
        (expected, expected + timedelta(days=1), 5),
        (expected - timedelta(days=5), expected, 0),
        (expected + timedelta(days=1), expected + timedelta(days=5), 0),
        (expected - timedelta(days=40), expected + timedelta(days=40), 5),
    ):
        query = Query(start=start, end=end, tenant_id=key.tenant_id, by=Dimension.MODEL)
        assert reports.report(query).total.cost_nano == cost
    span: dict[str, Any] = {
        "start": expected - timedelta(days=3),
        "end": expected + timedelta(days=3),
        "tenant_id": key.tenant_id,
    }
    assert [line.key for line in reports.report(Query(**span)).lines] == [day]
    assert [line.day for line in reports.lines(Query(**span, by=Dimension.MODEL))] == [expected]
    assert [line.day for line in reports.lines(Query(**span, by=Dimension.END_USER))] == [expected]


def test_days_of_all_tenants_are_those_of_utc() -> None:
    key = a_key(tenant=a_tenant(time_zone="Asia/Kolkata"))[0]
    used(key, at=datetime(2026, 3, 14, 23, 40, tzinfo=UTC))
    filters = {Dimension.API_KEY: str(key.pk)}
    assert [line.key for line in reports.report(Query(**MARCH, filters=filters)).lines] == ["2026-03-14"]
    own = Query(**MARCH, tenant_id=key.tenant_id)
    assert [line.key for line in reports.report(own).lines] == ["2026-03-15"]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
def test_days_add_up_to_the_span(zone: str) -> None:
    key = a_key(tenant=a_tenant(time_zone=zone))[0]
    moment = datetime(2026, 2, 20, tzinfo=UTC)
    while moment < datetime(2026, 4, 10, tzinfo=UTC):
        used(key, at=moment, cost_nano=1)
        moment += timedelta(hours=7, minutes=10)
    by_day = reports.report(Query(**MARCH, tenant_id=key.tenant_id))
    by_model = reports.report(Query(**MARCH, tenant_id=key.tenant_id, by=Dimension.MODEL))
    assert len(by_day.lines) == 31
    assert by_day.total == by_model.total
    assert sum(line.cost_nano for line in by_day.lines) == by_day.total.cost_nano
    assert [line.key for line in by_day.lines] == sorted(line.key for line in by_day.lines)


# --- charts and exports ------------------------------------------------------------------------------------------


def test_a_chart_has_every_day_of_the_dearest(key: ApiKey) -> None:
    for model, cost, day in (("large", 9, 2), ("small", 5, 2), ("tiny", 1, 3), ("large", 1, 3)):
        used(key, at=datetime(2026, 3, day, 12, tzinfo=UTC), model=model, cost_nano=cost)
    span: dict[str, Any] = {"start": date(2026, 3, 1), "end": date(2026, 3, 5), "tenant_id": key.tenant_id}
    chart = reports.chart(Query(**span, by=Dimension.MODEL, most=2))
    assert chart.days == [date(2026, 3, day) for day in (1, 2, 3, 4)]
    costs = {series.label: [point.cost_nano for point in series.points] for series in chart.series}
    assert costs == {"large": [0, 9, 1, 0], "small": [0, 5, 0, 0], "others": [0, 0, 1, 0]}
    everything = reports.chart(Query(**span))
    assert [[point.cost_nano for point in series.points] for series in everything.series] == [[0, 14, 2, 0]]


def test_a_chart_of_keys_names_those_without(key: ApiKey) -> None:
    used(key, api_key_id=None, cost_nano=3)
    (series,) = reports.chart(Query(**MARCH, tenant_id=key.tenant_id, by=Dimension.API_KEY)).series
    assert (series.key, sum(point.cost_nano for point in series.points)) == ("", 3)


def test_an_export_has_all_lines_day_by_day(key: ApiKey) -> None:
    for day in (date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 1)):
        for model in ("small", "large"):
            used(key, at=datetime(day.year, day.month, day.day, 12, tzinfo=UTC), model=model)
    query = Query(start=date(2026, 1, 1), end=date(2026, 4, 1), tenant_id=key.tenant_id, by=Dimension.MODEL, most=1)
    found = [(f"{line.day:%m-%d}", line.label) for line in reports.lines(query)]
    assert found == [
        ("01-31", "large"),
        ("01-31", "small"),
        ("02-28", "large"),
        ("02-28", "small"),
        ("03-01", "large"),
        ("03-01", "small"),
    ]


def test_tags_are_those_declared_and_those_with_usage(key: ApiKey) -> None:
    a_tag(key.tenant, "declared")
    used(key, tags={"feature": "chat", "team": "red"})
    used(a_key()[0], tags={"foreign": "x"})
    assert reports.tags(key.tenant_id) == ["declared", "feature", "team"]


def test_one_end_users_days(key: ApiKey) -> None:
    used(key, end_user="eu_a", cost_nano=5)
    used(key, end_user="eu_b", cost_nano=7)
    filters = {Dimension.END_USER: "eu_a", Dimension.APPLICATION: str(key.application_id)}
    answer = reports.report(Query(**MARCH, tenant_id=key.tenant_id, filters=filters))
    assert [(line.key, line.cost_nano) for line in answer.lines] == [("2026-03-14", 5)]
    elsewhere = {**filters, Dimension.APPLICATION: str(an_application(key.tenant).pk)}
    assert reports.report(Query(**MARCH, tenant_id=key.tenant_id, filters=elsewhere)).lines == []


def test_choices_are_the_dearest_keys(key: ApiKey) -> None:
    used(key, model="small", cost_nano=1)
    used(key, model="large", cost_nano=2)
    query = Query(**MARCH, tenant_id=key.tenant_id, by=Dimension.MODEL, most=1)
    assert reports.keys(query) == [("large", "large")]


# --- what cannot be answered -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"end": date(2026, 3, 1)}, "first day", id="no day"),
        pytest.param({"start": date(1, 1, 1)}, "2000", id="a day out of range"),
        pytest.param({"start": date(2020, 1, 1)}, "1,100 days", id="too many days"),
        pytest.param({"by": Dimension.END_USER}, "Choose a tenant", id="end users of all tenants"),
        pytest.param({"by": Dimension.TAG, "tenant_id": 1}, "Choose the tag", id="no tag"),
        pytest.param(
            {"by": Dimension.TAG, "tenant_id": 1, "tag": "a", "filters": {Dimension.MODEL: "m"}},
            "Leave out the model",
            id="a tag by model",
        ),
        pytest.param(
            {"by": Dimension.MODEL, "tenant_id": 1, "filters": {Dimension.END_USER: "eu_a"}},
            "Leave out the model",
            id="models of an end user",
        ),
        pytest.param({"filters": {Dimension.DAY: "2026-03-01"}}, "no filter", id="a day as filter"),
        pytest.param({"filters": {Dimension.API_KEY: "seven"}}, "no number", id="a key that is no number"),
        pytest.param({"filters": {Dimension.MODEL: "a\0b"}}, "code 0", id="what PostgreSQL cannot store"),
    ],
)
def test_what_cannot_be_answered_says_what_to_change(changes: dict[str, Any], words: str) -> None:
    query = Query(**{**MARCH, **changes})
    for answer in (reports.check, reports.report, reports.chart, reports.lines):
        with pytest.raises(Unanswerable, match=words):
            answer(query)


def test_forms_can_know_what_combines() -> None:
    for by in Dimension:
        for other in Dimension:
            filters = {other: "1"}
            query = Query(**MARCH, tenant_id=1, tag="feature", by=by, filters=filters)
            if other in reports.combines_with(by):
                reports.check(query)
            else:
                with pytest.raises(Unanswerable):
                    reports.check(query)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata"])
def test_no_report_reads_usage_records(zone: str) -> None:
    key = a_key(tenant=a_tenant(time_zone=zone))[0]
    used(key, end_user="eu_a", tags={"feature": "chat"})
    with CaptureQueriesContext(connection) as captured:
        for tenant_id in (None, key.tenant_id):
            for by in Dimension:
                query = Query(**MARCH, tenant_id=tenant_id, by=by, tag="feature")
                if tenant_id is None and by in {Dimension.END_USER, Dimension.TAG}:
                    continue
                reports.report(query)
                reports.chart(query)
                list(reports.lines(query))
        reports.tags(key.tenant_id)
    assert captured.captured_queries
    assert [entry["sql"] for entry in captured.captured_queries if "billing_usagerecord" in entry["sql"]] == []


def test_the_line_of_uncounted_values_is_named(key: ApiKey) -> None:
    used(key, end_user=OTHERS)
    (line,) = reports.report(Query(**MARCH, tenant_id=key.tenant_id, by=Dimension.END_USER)).lines
    assert line.label == "other end users, uncounted"


def used(key: ApiKey, **fields: Any) -> None:
    values = {
        "request_id": uuid.uuid4(),
        "at": datetime(2026, 3, 14, 12, tzinfo=UTC),
        "tenant_id": key.tenant_id,
        "application_id": key.application_id,
        "api_key_id": key.pk,
        "environment": key.environment,
        "model": "gpt-test",
        "outcome": "completed",
    }
    usage.insert_records(records=[{**values, **fields}])


def test_the_zone_of_a_tenant_that_is_gone_is_utc() -> None:
    assert not Tenant.objects.filter(pk=10**12).exists()
    assert reports.zone_of(10**12).key == "UTC"
