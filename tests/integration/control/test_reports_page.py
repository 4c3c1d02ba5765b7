"""The page of reports: what it adds up, where its lines lead, and what it says of nothing and of mistakes."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey, User
from billing.models import Adjustment, AttributionTag
from compliance.models import Subject
from tests.factories import a_key, a_tenant, an_application
from tests.factories.compliance import a_subject
from tests.factories.control import a_refusal, a_usage_record, an_admin
from tests.factories.rollups import added_up

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

PAGE = "/admin/reports/"
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DOLLAR = 1_000_000_000


@pytest.fixture
def key(client: Client, monkeypatch: pytest.MonkeyPatch) -> ApiKey:
    """A key of acme, somebody signed in, and a clock that stands at noon of a tenth."""
    client.force_login(an_admin())
    monkeypatch.setattr(timezone, "now", lambda: NOON)
    return a_key(tenant=a_tenant("acme"))[0]


def spent(key: ApiKey, dollars: int = 1, *, days_ago: int = 0, **fields: Any) -> None:
    a_usage_record(key, at=NOON - timedelta(days=days_ago, hours=1), cost_nano=dollars * DOLLAR, **fields)


def shown(client: Client, **params: Any) -> Any:
    """What the page shows of the records there are."""
    added_up()
    response = client.get(PAGE, params)
    assert response.status_code == 200
    return response.context


def rows_of(client: Client, **params: Any) -> list[tuple[str, str]]:
    return [(row.label, row.figures.cost) for row in shown(client, **params)["table"].rows]


def asked_by(url: str) -> dict[str, str]:
    """The parameters of a link to the page."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def test_it_works(client: Client, key: ApiKey) -> None:
    spent(key, 3, model="gpt-big", input_tokens=1000, cached_input_tokens=250, output_tokens=200, reasoning_tokens=50)
    spent(key, 1, model="gpt-small", days_ago=1, estimated=True)
    a_refusal(key, at=NOON, model="gpt-small", requests=4)
    context = shown(client, split="model")
    big, small = context["table"].rows
    assert (big.label, big.figures.cost, big.share, big.figures.cached) == ("gpt-big", "$3.00", "75 %", "25 %")
    assert (small.figures.requests, small.figures.refused, small.figures.estimated) == ("5", "4", "100 %")
    assert context["table"].total.cost == "$4.00"
    assert context["span_words"] == "1 to 10 March 2026, days in UTC"


@pytest.mark.parametrize(
    ("split", "field", "values"),
    [
        ("model", "model", ("a-model", "b-model")),
        ("provider", "provider", ("openai", "anthropic")),
        ("environment", "environment", ("staging", "dev")),
    ],
)
def test_splits_by_what_records_name(
    split: str, field: str, values: tuple[str, str], client: Client, key: ApiKey
) -> None:
    for dollars, value in zip((2, 1), values, strict=True):
        fields: dict[str, Any] = {field: value}
        spent(key, dollars, **fields)
    assert rows_of(client, split=split) == [(values[0], "$2.00"), (values[1], "$1.00")]


def test_splits_by_whose_it_is(client: Client, key: ApiKey) -> None:
    rival = a_key(tenant=a_tenant("umbrella"))[0]
    spent(key, 2)
    spent(rival, 1)
    assert rows_of(client, split="tenant") == [(key.tenant.name, "$2.00"), (rival.tenant.name, "$1.00")]
    assert rows_of(client, split="application", tenant=rival.tenant.slug) == [(rival.application.name, "$1.00")]
    assert rows_of(client, split="api_key", tenant=rival.tenant.slug) == [
        (f"{rival.name} (…{rival.last_four})", "$1.00")
    ]


def test_splits_by_tag_and_by_end_user_of_a_tenant(client: Client, key: ApiKey) -> None:
    AttributionTag.objects.create(tenant=key.tenant, key="feature")
    user = a_subject(key.tenant, "ada").surrogate
    spent(key, 2, tags={"feature": "search"}, end_user=user)
    spent(key, 1)
    tenant = key.tenant.slug
    assert rows_of(client, split="tag", tag="feature", tenant=tenant)[0] == ("search", "$2.00")
    assert rows_of(client, split="end_user", tenant=tenant)[0] == (user, "$2.00")


@pytest.mark.parametrize(
    ("span", "first", "last"),
    [
        ("this_month", date(2026, 3, 1), date(2026, 3, 10)),
        ("last_month", date(2026, 2, 1), date(2026, 2, 28)),
        ("7d", date(2026, 3, 4), date(2026, 3, 10)),
        ("30d", date(2026, 2, 9), date(2026, 3, 10)),
        ("90d", date(2025, 12, 11), date(2026, 3, 10)),
    ],
)
def test_spans(span: str, first: date, last: date, client: Client, key: ApiKey) -> None:
    bars = shown(client, span=span)["chart"].bars
    assert [bars[0].title, bars[-1].title] == [f"{day:%a %-d %b %Y}: $0.00" for day in (first, last)]


