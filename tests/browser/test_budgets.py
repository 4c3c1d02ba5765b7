"""A budget is set, and overridden for a while, by somebody who sees only the fields that matter."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from billing.models import Budget
from tests.factories import a_budget, a_model, a_provider, a_tenant
from tests.factories.control import a_meter

pytestmark = pytest.mark.browser


def test_fields_appear_when_they_matter(admin: Page) -> None:
    tenant, cheap = a_tenant(), a_model(a_provider("http://127.0.0.1:9/v1"))
    admin.goto(f"/admin/billing/budget/add/?tenant={tenant.pk}")
    for field in ("downgrade_to", "starts_on", "ends_on"):
        expect(admin.locator(f"#id_{field}")).to_be_hidden()

    admin.locator("#id_mode").select_option("downgrade")
    admin.locator("#id_downgrade_to").select_option(cheap.name)
    admin.locator("#id_period").select_option("dates")
    admin.locator("#id_starts_on").fill("2030-01-01")
    admin.locator("#id_ends_on").fill("2030-03-31")
    admin.locator("#id_name").fill("Launch")
    admin.locator("#id_limit_nano").fill("100")
    admin.get_by_role("button", name="Save", exact=True).click()

    admin.wait_for_url("**/billing/budget/")
    admin.goto("/admin/billing/budget/?q=Launch")
    row = admin.locator("#result_list tbody tr", has_text="Launch")
    for words in ("Launch", "Whole tenant", "2030-01-01 to 2030-03-31", "Downgrade", "begins 2030-01-01"):
        expect(row).to_contain_text(words)
    assert Budget.objects.get(tenant=tenant).downgrade_to == cheap.name


def test_another_limit_for_a_while(admin: Page) -> None:
    budget = a_budget(a_tenant(), dollars="10")
    a_meter(budget, used=10_000_000_000)
    admin.goto(f"/admin/billing/budget/{budget.pk}/change/")
    expect(admin.get_by_text("Used up: requests are refused")).to_be_visible()

    admin.get_by_role("link", name="Override for a while").click()
    ends_at = datetime.now(UTC) + timedelta(days=3)
    admin.locator("#id_limit_nano").fill("40")
    admin.locator("#id_ends_at_0").fill(f"{ends_at:%Y-%m-%d}")
    admin.locator("#id_ends_at_1").fill("12:00")
    admin.locator("#id_reason").fill("launch, ticket 12")
    admin.get_by_role("button", name="Override").click()

    expect(admin.get_by_text(f"Override until {ends_at:%Y-%m-%d} 12:00 UTC, then $10.00 again")).to_be_visible()
    expect(admin.get_by_text("$10.00 of $40.00")).to_be_visible()
    expect(admin.get_by_text("Used up: requests are refused")).to_have_count(0)
