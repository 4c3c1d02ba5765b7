"""From sign-in to the first call and its record, as an administrator and an application live it."""

import pytest
from openai import OpenAI
from playwright.sync_api import Page, expect

from accounts.models import ApiKey, User
from billing.actions.usage import empty_outbox
from tests.factories import a_model, a_provider, an_application
from tests.factories.control import PASSWORD
from tests.system.processes import Gateway, Sandbox

pytestmark = pytest.mark.browser


def sign_in(page: Page, person: User, password: str = PASSWORD) -> None:
    page.goto("/")
    page.get_by_label("Username").fill(person.username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()


def issue_a_key(page: Page, *, application: str, name: str) -> str:
    """Fills in the form and returns the secret that the next page shows."""
    page.goto("/admin/accounts/apikey/add/")
    page.locator(".field-application .select2-selection").click()
    page.locator(".select2-search__field").last.fill(application)
    page.locator(".select2-results__option", has_text=application).click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Issue key").click()
    expect(page.get_by_role("heading", name="Copy the key now")).to_be_visible()
    return page.locator("#secret").inner_text()


def test_sign_in(page: Page, person: User) -> None:
    sign_in(page, person)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_a_wrong_password(page: Page, person: User) -> None:
    sign_in(page, person, "guess")
    expect(page.get_by_text("Please enter the correct username and password")).to_be_visible()


def test_the_secret_is_shown_once(admin: Page) -> None:
    application = an_application()
    secret = issue_a_key(admin, application=application.slug, name="service")
    admin.get_by_role("button", name="Copy").click()
    expect(admin.locator("#copied")).to_have_text("Copied.")

    key = ApiKey.objects.get(application=application)
    assert secret.startswith(f"pcl_dev_{key.public_id}_")
    admin.reload()
    expect(admin).to_have_url(f"{admin.url.partition('/admin')[0]}/admin/accounts/apikey/{key.pk}/change/")
    assert secret not in admin.content()
    admin.go_back()
    assert secret not in admin.content()
    assert ApiKey.objects.filter(application=application).count() == 1


def test_issue_a_key_use_it_and_find_the_call(admin: Page, server: Gateway, sandbox: Sandbox) -> None:
    application = an_application()
    model = a_model(a_provider(sandbox.base_url))
    secret = issue_a_key(admin, application=application.slug, name="the new service")

    with OpenAI(base_url=server.base_url, api_key=secret) as client:
        answer = client.chat.completions.with_raw_response.create(
            model=model.name, messages=[{"role": "user", "content": "Hello"}]
        )
    empty_outbox()

    admin.goto(f"/admin/billing/usagerecord/?q={answer.headers['x-request-id']}")
    row = admin.locator("#result_list tbody tr")
    expect(row).to_have_count(1)
    for text in (application.tenant.name, "the new service", model.name, "Completed"):
        expect(row).to_contain_text(text, ignore_case=True)