def test_days_are_the_chosen_tenants_own(client: Client, key: ApiKey) -> None:
    tokyo = a_key(tenant=a_tenant("umbrella", time_zone="Asia/Tokyo"))[0]
    a_usage_record(tokyo, at=datetime(2026, 3, 8, 20, tzinfo=UTC), cost_nano=DOLLAR)
    span = {"from": "2026-03-09", "to": "2026-03-09"}
    assert rows_of(client, split="model", tenant=tokyo.tenant.slug, **span) == [("gpt-test", "$1.00")]
    assert rows_of(client, split="model", **span) == []


def test_days_are_in_order(client: Client, key: ApiKey) -> None:
    spent(key, 1)
    spent(key, 2, days_ago=2)
    assert rows_of(client, split="day") == [("Sun 8 Mar 2026", "$2.00"), ("Tue 10 Mar 2026", "$1.00")]


def test_requests_that_cost_nothing_are_not_nothing(client: Client, key: ApiKey) -> None:
    a_refusal(key, at=NOON)
    added_up()
    assert "came to nothing in this measure" in text_of(client.get(PAGE))
    assert "came to nothing in this measure" not in text_of(client.get(PAGE, {"chart": "requests"}))


def test_a_long_list_ends_with_the_others(client: Client, key: ApiKey) -> None:
    for n in range(1, 5):
        spent(key, n, model=f"model-{n}")
    context = shown(client, split="model", limit=2)
    rows = context["table"].rows
    assert [(row.figures.cost, row.is_rest) for row in rows] == [("$4.00", False), ("$3.00", False), ("$3.00", True)]
    assert "2" in rows[-1].label
    assert rows[-1].url == ""
    assert context["table"].total.cost == "$10.00"
    assert asked_by(context["table"].more_url)["limit"] == "1000"


# --- where lines lead ------------------------------------------------------------------------------------------------


def test_a_line_leads_to_itself_split_by_what_comes_next(client: Client, key: ApiKey) -> None:
    spent(key, 1)
    (row,) = shown(client, split="tenant")["table"].rows
    steps = [(row.label, asked_by(row.url)["split"])]
    for _ in range(3):
        context = client.get(row.url).context
        (row,) = context["table"].rows
        steps.append((row.label, asked_by(row.url)["split"]))
    assert steps == [
        (key.tenant.name, "application"),
        (key.application.name, "api_key"),
        (f"{key.name} (…{key.last_four})", "model"),
        ("gpt-test", "day"),
    ]
    assert client.get(row.url).context["table"].total.cost == "$1.00"


def test_requests_without_a_model_can_be_narrowed_to(client: Client, key: ApiKey) -> None:
    spent(key, 1)
    a_refusal(key, at=NOON, model="")
    rows = shown(client, split="model")["table"].rows
    nameless = next(row for row in rows if row.figures.refused)
    assert asked_by(nameless.url)["model"] == "(none)"
    assert client.get(nameless.url).context["table"].total.requests == "1"


def test_a_bar_leads_to_its_day_and_a_chip_back(client: Client, key: ApiKey) -> None:
    spent(key, 1, model="gpt-a", days_ago=1)
    spent(key, 2, model="gpt-b")
    bar = shown(client, split="model")["chart"].bars[-2]
    assert bar.title == "Mon 9 Mar 2026: $1.00 (gpt-a $1.00)"
    day = client.get(bar.url).context
    assert [row.label for row in day["table"].rows] == ["gpt-a"]
    narrow = client.get(day["table"].rows[0].url).context
    (chip,) = narrow["chips"]
    assert chip.label == "Model: gpt-a"
    assert "model" not in asked_by(chip.url)


def test_the_usage_records_behind_a_report_can_be_listed(client: Client, key: ApiKey) -> None:
    spent(key, 1, model="gpt-a")
    spent(key, 1, model="gpt-b")
    spent(key, 1, model="gpt-a", days_ago=30)
    url = shown(client, split="day", model="gpt-a", tenant=key.tenant.slug)["records_url"]
    assert [record.model for record in client.get(url).context["cl"].result_list] == ["gpt-a"]
    assert shown(client, environment="dev")["records_url"] == ""


# --- the chart -------------------------------------------------------------------------------------------------------


def test_bars_are_stacked_of_the_dearest_and_the_others(client: Client, key: ApiKey) -> None:
    for n in range(1, 11):
        spent(key, n, model=f"model-{n:02}")
    chart = shown(client, split="model")["chart"]
    assert len(chart.legend) == 9
    assert [piece.series for piece in chart.bars[-1].pieces] == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert sum(float(piece.height) for piece in chart.bars[-1].pieces) == pytest.approx(100, abs=0.01)
    assert chart.top == "$55.00"


