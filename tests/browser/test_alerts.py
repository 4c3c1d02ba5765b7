"""Alerts in a real browser: an endpoint's secret is seen once, and the log says what came of a test."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from billing.actions import alert_deliveries
from billing.models import AlertRule
from tests.factories import a_tenant
from tests.factories.alerts import an_endpoint

pytestmark = pytest.mark.browser


def test_it_works(admin: Page, person: User) -> None:
    name = f"Ops {person.pk}"
    admin.goto("/admin/billing/webhookendpoint/add/")
    admin.get_by_label("Name").fill(name)
    admin.get_by_label("URL").fill("https://127.0.0.1:9/hooks")
    admin.get_by_role("button", name="Save", exact=True).click()
    secret = admin.locator("#secret")
    expect(secret).to_contain_text("whsec_")
    admin.get_by_role("link", name="I have copied it").click()
    admin.get_by_role("link", name="Send a test").click()
    admin.get_by_role("button", name="Send a test").click()
    expect(admin.get_by_text("is on its way")).to_be_visible()
    alert_deliveries.deliver()
    admin.get_by_role("link", name="Log", exact=True).click()
    admin.locator("#result_list tbody th a").first.click()
    expect(admin.get_by_text("not a public address")).to_be_visible()


def test_a_rule_is_filled_in_and_saved(admin: Page, person: User) -> None:
    name = f"Budgets {person.pk}"
    tenant = a_tenant()
    an_endpoint("https://hooks.example/", tenant=tenant)
    admin.goto("/admin/billing/alertrule/add/")
    admin.get_by_label("Name").fill(name)
    admin.get_by_label("Kind").select_option(label="Budget used up to a level")
    admin.get_by_label("Levels, per cent").fill("75, 95")
    admin.get_by_label("E-mail to").fill("ops@acme.example")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.locator("#result_list").get_by_role("link", name=name)).to_be_visible()
    rule = AlertRule.objects.get(name=name)
    assert (rule.levels, rule.recipients) == ([75, 95], ["ops@acme.example"])
    AlertRule.objects.filter(pk=rule.pk).update(active=False)
