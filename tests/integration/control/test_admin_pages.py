"""Every page of the admin answers, with rows and without, whatever is asked of it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest.mock import MagicMock

import pytest
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db import models
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils.html import escape

from accounts.actions import groups, members
from accounts.models import ApiKey, Membership, Tenant, User
from billing.actions import webhooks
from compliance.admin.base import GovernedAdmin
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_budget, a_key, a_model, a_provider, a_tag, a_tenant
from tests.factories.accounting import a_credit, a_reconciliation
from tests.factories.alerts import an_alert_rule, an_endpoint
from tests.factories.backups import rows_of_backups
from tests.factories.control import a_refusal, a_usage_record, an_admin
from tests.factories.guards import rows_of_guards
from tests.factories.leaks import a_leak, a_scanning_key
from tests.factories.privacy import rows_of_privacy

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

TABLES = sorted(admin.site._registry, key=lambda model: str(model._meta.label))
IDS = [model._meta.label for model in TABLES]
EMPTY = [
    model
    for model in TABLES
    if model._meta.label
    not in ("accounts.User", "compliance.AuditEvent", "compliance.Purpose", "compliance.RetentionPolicy")
]
every_table = pytest.mark.parametrize("table", TABLES, ids=IDS)


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(an_admin())
    return client


@pytest.fixture
def rows() -> ApiKey:
    """A row of every table."""
    from django.contrib.auth.models import Group

    key, _ = a_key()
    a_budget(key.tenant)
    a_budget(key.tenant, application=key.application, period="total")
    a_budget(key.tenant, tag=a_tag(key.tenant).key, each="tag")
    a_model(a_provider("http://127.0.0.1:9/v1", credential="sk-0123456789abcdef"))
    members.add(membership=Membership(tenant=key.tenant, user=an_admin()), by=THE_SYSTEM)
    groups.add(group=Group(name="Auditors"), permissions=[], by=THE_SYSTEM)
    a_usage_record(key)
    a_refusal(key, requests=7)
    a_credit(key.tenant)
    a_reconciliation()
    endpoint, _ = an_endpoint("https://hooks.example/", tenant=key.tenant)
    an_alert_rule(tenant=key.tenant, endpoints=(endpoint,))
    webhooks.send_test(endpoint=endpoint, by=THE_SYSTEM)
    rows_of_privacy(key.tenant)
    rows_of_backups()
    a_leak()
    a_scanning_key()
    rows_of_guards(key)
    return key


def url(table: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{table._meta.app_label}_{table._meta.model_name}_{page}", args=args)


def may_be_added(table: type[models.Model]) -> bool:
    page = admin.site._registry[table]
    return isinstance(page, GovernedAdmin) and page.verbs.create is not None


def rows_listed(rf: RequestFactory, table: type[models.Model], person: User, **query: str) -> list[Any]:
    """What a list would show, without the time that drawing it takes."""
    request = rf.get(url(table, "changelist"), query)
    request.user = person
    request._messages = MagicMock()  # type: ignore[attr-defined]
    return list(admin.site._registry[table].get_changelist_instance(request).result_list)


def test_it_works(browser: Client, rows: ApiKey) -> None:
    assert browser.get("/admin/").status_code == 200


def test_the_sidebar_promises_only_what_its_search_finds(browser: Client) -> None:
    text = browser.get("/admin/").content.decode()
    assert 'placeholder="Go to a page…"' in text
    assert "Search apps and models" not in text


def test_the_root_leads_to_the_admin(client: Client) -> None:
    assert client.get("/")["Location"] == "/admin/"


@every_table
def test_a_list_shows_its_rows(table: type[models.Model], browser: Client, rows: ApiKey) -> None:
    response = browser.get(url(table, "changelist"))
    assert response.status_code == 200
    assert table._default_manager.count() > 0
    assert f"No {table._meta.verbose_name_plural} yet" not in response.content.decode()


@every_table
def test_a_search_without_result_says_so(table: type[models.Model], browser: Client) -> None:
    assert "Nothing matches" in browser.get(url(table, "changelist"), {"q": "nothing-like-this"}).content.decode()


@pytest.mark.parametrize("table", EMPTY, ids=[model._meta.label for model in EMPTY])
def test_an_empty_list_says_what_to_do(table: type[models.Model], browser: Client) -> None:
    text = browser.get(url(table, "changelist")).content.decode()
    assert f"No {table._meta.verbose_name_plural} yet" in text
    hint = str(getattr(admin.site._registry[table], "empty_hint", ""))
    assert hint
    assert escape(hint) in text


@every_table
def test_any_search_answers(table: type[models.Model], rf: RequestFactory, rows: ApiKey) -> None:
    person = an_admin()
    for text in ("acme", "%", "'; --", "0", "\x00", "9" * 40, "🦊"):
        assert rows_listed(rf, table, person, q=text) is not None


@every_table
def test_every_filter_answers(table: type[models.Model], browser: Client, rf: RequestFactory, rows: ApiKey) -> None:
    """Or leads back to the unfiltered list, which is what the admin does with a value that makes no sense."""
    person = an_admin()
    filters = browser.get(url(table, "changelist")).context["cl"].filter_specs
    for name in (name for each in filters for name in each.expected_parameters()):
        for value in ("1", "nonsense", "", "\x00", "9" * 30):
            with suppress(IncorrectLookupParameters):
                rows_listed(rf, table, person, **{str(name): value})


@every_table
def test_a_row_has_a_page(table: type[models.Model], browser: Client, rows: ApiKey) -> None:
    row = table._default_manager.order_by("pk").last()
    assert row is not None
    assert browser.get(url(table, "change", row.pk)).status_code == 200


@every_table
def test_a_row_that_is_not_there_answers(table: type[models.Model], browser: Client) -> None:
    for key in ("999999", "nonsense", "9" * 40):
        assert browser.get(url(table, "change", key), follow=True).status_code in (200, 404)


@every_table
def test_the_form_for_a_new_row(table: type[models.Model], browser: Client, rows: ApiKey) -> None:
    expected = 200 if may_be_added(table) else 403
    assert browser.get(url(table, "add")).status_code == expected


@every_table
def test_an_empty_form_is_refused_in_words(table: type[models.Model], browser: Client, rows: ApiKey) -> None:
    if not may_be_added(table):
        return
    response = browser.post(url(table, "add"), _management_form())
    assert response.status_code == 200
    assert "required" in response.content.decode()


@every_table
def test_the_history_is_the_audit_log(table: type[models.Model], browser: Client, rows: ApiKey) -> None:
    row = table._default_manager.order_by("pk").last()
    assert row is not None
    response = browser.get(url(table, "history", row.pk), follow=True)
    assert response.status_code == 200
    assert response.resolver_match.url_name == "compliance_auditevent_timeline"


@pytest.mark.parametrize("path", ["/admin/accounts/", "/admin/search/?s=te", "/admin/password_change/"])
def test_other_pages_answer(path: str, browser: Client, rows: ApiKey) -> None:
    assert browser.get(path).status_code == 200


@every_table
def test_lists_need_a_fixed_number_of_queries(
    table: type[models.Model], browser: Client, rows: ApiKey, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    """Whatever a row shows is fetched for the whole page at once."""
    for _ in range(4):
        key, _text = a_key()
        a_budget(key.tenant, api_key=key)
        a_usage_record(key)
        a_model(a_provider("http://127.0.0.1:9/v1"))
        members.add(membership=Membership(tenant=key.tenant, user=an_admin()), by=THE_SYSTEM)
        endpoint, _ = an_endpoint("https://hooks.example/", tenant=key.tenant)
        an_alert_rule(tenant=key.tenant, endpoints=(endpoint,))
        webhooks.send_test(endpoint=endpoint, by=THE_SYSTEM)
        rows_of_privacy(key.tenant)
    kinds = AuditEvent.objects.values("target_kind").distinct().count() if table is AuditEvent else 0
    browser.get("/admin/password_change/")  # what stands around every page is remembered from then on
    with django_assert_max_num_queries(24 + kinds):  # the audit log asks once for each kind of object on its page
        browser.get(url(table, "changelist"))


@every_table
def test_staff_without_permissions_see_nothing(table: type[models.Model], client: Client, rows: ApiKey) -> None:
    client.force_login(an_admin(is_superuser=False))
    assert client.get(url(table, "changelist")).status_code == 403
    assert client.get("/admin/").status_code == 200


@every_table
def test_names_are_escaped(table: type[models.Model], browser: Client) -> None:
    """Whoever names a tenant, an application, a key or a budget cannot run code in an administrator's browser."""
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    tenant = a_tenant()
    Tenant.objects.filter(pk=tenant.pk).update(name=attack)
    key, _ = a_key(tenant=tenant)
    ApiKey.objects.filter(pk=key.pk).update(name=attack)
    tenant.applications.update(name=attack)
    a_budget(tenant, name=attack)
    a_usage_record(key, model=attack)
    a_refusal(key, code="<b>code</b>")
    row = table._default_manager.order_by("pk").last()
    pages = ["/admin/", url(table, "changelist"), *([url(table, "change", row.pk)] if row else [])]
    for page in pages:
        text = browser.get(page).content.decode()
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "<b>code" not in text


def _management_form() -> dict[str, str]:
    return {"deployments-TOTAL_FORMS": "0", "deployments-INITIAL_FORMS": "0"}
