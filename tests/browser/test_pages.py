"""Every page of the admin in a real browser: nothing to complain of, nothing sticking out, by day and by night."""

from typing import Literal

import pytest
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group
from playwright.sync_api import Page, expect

from accounts.actions import groups, members, rotations
from accounts.models import Membership
from billing.actions import webhooks
from billing.charging import value_key
from compliance.actions import erasure
from tests.factories import THE_SYSTEM, a_budget, a_key, a_model, a_provider, a_tag, an_override
from tests.factories.accounting import a_credit, a_reconciliation
from tests.factories.alerts import an_alert_rule, an_endpoint
from tests.factories.backups import rows_of_backups
from tests.factories.control import a_meter, a_refusal, a_usage_record, an_admin
from tests.factories.guards import rows_of_guards
from tests.factories.leaks import a_leak, a_scanning_key
from tests.factories.privacy import rows_of_privacy

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
SIZES = {"desk": (1440, 900), "phone": (390, 844)}
STEPS = {
    "tenant": ("suspend", "close"),
    "application": ("suspend",),
    "apikey": ("suspend", "revoke", "renew_link", "end_overlap"),
    "budget": ("override",),
    "user": ("set_password",),
    "approval": ("approve", "reject"),
    "consentrecord": ("withdraw", "invalidate"),
    "subject": ("restrict", "identify"),
    "subjectrequest": ("acknowledge", "refuse"),
    "transcript": ("read",),
    "reviewitem": ("confirm", "block-key", "note"),
}


@pytest.fixture(scope="session")
def paths(databases: None) -> list[str]:
    """Every page, with a row on it."""
    key, _ = a_key()
    budget = a_budget(key.tenant, dollars="1")
    a_meter(budget, used=850_000_000)
    an_override(budget, dollars="2")
    by_tag = a_budget(key.tenant, tag=a_tag(key.tenant).key, each="tag", mode="soft")
    a_meter(by_tag, used=1_250_000_000, of=value_key("chat"))
    a_model(a_provider("http://127.0.0.1:9/v1", credential="sk-0123456789abcdef"))
    a_leak()
    a_scanning_key()
    rows_of_guards(key)
    members.add(membership=Membership(tenant=key.tenant, user=an_admin()), by=THE_SYSTEM)
    groups.add(group=Group(name="Auditors"), permissions=[], by=THE_SYSTEM)
    a_usage_record(key)
    a_refusal(key)
    rotations.rotate(key=key, by=THE_SYSTEM)
    a_credit(key.tenant)
    a_reconciliation()
    an_alert_rule(tenant=key.tenant)
    webhooks.send_test(endpoint=an_endpoint("https://hooks.example/", tenant=key.tenant)[0], by=THE_SYSTEM)
    erasure.advance(erasure=rows_of_privacy(key.tenant), by=THE_SYSTEM)
    rows_of_backups()
    statement = f"/admin/statements/?tenant={key.tenant.slug}"
    others = ["/admin/reports/", statement, "/admin/retention/", "/admin/records-of-processing/"]
    others.append("/admin/audit-verification/")
    others += ["/admin/checklist/", "/admin/checklist/training/"]
    return ["/admin/", *others, "/admin/password_change/", *_paths_of_tables()]


def _paths_of_tables() -> list[str]:
    paths = []
    for table, page in django_admin.site._registry.items():
        base = f"/admin/{table._meta.app_label}/{table._meta.model_name}/"
        row = table._default_manager.latest("pk")
        paths += [base, f"{base}?q=nothing-like-this", f"{base}{row.pk}/change/"]
        paths += [f"{base}{row.pk}/{step}/" for step in STEPS.get(str(table._meta.model_name), ())]
        if (verbs := getattr(page, "verbs", None)) and verbs.create:
            paths.append(f"{base}add/")
    return paths


@pytest.mark.timeout(300)  # each of some two hundred pages
@pytest.mark.parametrize("size", SIZES)
def test_every_page(admin: Page, paths: list[str], size: str) -> None:
    width, height = SIZES[size]
    admin.set_viewport_size({"width": width, "height": height})
    for path in paths:
        response = admin.goto(path)
        assert response is not None
        assert response.status == 200, path
        for scheme in SCHEMES:
            admin.emulate_media(color_scheme=scheme)
            assert admin.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{path} sticks out"
            assert admin.evaluate("[...document.images].every(image => image.complete)"), path


def test_filters_open_and_narrow(admin: Page) -> None:
    key, _ = a_key()
    record = a_usage_record(key, model="gpt-filtered")
    a_usage_record(key)
    admin.goto("/admin/billing/usagerecord/")
    admin.locator("#changelist a", has_text="Filters").click()
    expect(admin.get_by_text("By model")).to_be_visible()
    admin.goto("/admin/billing/usagerecord/?model=gpt-filtered")
    rows = admin.locator("#result_list tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text(key.tenant.name)
    admin.locator("#result_list tbody a").first.click()
    expect(admin.get_by_text(str(record.request_id)).first).to_be_visible()


def test_a_grave_step_is_confirmed(admin: Page) -> None:
    key, _ = a_key()
    admin.goto(f"/admin/accounts/tenant/{key.tenant_id}/change/")
    admin.get_by_role("link", name="Close for good").click()
    expect(admin.get_by_role("heading", name=f"Close {key.tenant.name} for good?")).to_be_visible()
    admin.get_by_label("Reason").fill("ticket 12")
    admin.get_by_role("button", name="Close for good").click()
    expect(admin.get_by_text("is closed and its keys are revoked")).to_be_visible()
    key.refresh_from_db()
    assert key.status == "revoked"


def test_a_step_can_be_left(admin: Page) -> None:
    key, _ = a_key()
    admin.goto(f"/admin/accounts/apikey/{key.pk}/revoke/")
    admin.get_by_role("link", name="Cancel").click()
    expect(admin).to_have_url(f"{admin.url.partition('/admin')[0]}/admin/accounts/apikey/{key.pk}/change/")
    key.refresh_from_db()
    assert key.status == "active"


def test_a_refused_form_says_what_is_wrong(admin: Page) -> None:
    key, _ = a_key()
    admin.goto(f"/admin/accounts/apikey/{key.pk}/change/")
    admin.get_by_label("Allowed networks").fill("10.0.0.0/99")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.get_by_text("is not a network; write it as")).to_be_visible()
