"""`GET /api/billing/reports`: the same numbers as on the page, in JSON and in files, for who may see them."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import jsonschema_rs
import openpyxl
import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from accounts.models import ApiKey
from billing.report_params import NAMES
from billing.report_table import FIGURES
from tests.factories import a_key, a_tenant
from tests.factories.compliance import a_subject
from tests.factories.control import a_refusal, a_usage_record, an_admin
from tests.factories.rollups import added_up

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

PATH = "/api/billing/reports"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def key(client: Client, monkeypatch: pytest.MonkeyPatch) -> ApiKey:
    """A key of acme, somebody signed in, and a clock that stands at noon of a tenth."""
    client.force_login(an_admin())
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    return a_key(tenant=a_tenant("acme"))[0]


def spent(key: ApiKey, nano: int, *, days_ago: int = 0, **fields: Any) -> None:
    a_usage_record(key, at=NOON - timedelta(days=days_ago, hours=1), cost_nano=nano, **fields)


def answered(client: Client, **params: Any) -> dict[str, Any]:
    added_up()
    response = client.get(PATH, params)
    assert response.status_code == 200
    body: dict[str, Any] = response.json()
    return body


def csv_of(client: Client, **params: Any) -> list[dict[str, str]]:
    response = client.get(PATH, {**params, "format": "csv"})
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8; header=present"
    text = b"".join(response).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def book_of(client: Client, **params: Any) -> openpyxl.Workbook:
    response = client.get(PATH, {**params, "format": "xlsx"})
    assert response.status_code == 200
    return openpyxl.load_workbook(io.BytesIO(b"".join(response)))


def test_it_works(client: Client, key: ApiKey) -> None:
    spent(key, 1_500_000_001, model="gpt-big", cached_input_tokens=40, reasoning_tokens=5, estimated=True)
    spent(key, 499_999_999, model="gpt-small", days_ago=1)
    a_refusal(key, at=NOON, model="gpt-small", requests=3)
    body = answered(client, split="model", tenant=key.tenant.slug)
    assert body["span"] == {"from": "2026-03-01", "to": "2026-03-10", "time_zone": "UTC"}
    assert body["filters"] == {"tenant": key.tenant.slug}
    assert body["lines"][0] == {
        "key": "gpt-big",
        "label": "gpt-big",
        "requests": 1,
        "refused": 0,
        "failed": 0,
        "input_tokens": 100,
        "cached_input_tokens": 40,
        "cache_write_tokens": 0,
        "output_tokens": 20,
        "reasoning_tokens": 5,
        "cost_nano": 1_500_000_001,
        "cost_usd": "1.500000001",
        "estimated_nano": 1_500_000_001,
        "estimated_usd": "1.500000001",
        "cost_share": "0.7500",
        "estimated_share": "1.0000",
    }
    assert (body["lines"][1]["requests"], body["lines"][1]["refused"]) == (4, 3)
    assert (body["total"]["cost_nano"], body["total"]["cost_usd"]) == (2_000_000_000, "2.000000000")
    assert body["others"] is None


def test_lines_beyond_the_limit_are_added_up(client: Client, key: ApiKey) -> None:
    for n in range(1, 5):
        spent(key, n, model=f"model-{n}")
    body = answered(client, split="model", limit=1)
    assert [line["key"] for line in body["lines"]] == ["model-4"]
    assert (body["others"]["cost_nano"], body["total"]["cost_nano"]) == (6, 10)


def test_filters_narrow(client: Client, key: ApiKey) -> None:
    spent(key, 1, model="a", environment="staging", provider="openai")
    spent(key, 2, model="b", environment="dev", provider="anthropic")
    for params in ({"model": "a"}, {"environment": "staging"}, {"provider": "openai"}):
        assert answered(client, **params)["total"]["cost_nano"] == 1


@pytest.mark.parametrize("name", ["tenant", "application", "api_key"])
def test_rows_are_named_by_number_or_by_name(name: str, client: Client, key: ApiKey) -> None:
    spent(key, 1)
    spent(a_key(tenant=a_tenant("umbrella"))[0], 2)
    names = {
        "tenant": (key.tenant_id, key.tenant.slug),
        "application": (key.application_id, key.application.slug),
        "api_key": (key.pk, key.public_id),
    }
    for text in names[name]:
        params: dict[str, Any] = {"tenant": key.tenant.slug, name: text}
        assert answered(client, **params)["total"]["cost_nano"] == 1


def test_a_row_that_is_gone_can_still_be_asked_for(client: Client, key: ApiKey) -> None:
    spent(key, 1, api_key_id=987654)
    (line,) = answered(client, split="api_key")["lines"]
    assert (line["key"], line["label"]) == ("987654", "API key 987654")
    assert answered(client, api_key=987654)["total"]["cost_nano"] == 1


def test_an_end_user_is_found_by_what_the_application_calls_them(client: Client, key: ApiKey) -> None:
    user = a_subject(key.tenant, "ada").surrogate
    spent(key, 1, end_user=user)
    spent(key, 2)
    for text in ("ada", user):
        body = answered(client, tenant=key.tenant.slug, end_user=text)
        assert body["total"]["cost_nano"] == 1
        assert body["filters"]["end_user"] == user


def test_whom_no_request_has_named_yet_is_said_to_be_unknown(client: Client, key: ApiKey) -> None:
    response = client.get(PATH, {"tenant": key.tenant.slug, "end_user": "ada"})
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["param"], "Nobody of that name" in error["message"]) == ("end_user", True)


# --- what is wrong ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "param", "words"),
    [
        ({"span": "year"}, "span", "Send one of: this_month"),
        ({"from": "2026-03-01"}, "to", "Send the last day"),
        ({"from": "yesterday", "to": "2026-03-01"}, "from", "Send it as 2026-05-31."),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "to", "Send a later one"),
        ({"from": "0001-01-01", "to": "2026-03-01"}, "from", "Send a day from 2000"),
        ({"from": "2001-01-01", "to": "2026-03-01"}, "from", "at most"),
        ({"split": "colour"}, "split", "Send one of: tenant"),
        ({"split": "tag"}, "tag", "needs the tag's name"),
        ({"tag_value": "search"}, "tag", "Send the tag's name"),
        ({"tag": "feature"}, "tag_value", "Send its value"),
        ({"split": "end_user"}, "tenant", "Choose a tenant"),
        ({"tenant": "nobody"}, "tenant", "There is no tenant 'nobody'"),
        ({"tenant": "99999999999999999999"}, "tenant", "There is no tenant"),
        ({"application": "shop"}, "application", "choose its tenant"),
        ({"api_key": "nothing"}, "api_key", "There is no key 'nothing'"),
        ({"environment": "moon"}, "environment", "Send one of"),
        ({"end_user": "ada"}, "end_user", "choose a tenant too"),
        ({"limit": "0"}, "limit", "from 1 to 1000"),
        ({"limit": "1e3"}, "limit", "from 1 to 1000"),
        ({"limit": "١"}, "limit", "from 1 to 1000"),
        ({"format": "pdf"}, "format", "json, csv, xlsx"),
        ({"per": "hour"}, "per", "total, day"),
        ({"per": "day"}, "format", "Send format=csv"),
        ({"modle": "x"}, "modle", "There is no parameter 'modle'"),
        ({"model": "\0"}, "model", "no text"),
        ({"model": "x" * 300}, "model", "at most 256"),
        ({"model": ["a", "b"]}, "model", "Send it once"),
        ({"format": ["csv", "csv"]}, "format", "once"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_bad_parameter_is_named_with_what_to_send(
    params: dict[str, Any], param: str, words: str, client: Client, key: ApiKey
) -> None:
    response = client.get(PATH, params)
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["param"], error["type"], error["code"]) == (param, "invalid_request_error", "invalid_request_error")
    assert words in error["message"]


@pytest.mark.parametrize("split", ["end_user", "tag"])
def test_what_is_not_kept_together_cannot_be_asked_together(split: str, client: Client, key: ApiKey) -> None:
    params = {
        "tenant": key.tenant.slug,
        "split": split,
        "model": "gpt-test",
        **({"tag": "x"} if split == "tag" else {}),
    }
    error = client.get(PATH, params).json()["error"]
    assert error["param"] == "split"
    assert "Leave out the model" in error["message"]


def test_a_key_of_another_tenant_is_refused(client: Client, key: ApiKey) -> None:
    rival = a_key(tenant=a_tenant("umbrella"))[0]
    error = client.get(PATH, {"tenant": key.tenant.slug, "api_key": rival.public_id}).json()["error"]
    assert error["param"] == "api_key"
    assert "another tenant" in error["message"]


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_has_the_lines_the_others_and_the_total(client: Client, key: ApiKey) -> None:
    for n in range(1, 4):
        spent(key, n * 10**9, model=f"model-{n}")
    added_up()
    rows = csv_of(client, split="model", limit=1)
    assert [(row["row"], row["cost_usd"], row["cost_share"]) for row in rows] == [
        ("line", "3.000000000", "0.5000"),
        ("others", "3.000000000", "0.5000"),
        ("total", "6.000000000", "1.0000"),
    ]
    sheet = book_of(client, split="model", limit=1)["Report"]
    assert [cell.value for cell in sheet[1]][:3] == ["Row", "Model", "Requests"]
    assert [sheet.cell(line, 11).value for line in (2, 3, 4)] == [3, 3, 6]
    assert [sheet.cell(line, 12).value for line in (2, 3, 4)] == ["3000000000", "3000000000", "6000000000"]


def test_a_spreadsheet_says_what_it_shows(client: Client, key: ApiKey) -> None:
    spent(key, 1)
    added_up()
    sheet = book_of(client, span="7d", tenant=key.tenant.slug, model="gpt-test")["About"]
    about = {row[0].value: row[1].value for row in sheet.rows}
    assert about["Span"] == "2026-03-04 to 2026-03-10, both included"
    assert about["Time zone of days"] == "UTC"
    assert about["Tenant"] == f"{key.tenant.name} ({key.tenant.slug})"
    assert about["Filters"] == "Model: gpt-test"
    assert about["Generated at"] == "2026-03-10 12:00:00 UTC"


def test_by_day_there_is_a_line_for_each_day_and_key(client: Client, key: ApiKey) -> None:
    for days_ago, model in ((0, "a"), (0, "b"), (3, "a")):
        spent(key, 7, days_ago=days_ago, model=model)
    added_up()
    rows = csv_of(client, split="model", per="day", limit=1)
    assert [(row["day"], row["model"], row["cost_nano"]) for row in rows] == [
        ("2026-03-07", "a", "7"),
        ("2026-03-10", "a", "7"),
        ("2026-03-10", "b", "7"),
    ]
    assert sum(Decimal(row["cost_usd"]) for row in rows) == Decimal("0.000000021")


def test_days_are_read_one_at_a_time_while_the_file_is_written(client: Client, key: ApiKey) -> None:
    for days_ago in range(10):
        spent(key, 7, days_ago=days_ago)
    added_up()
    pieces = iter(client.get(PATH, {"split": "model", "per": "day", "format": "csv"}))
    with CaptureQueriesContext(connection) as queries:
        next(pieces)
        assert len(queries) == 0
        assert b"".join(pieces).count(b"\r\n") == 10
    assert sum("billing_usageday" in query["sql"] for query in queries) == 10


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_file_of_nothing_has_its_header(form: str, client: Client, key: ApiKey) -> None:
    if form == "csv":
        assert [row["row"] for row in csv_of(client, split="model")] == ["total"]
    else:
        assert book_of(client, split="model", per="day")["Report"].max_row == 1


def test_names_stay_text_in_files(client: Client, key: ApiKey) -> None:
    for n, model in enumerate(('=HYPERLINK("http://evil.example")', "@SUM(A1)", "<b>bold</b>, quoted")):
        spent(key, 3 - n, model=model)
    added_up()
    assert [row["model"] for row in csv_of(client, split="model")][:3] == [
        '\'=HYPERLINK("http://evil.example")',
        "'@SUM(A1)",
        "<b>bold</b>, quoted",
    ]
    cells = [book_of(client, split="model")["Report"].cell(line, 2) for line in (2, 3, 4)]
    assert [cell.data_type for cell in cells] == ["s", "s", "s"]
    assert cells[0].value == '=HYPERLINK("http://evil.example")'


def test_a_file_is_named_for_what_it_holds(client: Client, key: ApiKey) -> None:
    response = client.get(PATH, {"tenant": key.tenant.slug, "split": "api_key", "format": "csv"})
    name = f"usage-{key.tenant.slug}-by-api-key-2026-03-01-to-2026-03-10.csv"
    assert response["Content-Disposition"] == f'attachment; filename="{name}"'
    assert response["Cache-Control"] == "no-store"


# --- who may ---------------------------------------------------------------------------------------------------------


def test_a_stranger_is_told_to_sign_in(client: Client) -> None:
    response = client.get(PATH)
    assert response.status_code == 401
    assert response.json()["error"]["code"] == "not_signed_in"


@pytest.mark.parametrize(
    ("fields", "rights", "status"),
    [
        ({"is_staff": True}, ["view_usagerecord"], 200),
        ({"is_staff": True}, ["view_tenant"], 403),
        ({"is_staff": False}, ["view_usagerecord"], 403),
    ],
    ids=["may-see-usage", "may-see-something-else", "is-not-staff"],
)
def test_only_staff_who_may_see_usage(fields: dict[str, Any], rights: list[str], status: int, client: Client) -> None:
    user = an_admin(is_superuser=False, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    response = client.get(PATH)
    assert response.status_code == status
    if status == 403:
        assert response.json()["error"]["code"] == "permission_denied"


def test_nothing_can_be_written(client: Client, key: ApiKey) -> None:
    response = client.post(PATH)
    assert response.status_code in (403, 405)
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


# --- schema ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def schema() -> Any:
    return SchemaGenerator(urlconf="config.api_urls").get_schema(request=None, public=True)  # type: ignore[no-untyped-call]


def test_the_schema_names_every_parameter_and_form(schema: Any) -> None:
    operation = schema["paths"][PATH]["get"]
    assert {each["name"] for each in operation["parameters"]} == {*NAMES, "per", "format"}
    assert set(operation["responses"]) == {"200", "400", "401", "403"}
    assert {"application/json", "text/csv"} < set(operation["responses"]["200"]["content"])
    assert operation["security"] == [{"session": []}]


def test_answers_are_as_the_schema_says(schema: Any, client: Client, key: ApiKey) -> None:
    spent(key, 5, model="a")
    spent(key, 5, model="b")
    operation = schema["paths"][PATH]["get"]["responses"]
    added_up()
    asked: list[tuple[dict[str, Any], str]] = [({"split": "model", "limit": 1}, "200"), ({"split": "x"}, "400")]
    for params, status in asked:
        shape = {**operation[status]["content"]["application/json"]["schema"], "components": schema["components"]}
        jsonschema_rs.validate(shape, client.get(PATH, params).json())


def test_every_figure_of_a_file_is_in_the_answer_too(client: Client, key: ApiKey) -> None:
    assert {each.column.name for each in FIGURES} <= set(answered(client)["total"])


def test_an_answer_takes_few_queries(client: Client, key: ApiKey) -> None:
    for n in range(20):
        spent(key, 5, model=f"model-{n}")
    added_up()
    with CaptureQueriesContext(connection) as queries:
        client.get(PATH, {"split": "model"})
    assert len(queries) <= 6
