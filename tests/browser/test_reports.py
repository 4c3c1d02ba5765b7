"""The page of reports as people use it: choose, look, click through, take a file along."""

import csv
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from accounts.models import ApiKey
from tests.factories import a_key, a_tenant
from tests.factories.control import a_refusal, a_usage_record
from tests.factories.rollups import added_up

pytestmark = pytest.mark.browser

PAGE = "/admin/reports/"
WIDTHS = {"desk": 1440, "phone": 390}
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def key(databases: None) -> ApiKey:
    """A key of a tenant with three weeks behind it, and names that are up to no good."""
    key, _ = a_key(tenant=a_tenant("acme"))
    now = timezone.now()
    for n in range(60):
        at, model = now - timedelta(days=n % 20, minutes=5), ("gpt-big", "gpt-small", HOSTILE)[n % 3]
        nano = (n % 7 + 1) * (3 - n % 3) * 100_000_000
        a_usage_record(key, at=at, model=model, cost_nano=nano, cached_input_tokens=30, estimated=n % 9 == 0)
    a_refusal(key, at=now, requests=12)
    added_up()
    return key


def open_report(admin: Page, key: ApiKey, **params: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in {"tenant": key.tenant.slug, "span": "30d", **params}.items())
    response = admin.goto(f"{PAGE}?{query}")
    assert response is not None
    assert response.status == 200


@pytest.mark.parametrize("width", WIDTHS)
def test_it_works(admin: Page, key: ApiKey, width: str) -> None:
    admin.set_viewport_size({"width": WIDTHS[width], "height": 900})
    open_report(admin, key, split="model")
    expect(admin.locator(".pcl-report tbody tr")).to_have_count(4)
    expect(admin.get_by_role("rowheader", name=HOSTILE)).to_be_visible()
    assert admin.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_one_chooses_and_clicks_through(admin: Page, key: ApiKey) -> None:
    admin.goto("/admin/")
    admin.get_by_role("link", name="Reports").click()
    expect(admin.get_by_label("First day")).to_be_hidden()
    admin.get_by_label("Days").select_option("30d")
    admin.get_by_label("Split by").select_option("model")
    admin.get_by_label("Tenant").select_option(key.tenant.slug)
    admin.get_by_role("button", name="Show").click()
    admin.locator(".pcl-report").get_by_role("link", name="gpt-small").click()
    expect(admin.get_by_role("columnheader", name="Application")).to_be_visible()
    expect(admin.locator(".pcl-report tbody tr")).to_have_count(1)
    admin.get_by_role("link", name="Model: gpt-small").click()
    expect(admin.get_by_role("link", name="Model: gpt-small")).to_have_count(0)


def test_a_span_of_ones_own_asks_for_its_days(admin: Page, key: ApiKey) -> None:
    open_report(admin, key)
    admin.get_by_label("Days").select_option("custom")
    yesterday = (timezone.now() - timedelta(days=1)).date().isoformat()
    admin.get_by_label("First day").fill(yesterday)
    admin.get_by_label("Last day").fill(yesterday)
    admin.get_by_role("button", name="Show").click()
    expect(admin.locator(".pcl-report tbody tr")).to_have_count(1)
    assert f"from={yesterday}" in admin.url


def test_a_mistake_is_told_beside_its_field(admin: Page, key: ApiKey) -> None:
    open_report(admin, key)
    admin.get_by_label("Split by").select_option("end_user")
    admin.get_by_label("Tenant").select_option("")
    admin.get_by_role("button", name="Show").click()
    expect(admin.locator(".pcl-field", has_text="Tenant").get_by_role("alert")).to_contain_text("Choose a tenant")


def test_the_file_holds_the_table(admin: Page, key: ApiKey) -> None:
    open_report(admin, key, split="model")
    with admin.expect_download() as download:
        admin.get_by_role("link", name="CSV", exact=True).click()
    assert download.value.suggested_filename.endswith(".csv")
    with open(download.value.path(), newline="") as file:
        names = [row["model"] for row in csv.DictReader(file)]
    assert names[-1] == "Total"
    assert HOSTILE in names
