"""Budgets as administrators set and read them: whom they cover, what else holds for a while, who has used most."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Tenant, User
from billing import selectors, separate
from billing.actions import budgets, tags
from billing.charging import NOBODY, value_key
from billing.ledger.models import Meter
from billing.models import Budget, BudgetOverride
from compliance.models import AuditEvent, Subject
from tests.factories import (
    THE_SYSTEM,
    a_budget,
    a_key,
    a_model,
    a_provider,
    a_tag,
    a_tenant,
    an_application,
    an_override,
)
from tests.factories.compliance import a_subject
from tests.factories.control import a_meter, a_usage_record, an_admin, events_of

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

ADD = "/admin/billing/budget/add/"
LIST = "/admin/billing/budget/"
BUDGET = {"name": "All", "limit_nano": "10", "period": "month", "mode": "hard", "active": "on"}
DOLLAR = 1_000_000_000


@pytest.fixture(autouse=True)
def person(client: Client) -> User:
    user = an_admin()
    client.force_login(user)
    return user


def page(budget: Budget, name: str = "change") -> str:
    return f"/admin/billing/budget/{budget.pk}/{name}/"


def text_of(client: Client, url: str) -> str:
    return client.get(url).content.decode()


def errors_of(client: Client, values: dict[str, Any]) -> dict[str, list[str]]:
    """What is wrong with a new budget that must be refused."""
    response = client.post(ADD, {**BUDGET, **values})
    assert response.status_code == 200
    return {name: list(errors) for name, errors in response.context["adminform"].form.errors.items()}


def add(client: Client, tenant: Tenant, **values: Any) -> Budget:
    """A budget through the form, which must take it."""
    response = client.post(ADD, {**BUDGET, "tenant": tenant.pk, **values})
    assert response.status_code == 302, response.context["adminform"].form.errors
    return Budget.objects.get(tenant=tenant)


def use_of(budget: Budget) -> selectors.Use:
    return selectors.uses_of([budget])[budget.pk]


# --- whom it covers -----------------------------------------------------------------------------------------------


def test_every_scope_is_taken_and_shown_in_words(client: Client) -> None:
    application = an_application()
    model = a_model(a_provider("http://127.0.0.1:9/v1"))
    a_tag(application.tenant)
    scope = {"application": application.pk, "environment": "production", "model": model.name}
    add(client, application.tenant, **scope, tag="feature", tag_value="chat", each="end_user")
    words = f"Application {application.name} · environment production · model {model.name} · tag feature = chat"
    assert f"{words} · for each end user" in text_of(client, LIST)


def test_a_budget_without_scope_covers_the_whole_tenant(client: Client) -> None:
    a_budget(a_tenant())
    assert "Whole tenant" in text_of(client, LIST)


@pytest.mark.parametrize("given", ["ada@example.org", "  ada@example.org "])
def test_an_end_user_is_kept_as_a_surrogate(given: str, client: Client) -> None:
    tenant = a_tenant()
    known = a_subject(tenant, "ada@example.org")
    assert add(client, tenant, end_user=given).end_user == known.surrogate
    assert "ada@" not in str(list(AuditEvent.objects.values_list("after", flat=True)))


def test_a_budget_may_wait_for_the_first_request_of_its_end_user(client: Client) -> None:
    tenant = a_tenant()
    budget = add(client, tenant, end_user="ada@example.org")
    assert budget.end_user == Subject.objects.get(tenant=tenant).surrogate
    assert budget.end_user == a_subject(tenant, "ada@example.org").surrogate


def test_a_budget_that_is_refused_enrols_nobody(client: Client) -> None:
    tenant = a_tenant()
    a_budget(tenant, name="All")
    assert errors_of(client, {"tenant": tenant.pk, "end_user": "ada@example.org"})
    assert not Subject.objects.filter(tenant=tenant).exists()


def test_a_budget_changes_hands(client: Client) -> None:
    tenant = a_tenant()
    budget = add(client, tenant, end_user="ada@example.org")
    assert client.post(page(budget), {**BUDGET, "end_user": "grace@example.org"}).status_code == 302
    budget.refresh_from_db()
    assert budget.end_user == a_subject(tenant, "grace@example.org").surrogate


def test_a_surrogate_stays_what_it_is(client: Client) -> None:
    tenant = a_tenant()
    known = a_subject(tenant).surrogate
    budget = add(client, tenant, end_user=known)
    values = {**BUDGET, "name": "Renamed", "end_user": budget.end_user}
    assert client.post(page(budget), values).status_code == 302
    budget.refresh_from_db()
    assert (budget.name, budget.end_user) == ("Renamed", known)


def test_a_surrogate_of_another_tenant_is_nobodys(client: Client) -> None:
    tenant, theirs = a_tenant(), a_subject(a_tenant("umbrella")).surrogate
    errors = errors_of(client, {"tenant": tenant.pk, "end_user": theirs})
    assert errors["end_user"] == [
        f"{tenant} has no end user {theirs}. Copy it from usage, or name the person as the application does."
    ]


def test_a_tag_must_be_declared(client: Client) -> None:
    tenant, rival = a_tenant(), a_tenant("umbrella")
    a_tag(rival)
    values = {"tenant": tenant.pk, "tag": "feature", "each": "tag"}
    assert errors_of(client, values) == {
        "tag": ["The tenant has not declared feature; declare it among its attribution tags first."]
    }
    a_tag(tenant)
    assert add(client, tenant, tag="feature", each="tag").each == "tag"


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        pytest.param({"mode": "downgrade"}, "downgrade_to", "Name the cheaper model", id="downgrade to nothing"),
        pytest.param({"mode": "downgrade", "downgrade_to": "none"}, "downgrade_to", "valid choice", id="no such model"),
        pytest.param({"model": "none"}, "model", "valid choice", id="a budget of no model"),
        pytest.param({"period": "dates"}, "starts_on", "Give the day", id="no dates"),
        pytest.param(
            {"period": "dates", "starts_on": "2030-02-01", "ends_on": "2030-01-01"}, "ends_on", "before", id="backwards"
        ),
        pytest.param({"each": "tag"}, "tag", "Name the tag", id="each of no tag"),
        pytest.param({"environment": "moon"}, "environment", "valid choice", id="no such environment"),
    ],
)
def test_what_makes_no_sense_is_refused_next_to_its_field(
    values: dict[str, str], field: str, words: str, client: Client
) -> None:
    errors = errors_of(client, {"tenant": a_tenant().pk, **values})
    assert words in str(errors[field])


def test_a_model_is_not_downgraded_to_itself(client: Client) -> None:
    model = a_model(a_provider("http://127.0.0.1:9/v1")).name
    values = {"tenant": a_tenant().pk, "mode": "downgrade", "model": model, "downgrade_to": model}
    assert "another model" in str(errors_of(client, values)["downgrade_to"])


def test_a_key_and_an_application_are_one_too_many(client: Client) -> None:
    key, _ = a_key()
    values = {"tenant": key.tenant_id, "application": key.application_id, "api_key": key.pk}
    assert list(errors_of(client, values)) == ["application"]


def test_what_the_page_hides_is_not_kept(client: Client) -> None:
    model = a_model(a_provider("http://127.0.0.1:9/v1")).name
    hidden = {"downgrade_to": model, "starts_on": "2030-01-01", "ends_on": "2030-01-31"}
    budget = add(client, a_tenant(), **hidden)
    assert (budget.downgrade_to, budget.starts_on, budget.ends_on) == ("", None, None)


def test_a_model_that_has_gone_stays_named(client: Client) -> None:
    budget = a_budget(a_tenant(), mode="downgrade", downgrade_to="gone")
    assert client.post(page(budget), {**BUDGET, "mode": "downgrade", "downgrade_to": "gone"}).status_code == 302


def test_only_what_belongs_to_the_tenant_is_offered(client: Client) -> None:
    mine, _ = a_key()
    a_key(tenant=a_tenant("umbrella"))
    budget = a_budget(mine.tenant)
    narrowed = f"/admin/autocomplete/?tenant={mine.tenant_id}"
    for url in (page(budget), f"{ADD}?tenant={mine.tenant_id}"):
        assert text_of(client, url).count(f'data-ajax--url="{narrowed}"') == 2
    for field, own in (("application", mine.application), ("api_key", mine)):
        asked: dict[str, Any] = {"app_label": "billing", "model_name": "budget", "field_name": field}
        assert len(client.get("/admin/autocomplete/", asked).json()["results"]) == 2
        (only,) = client.get("/admin/autocomplete/", {**asked, "tenant": mine.tenant_id}).json()["results"]
        assert only["id"] == str(own.pk)


# --- another limit for a while ------------------------------------------------------------------------------------


def the_override(client: Client, budget: Budget, **values: Any) -> Any:
    ends_at = timezone.now() + timedelta(days=2)
    given = {"limit_nano": "20", "ends_at_0": f"{ends_at:%Y-%m-%d}", "ends_at_1": "12:00", "reason": "ticket 12"}
    return client.post(page(budget, "override"), {**given, **values}, follow=True)


def test_an_override_holds_at_once_and_says_so(client: Client, person: User) -> None:
    budget = a_budget(a_tenant(), dollars="10")
    a_meter(budget, used=10 * DOLLAR)
    assert "Used up: requests are refused" in text_of(client, LIST)
    response = the_override(client, budget)
    row = BudgetOverride.objects.get(budget=budget)
    assert f"has a limit of $20.00 from {row.starts_at:%Y-%m-%d %H:%M} until" in response.content.decode()
    event = events_of(person).get()
    assert (event.action, event.reason, event.tenant_id) == ("budgetoverride.created", "ticket 12", budget.tenant_id)
    shown = text_of(client, LIST)
    assert "$10.00 of $20.00" in shown
    assert f"Override until {row.ends_at:%Y-%m-%d} 12:00 UTC, then $10.00 again" in shown
    assert "Used up" not in shown


def test_an_override_may_begin_later(client: Client) -> None:
    budget = a_budget(a_tenant(), dollars="10")
    tomorrow = timezone.now() + timedelta(days=1)
    the_override(client, budget, starts_at_0=f"{tomorrow:%Y-%m-%d}", starts_at_1="08:00")
    assert BudgetOverride.objects.get(budget=budget).starts_at == tomorrow.astimezone(UTC).replace(
        hour=8, minute=0, second=0, microsecond=0
    )
    assert (use_of(budget).limit_nano, use_of(budget).override) == (10 * DOLLAR, "")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"reason": ""}, "reason", id="no reason"),
        pytest.param({"reason": "  x "}, "reason", id="hardly a reason"),
        pytest.param({"limit_nano": ""}, "limit_nano", id="no limit"),
        pytest.param({"limit_nano": "-1"}, "limit_nano", id="less than nothing"),
        pytest.param({"ends_at_0": ""}, "ends_at", id="no end"),
        pytest.param({"ends_at_0": "2020-01-01"}, "ends_at", id="over already"),
        pytest.param({"starts_at_0": "2099-01-01", "starts_at_1": "00:00"}, "ends_at", id="ends before it begins"),
    ],
)
def test_an_override_that_makes_no_sense_is_refused(values: dict[str, str], field: str, client: Client) -> None:
    budget = a_budget(a_tenant())
    response = the_override(client, budget, **values)
    assert list(response.context["form"].errors) == [field]
    assert not BudgetOverride.objects.exists()


def test_an_override_is_ended_and_deleted_on_the_budgets_page(client: Client, person: User) -> None:
    budget = a_budget(a_tenant(), dollars="10")
    row = an_override(budget, dollars="20")
    now = timezone.now()
    values = {
        **BUDGET,
        "name": budget.name,
        "overrides-TOTAL_FORMS": 1,
        "overrides-INITIAL_FORMS": 1,
        "overrides-0-id": row.pk,
        "overrides-0-budget": budget.pk,
        "overrides-0-limit_nano": "20",
        "overrides-0-ends_at_0": f"{now:%Y-%m-%d}",
        "overrides-0-ends_at_1": f"{now:%H:%M:%S.%f}",
        "overrides-0-reason": "a launch, over",
    }
    assert client.post(page(budget), values).status_code == 302
    assert use_of(budget).limit_nano == 10 * DOLLAR
    assert client.post(page(budget), {**values, "overrides-0-DELETE": "on"}).status_code == 302
    assert not BudgetOverride.objects.exists()
    events = events_of(person)
    assert list(events.values_list("action", flat=True)) == ["budgetoverride.changed", "budgetoverride.deleted"]


def test_a_budget_is_deleted_with_its_overrides_each_with_an_event(client: Client, person: User) -> None:
    budget = a_budget(a_tenant())
    an_override(budget, dollars="20")
    assert client.post(page(budget, "delete"), {"post": "yes"}).status_code == 302
    events = events_of(person)
    assert list(events.values_list("action", flat=True)) == ["budgetoverride.deleted", "budget.deleted"]


def test_of_overlapping_overrides_the_one_that_began_last_holds() -> None:
    budget, now = a_budget(a_tenant(), dollars="10"), timezone.now()
    an_override(budget, dollars="30", starts_at=now - timedelta(hours=1))
    an_override(budget, dollars="20", starts_at=now - timedelta(hours=2))
    assert use_of(budget).limit_nano == 30 * DOLLAR


def test_an_override_counts_for_what_is_near_its_limit() -> None:
    calm, tight = (a_budget(a_tenant(), dollars="10") for _ in range(2))
    for budget, limit in ((calm, "20"), (tight, "9")):
        a_meter(budget, used=9 * DOLLAR)
        an_override(budget, dollars=limit)
    near = selectors.budgets_near_limit(most=8)
    assert [(budget.pk, use.percent) for budget, use in near or ()] == [(tight.pk, 100)]


def test_who_may_not_override_is_not_offered_it(client: Client) -> None:
    budget, staff = a_budget(a_tenant()), an_admin(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["change_budget", "view_budget"]))
    client.force_login(staff)
    assert "Override for a while" not in text_of(client, page(budget))
    assert client.get(page(budget, "override")).status_code == 403


# --- in force, or used up -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param({"mode": "hard"}, "Used up: requests are refused", id="hard"),
        pytest.param({"mode": "soft"}, "Used up: requests go on, and are flagged", id="soft"),
        pytest.param({"mode": "downgrade", "downgrade_to": "mini"}, "Used up: mini answers requests", id="downgrade"),
    ],
)
@pytest.mark.parametrize("path", ["/admin/", LIST, "page"])
def test_what_happens_when_it_is_used_up_is_seen_at_a_glance(
    fields: dict[str, str], words: str, path: str, client: Client
) -> None:
    key, _ = a_key()
    a_usage_record(key)  # the front page of an empty installation shows no budgets
    budget = a_budget(key.tenant, dollars="10", **fields)
    a_meter(budget, used=9 * DOLLAR, held=DOLLAR)
    assert words in text_of(client, page(budget) if path == "page" else path)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        pytest.param(1, 2, "Not in force: begins 2026-05-02", id="to come"),
        pytest.param(-2, -1, "Not in force: ended 2026-04-30", id="over"),
        pytest.param(0, 0, "", id="today"),
    ],
)
def test_fixed_dates_that_are_not_in_force_say_so(first: int, last: int, words: str, monkeypatch: Any) -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    days = {name: (noon + timedelta(days=n)).date() for name, n in (("starts_on", first), ("ends_on", last))}
    budget = a_budget(a_tenant(), dollars="1", period="dates", **days)
    monkeypatch.setattr(timezone, "now", lambda: noon)
    assert use_of(budget).dates == words


def test_the_days_of_a_budget_are_those_of_its_tenant(monkeypatch: Any) -> None:
    tenant = a_tenant(time_zone="Pacific/Auckland")
    day = datetime(2026, 5, 2).date()
    budget = a_budget(tenant, period="dates", starts_on=day, ends_on=day)
    for hour, in_force in ((11, False), (12, True)):  # UTC; there it is 12 hours later
        monkeypatch.setattr(timezone, "now", lambda hour=hour: datetime(2026, 5, 1, hour, tzinfo=UTC))
        assert (use_of(budget).dates == "") is in_force


def test_what_fixed_dates_have_used_is_still_shown_when_they_are_over(client: Client) -> None:
    today = timezone.now().date()
    dates = {"starts_on": today - timedelta(days=9), "ends_on": today - timedelta(days=2)}
    budget = a_budget(a_tenant(), dollars="1", period="dates", **dates)
    a_meter(budget, used=DOLLAR, is_over=True)
    use = use_of(budget)
    assert (use.percent, use.level) == (100, "")
    assert selectors.budgets_near_limit(most=8) == []


# --- one limit for each -------------------------------------------------------------------------------------------


def counted(budget: Budget) -> list[tuple[str, str]]:
    rows = separate.fullest(budget, limit_nano=budget.limit_nano, most=10)
    assert rows is not None
    return [(row.name, row.used) for row in rows]


def test_the_use_of_many_is_that_of_the_fullest(client: Client) -> None:
    tenant = a_tenant()
    budget = a_budget(tenant, dollars="10", each="end_user")
    other = a_budget(tenant, dollars="10", each="end_user")
    a_meter(budget, of="eu_a", used=1)
    a_meter(budget, of="eu_b", used=8 * DOLLAR, held=DOLLAR)
    a_meter(budget, of="eu_c", used=99 * DOLLAR, is_over=True)
    a_meter(other, of="eu_a", used=2)
    use = use_of(budget)
    assert (use.percent, use.apart) == (90, "The fullest of 2 end users")
    assert use_of(other).apart == "The first of the end users counted"
    assert "The fullest of 2 end users" in text_of(client, LIST)


def test_nobody_counted_yet_is_nothing_used(client: Client) -> None:
    budget = a_budget(a_tenant(), each="end_user")
    assert (use_of(budget).taken_nano, use_of(budget).apart) == (0, "No end users counted yet")
    assert "each appears with its first request" in text_of(client, page(budget))


def test_end_users_are_shown_as_surrogates_fullest_first() -> None:
    budget = a_budget(a_tenant(), each="end_user")
    ada = a_subject(budget.tenant, "ada").surrogate
    a_meter(budget, of=ada, used=DOLLAR)
    a_meter(budget, of=NOBODY, used=2 * DOLLAR)
    a_meter(budget, of="", used=3 * DOLLAR)
    assert counted(budget) == [
        ("All others, beyond what the tier counts apart", "$3.00"),
        ("Requests that name no end user", "$2.00"),
        (ada, "$1.00"),
    ]


def test_values_of_a_tag_are_shown_as_they_were_sent() -> None:
    key, _ = a_key()
    a_tag(key.tenant)
    budget = a_budget(key.tenant, tag="feature", each="tag")
    a_usage_record(key, tags={"feature": "Chat & search"})
    a_usage_record(a_key()[0], tags={"feature": "theirs"})
    for value, used in (("Chat & search", 3), ("theirs", 2)):
        a_meter(budget, of=value_key(value), used=used * DOLLAR)
    unknown = f"Not among recent usage ({value_key('theirs')[:6]}…)"
    assert counted(budget) == [("Chat & search", "$3.00"), (unknown, "$2.00")]


def test_models_are_shown_by_their_names() -> None:
    key, _ = a_key()
    budget = a_budget(key.tenant, each="model")
    a_usage_record(key, model="gpt-test")
    a_meter(budget, of=value_key("gpt-test"), used=DOLLAR)
    assert counted(budget) == [("gpt-test", "$1.00")]


@pytest.mark.parametrize("each", ["api_key", "application", "environment"])
def test_rows_are_shown_by_name(each: str, client: Client) -> None:
    key, _ = a_key()
    budget = a_budget(key.tenant, each=each)
    of, shown = {
        "api_key": (key.pk, f"{key.name} (…{key.last_four})"),
        "application": (key.application_id, key.application.slug),
        "environment": ("dev", "dev"),
    }[each]
    a_meter(budget, of=str(of), used=DOLLAR)
    table = text_of(client, page(budget)).partition("The fullest")[2].partition("</table>")[0]
    assert shown in table


def test_a_name_in_the_table_is_only_text(client: Client) -> None:
    key, _ = a_key()
    a_tag(key.tenant)
    budget = a_budget(key.tenant, tag="feature", each="tag")
    a_usage_record(key, tags={"feature": "<b>bold"})
    a_meter(budget, of=value_key("<b>bold"), used=DOLLAR)
    assert "&lt;b&gt;bold" in text_of(client, page(budget))
    assert "<b>bold" not in text_of(client, page(budget))


def test_only_the_fullest_are_listed() -> None:
    budget = a_budget(a_tenant(), each="end_user")
    for n in range(12):
        a_meter(budget, of=f"eu_{n}", used=n)
    rows = separate.fullest(budget, limit_nano=budget.limit_nano, most=10)
    assert [row.name for row in rows or ()] == [f"eu_{n}" for n in range(11, 1, -1)]


def test_the_list_asks_the_same_number_of_queries_for_many(client: Client) -> None:
    client.get(LIST)  # what stands around every page is remembered from then on
    asked = []
    for more in (1, 9):
        for _ in range(more):
            budget = a_budget(a_tenant(), each="end_user")
            an_override(budget, dollars="3")
            a_meter(budget, of="eu_a", used=1)
        with CaptureQueriesContext(connection) as queries:
            assert client.get(LIST).status_code == 200
        asked.append(len(queries))
    assert asked[0] == asked[1]


def test_the_page_stands_without_the_ledger(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = a_budget(a_tenant(), each="end_user")

    def unreachable(*_args: Any, **_kwargs: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(type(Meter.objects.none()), "__iter__", unreachable_for_meters(unreachable))
    text = text_of(client, page(budget))
    assert text.count("the ledger database does not answer") == 2


def unreachable_for_meters(unreachable: Callable[..., None]) -> Callable[..., Any]:
    """Iterates over rows of the main database only."""
    iterate = type(Meter.objects.none()).__iter__

    def of(rows: Any) -> Any:
        return unreachable() if rows.model is Meter else iterate(rows)

    return of


# --- tags ---------------------------------------------------------------------------------------------------------


def test_a_tag_is_declared_and_withdrawn_with_events(client: Client, person: User) -> None:
    tenant = a_tenant()
    assert client.post("/admin/billing/attributiontag/add/", {"tenant": tenant.pk, "key": "team"}).status_code == 302
    tag = tenant.attribution_tags.get()
    assert client.post(f"/admin/billing/attributiontag/{tag.pk}/delete/", {"post": "yes"}).status_code == 302
    events = events_of(person)
    assert list(events.values_list("action", flat=True)) == ["attributiontag.created", "attributiontag.deleted"]


@pytest.mark.parametrize("key", ["", "1st", "with space", "x" * 65, "naïve"])
def test_a_key_of_another_form_is_no_tag(key: str, client: Client) -> None:
    response = client.post("/admin/billing/attributiontag/add/", {"tenant": a_tenant().pk, "key": key})
    assert list(response.context["adminform"].form.errors) == ["key"]


def test_a_tag_is_declared_once(client: Client) -> None:
    tenant = a_tenant()
    a_tag(tenant)
    response = client.post("/admin/billing/attributiontag/add/", {"tenant": tenant.pk, "key": "feature"})
    assert "has declared this tag already" in response.content.decode()


def test_a_tag_that_a_budget_names_stays(client: Client) -> None:
    tenant = a_tenant()
    tag = a_tag(tenant)
    budget = a_budget(tenant, name="Per feature", tag="feature", each="tag")
    url = f"/admin/billing/attributiontag/{tag.pk}/delete/"
    text = client.post(url, {"post": "yes"}, follow=True).content.decode()
    assert "The budget Per feature names feature and would count nothing any more" in text
    budgets.remove(budget=budget, by=THE_SYSTEM)
    tags.withdraw(tag=tag, by=THE_SYSTEM)
    assert not tenant.attribution_tags.exists()


def test_the_list_says_how_many_budgets_name_a_tag(client: Client) -> None:
    tenant = a_tenant()
    a_tag(tenant)
    a_tag(a_tenant("umbrella"))
    for value in ("chat", "search"):
        a_budget(tenant, tag="feature", tag_value=value)
    text = text_of(client, "/admin/billing/attributiontag/")
    counts = [part.partition("<")[0] for part in text.split('class="pcl-link">')[1:]]
    assert sorted(counts) == ["0", "2"]


def test_a_tenants_page_leads_to_its_tags(client: Client) -> None:
    tenant = a_tenant()
    text = text_of(client, f"/admin/accounts/tenant/{tenant.pk}/change/")
    assert f"/admin/billing/attributiontag/?tenant__id__exact={tenant.pk}" in text


@pytest.mark.parametrize(
    ("values", "warned"),
    [
        pytest.param({"limit_nano": "0"}, True, id="hard and nothing"),
        pytest.param({"limit_nano": "0", "mode": "soft"}, False, id="soft and nothing"),
        pytest.param({"limit_nano": "0", "active": ""}, False, id="inactive and nothing"),
        pytest.param({"limit_nano": "0.01"}, False, id="hard and a cent"),
    ],
)
def test_a_hard_limit_of_nothing_is_warned_of(client: Client, values: dict[str, str], warned: bool) -> None:
    budget = add(client, a_tenant(), **values)
    warning = "It refuses every request that it covers."
    assert (warning in text_of(client, LIST)) is warned
    client.post(page(budget), {**BUDGET, **values, "overrides-TOTAL_FORMS": 0, "overrides-INITIAL_FORMS": 0})
    assert (warning in text_of(client, LIST)) is warned
