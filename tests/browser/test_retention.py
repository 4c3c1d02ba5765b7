"""Somebody changes for how long conversations are kept, and sees what would go before saving it."""

from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from compliance.models import RetentionPolicy
from tests.factories import a_tenant
from tests.factories.retention import a_hold, a_retention_policy, a_transcript

pytestmark = pytest.mark.browser


def test_the_form_counts_while_it_is_edited(admin: Page) -> None:
    today, tenant = datetime.now(UTC).date(), a_tenant()
    for days in (5, 15, 20):
        a_transcript(tenant.pk, today - timedelta(days=days))
    policy = a_retention_policy(tenant, days=25)
    admin.goto(f"/admin/compliance/retentionpolicy/{policy.pk}/change/")
    preview = admin.locator("#retention-preview")
    expect(preview).to_contain_text("0 rows would go")
    admin.locator("#id_days").fill("10")
    expect(preview).to_contain_text("2 rows would go")
    admin.locator("#id_days").fill("4")
    expect(preview).to_contain_text("3 rows would go")
    admin.locator("#id_days").fill("0")
    expect(preview).to_contain_text("greater than or equal to 1")
    assert RetentionPolicy.objects.get(pk=policy.pk).days == 25


@pytest.mark.parametrize("width", [1400, 400])
def test_what_is_due_reads_at_a_glance(admin: Page, width: int) -> None:
    today, tenant = datetime.now(UTC).date(), a_tenant()
    for surrogate in ("eu_wanted", "eu_other"):
        a_transcript(tenant.pk, today - timedelta(days=40), surrogate=surrogate)
    hold = a_hold(tenant, scope="subject", surrogate="eu_wanted")
    admin.set_viewport_size({"width": width, "height": 900})
    admin.goto("/admin/retention/")
    row = admin.locator("tr", has_text=tenant.name)
    for words in ("conversations", "kept 30 days (policy of the platform)", f"1 by {hold.title}"):
        expect(row).to_contain_text(words)
    assert admin.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