@pytest.mark.parametrize(
    ("days", "unit", "bars"), [(31, "day", 31), (92, "day", 92), (93, "week", 14), (800, "month", 27)]
)
def test_long_spans_have_fewer_bars(days: int, unit: str, bars: int, client: Client, key: ApiKey) -> None:
    spent(key, 5)
    first = NOON.date() - timedelta(days=days - 1)
    chart = shown(client, **{"from": first, "to": NOON.date()})["chart"]
    assert chart.title == f"Cost by {unit}"
    assert len(chart.bars) == bars
    assert chart.bars[-1].title.endswith(": $5.00")
    assert sum(bool(bar.label) for bar in chart.bars) <= 31


@pytest.mark.parametrize(("measure", "top"), [("cost", "$1.00"), ("requests", "1"), ("tokens", "120")])
def test_the_chart_shows_cost_requests_or_tokens(measure: str, top: str, client: Client, key: ApiKey) -> None:
    spent(key, 1)
    context = shown(client, chart=measure)
    assert context["chart"].top == top
    assert [way.is_chosen for way in context["measures"]].count(True) == 1


# --- files -----------------------------------------------------------------------------------------------------------


def test_the_files_hold_what_the_page_shows(client: Client, key: ApiKey) -> None:
    for n in range(1, 4):
        spent(key, n, model=f"model-{n}")
    context = shown(client, split="model", limit=2)
    file = client.get(next(way.url for way in context["downloads"] if way.label == "CSV"))
    lines = b"".join(file).decode().splitlines()
    assert [line.split(",")[0] for line in lines] == ["row", "line", "line", "others", "total"]
    assert lines[1].startswith("line,model-3,1,0,0,100,0,0,20,0,3.000000000,3000000000,")


# --- the form --------------------------------------------------------------------------------------------------------


def test_the_form_leads_to_an_address(client: Client, key: ApiKey) -> None:
    sent = {"span": "7d", "from": "2026-01-01", "to": "", "split": "model", "tenant": key.tenant.slug, "model": " "}
    response = client.post(PAGE, sent)
    assert response.status_code == 302
    assert asked_by(response["Location"]) == {"span": "7d", "tenant": key.tenant.slug, "split": "model"}


def test_an_end_user_is_looked_up_without_a_trace_in_the_address(client: Client, key: ApiKey) -> None:
    user = a_subject(key.tenant, "ada@example.com").surrogate
    spent(key, 1, end_user=user)
    sent = {"span": "7d", "split": "day", "tenant": key.tenant.slug, "end_user": "ada@example.com"}
    url = client.post(PAGE, sent)["Location"]
    assert "example" not in url
    assert asked_by(url)["end_user"] == user
    added_up()
    assert client.get(url).context["table"].total.cost == "$1.00"


def test_the_same_person_is_somebody_else_at_another_tenant(client: Client, key: ApiKey) -> None:
    rival = a_tenant("umbrella")
    people = [a_subject(tenant, "ada@example.com") for tenant in (key.tenant, rival)]
    sent = {"split": "day", "end_user": "ada@example.com"}
    urls = [client.post(PAGE, {**sent, "tenant": tenant.slug})["Location"] for tenant in (key.tenant, rival)]
    assert [asked_by(url)["end_user"] for url in urls] == [person.surrogate for person in people]


def test_whom_no_request_has_named_yet_is_not_looked_for(client: Client, key: ApiKey) -> None:
    response = client.post(PAGE, {"split": "day", "end_user": "ada@example.com", "tenant": key.tenant.slug})
    assert response.context["form"].errors["end_user"] == [
        f"Nobody of that name is known at {key.tenant} yet: no request has named them."
    ]
    assert not Subject.objects.filter(tenant=key.tenant).exists(), "asking enrols nobody"


def test_a_tag_is_one_of_what_to_split_by(client: Client, key: ApiKey) -> None:
    AttributionTag.objects.create(tenant=key.tenant, key="feature")
    choices = dict(shown(client, tenant=key.tenant.slug)["form"].fields["split"].widget.choices)
    assert choices["tag:feature"] == "Tag feature"
    response = client.post(PAGE, {"span": "7d", "split": "tag:feature", "tenant": key.tenant.slug})
    assert asked_by(response["Location"])["tag"] == "feature"


def test_the_lists_offer_what_the_chosen_tenant_has(client: Client, key: ApiKey) -> None:
    rival = an_application(a_tenant("umbrella"))
    everything = dict(shown(client)["form"].fields["application"].widget.choices)
    own = dict(shown(client, tenant=key.tenant.slug)["form"].fields["application"].widget.choices)
    assert {str(rival.pk), str(key.application_id)} <= set(everything)
    assert str(rival.pk) not in own


# --- nothing, or something wrong -------------------------------------------------------------------------------------


def test_without_requests_it_says_what_to_do(client: Client, key: ApiKey) -> None:
    assert "No requests in these days. Choose a longer span" in text_of(client.get(PAGE))
    narrowed = text_of(client.get(PAGE, {"tenant": key.tenant.slug}))
    assert "No such requests in these days. Choose a longer span, or remove a filter" in narrowed


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"span": "year"}, "&#x27;year&#x27; is not a span. Send one of:"),
        ({"span": "custom", "from": "2026-03-01"}, "to is missing. Send the last day"),
        ({"from": "01.03.2026", "to": "2026-03-02"}, "is not a day. Send it as 2026-05-31."),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "is before the first"),
        ({"tenant": "nobody"}, "There is no tenant &#x27;nobody&#x27;"),
        ({"split": "end_user"}, "Choose a tenant"),
        ({"end_user": "ada"}, "choose a tenant too"),
        ({"modle": "x"}, "There is no parameter &#x27;modle&#x27;"),
        ({"model": "a\0b"}, "model is no text"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_said_in_words(params: dict[str, str], words: str, client: Client, key: ApiKey) -> None:
    response = client.get(PAGE, params)
    assert response.status_code == 400
    assert words in text_of(response)


def test_a_mistake_in_the_form_keeps_what_was_filled_in(client: Client, key: ApiKey) -> None:
    response = client.post(PAGE, {"span": "custom", "from": "2026-03-02", "to": "2026-03-01", "split": "model"})
    assert response.status_code == 200
    form = response.context["form"]
    assert form["to"].errors == ["The last day, 2026-03-01, is before the first, 2026-03-02. Send a later one."]
    assert (form["from"].value(), form["split"].value()) == ("2026-03-02", "model")


def test_hostile_names_are_only_text(client: Client, key: ApiKey) -> None:
    hostile = "\"><script>alert('x')</script>"
    spent(key, 1, model=hostile)
    added_up()
    for params in ({"split": "model"}, {"model": hostile}, {"split": hostile}, {"tenant": hostile}, {hostile: "1"}):
        assert "<script>alert" not in client.get(PAGE, params).content.decode()


def test_what_belongs_to_another_tenant_is_refused(client: Client, key: ApiKey) -> None:
    rival = a_key(tenant=a_tenant("umbrella"))[0]
    for name, value in (("application", rival.application_id), ("api_key", rival.pk), ("api_key", rival.public_id)):
        response = client.get(PAGE, {"tenant": key.tenant.slug, name: value})
        assert response.status_code == 400
        assert "belongs to another tenant" in text_of(response)


# --- who may ---------------------------------------------------------------------------------------------------------


def somebody(*rights: str, **fields: Any) -> User:
    user = an_admin(is_superuser=False, **fields)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    return user


def test_who_may_see_usage_may_see_reports(client: Client) -> None:
    client.force_login(somebody("view_usagerecord"))
    response = client.get(PAGE)
    assert response.status_code == 200
    assert 'href="/admin/reports/"' in response.content.decode()


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_else_may(method: str, client: Client) -> None:
    client.force_login(somebody("view_tenant"))
    assert getattr(client, method)(PAGE).status_code == 403
    assert 'href="/admin/reports/"' not in client.get("/admin/").content.decode()


def test_a_stranger_is_asked_to_sign_in(client: Client) -> None:
    response = client.get(PAGE)
    assert response.status_code == 302
    assert response["Location"].startswith("/admin/login/")


def test_it_says_what_was_adjusted_and_is_not_in_its_figures(client: Client, key: ApiKey) -> None:
    spent(key, 3)
    for tenant, nano in ((key.tenant, -DOLLAR), (a_tenant("umbrella"), -5 * DOLLAR)):
        Adjustment.objects.create(
            tenant=tenant, amount_nano=nano, reason="invoice 17", actor_kind="user", actor_id="1", created_at=NOON
        )
    words = [note.words for note in shown(client, split="model", tenant=key.tenant.slug)["notes"]]
    assert words == ["Adjustments made in these days: −$1.00, not included above."]
    assert shown(client, split="model", model="gpt-test")["notes"] == []


@pytest.mark.parametrize("split", [{"split": "end_user"}, {"split": "tag", "tag": "feature"}], ids=["end user", "tag"])
def test_it_says_where_refusals_are_not_counted(client: Client, key: ApiKey, split: dict[str, str]) -> None:
    AttributionTag.objects.create(tenant=key.tenant, key="feature")
    (note,) = shown(client, tenant=key.tenant.slug, **split)["notes"]
    assert "Refused requests are not counted by" in note.words
