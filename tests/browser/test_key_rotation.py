"""A key is rotated in the admin, and its new secret claimed by whoever runs the application."""

from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from accounts import tokens
from accounts.models import ApiKey, User
from billing.actions import usage
from tests.factories import a_key
from tests.factories.control import a_refusal, a_usage_record
from tests.system.processes import Gateway

pytestmark = pytest.mark.browser

SIZES = {"desk": (1440, 900), "phone": (390, 844)}


def rotated(admin: Page) -> tuple[ApiKey, str, str]:
    """A key, its first secret, and the link to its new one, as its page shows it."""
    key, old = a_key()
    a_usage_record(key, requests=1)
    a_refusal(key, requests=3)
    usage.empty_outbox()
    admin.goto(f"/admin/accounts/apikey/{key.pk}/change/")
    admin.get_by_role("link", name="Rotate now").click()
    admin.get_by_label("Reason").fill("the quarter is over")
    admin.get_by_role("button", name="Rotate now").click()
    expect(admin.get_by_text("has a new secret")).to_be_visible()
    link = admin.locator("code.pcl-wrap").inner_text()
    return key, old, link


def test_rotate_claim_and_use(admin: Page, chromium: Browser, server: Gateway) -> None:
    _, old, link = rotated(admin)
    with chromium.new_context(base_url=server.url) as context:
        page = context.new_page()
        page.goto(link)
        expect(page.get_by_role("heading", name="A new API key waits for you")).to_be_visible()
        page.reload()
        page.get_by_role("button", name="Show the key").click()
        expect(page.get_by_role("heading", name="Copy the key now")).to_be_visible()
        secret = page.locator("#secret").inner_text()
        page.get_by_role("button", name="Copy").click()
        expect(page.locator("#copied")).not_to_be_empty()
        assert context.cookies() == []
        page.goto("about:blank")
        page.go_back()
        assert secret not in page.content()
        page.goto(link)
        expect(page.get_by_role("heading", name="This link does not work")).to_be_visible()
        expect(page.get_by_text("It was used on")).to_be_visible()
    assert tokens.parse(secret) is not None
    for each in (old, secret):
        answer = httpx2.get(f"{server.url}/v1/models", headers={"Authorization": f"Bearer {each}"})
        assert answer.status_code == 200

    admin.reload()
    expect(admin.get_by_text("every secret was claimed")).to_be_visible()
    admin.get_by_role("link", name="Close the overlap").click()
    admin.get_by_label("Reason").fill("everything uses the new one")
    admin.get_by_role("button", name="Refuse the old secret").click()
    expect(admin.get_by_text("Only the current secret of")).to_be_visible()


def test_many_keys_at_once(admin: Page, person: User) -> None:
    first, _ = a_key()
    second, _ = a_key(first.application)
    admin.goto(f"/admin/accounts/apikey/?q={first.application.tenant.slug}")
    for box in admin.locator("#result_list tbody input.action-select").all():
        box.check()
    admin.locator("select[name=action]").select_option("suspend_chosen")
    admin.get_by_role("button", name="Run").click()
    expect(admin.get_by_text(first.masked)).to_be_visible()
    expect(admin.get_by_text(second.masked)).to_be_visible()
    admin.get_by_label("Reason").fill("an incident")
    admin.get_by_role("button", name="Suspend").click()
    expect(admin.get_by_text("2 keys are suspended.")).to_be_visible()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out(page: Page, admin: Page, scheme: str, size: str, tmp_path: Path) -> None:
    """The page of a key, and that behind its link before and after the button."""
    width, height = SIZES[size]
    key, _, link = rotated(admin)
    admin.set_viewport_size({"width": width, "height": height})
    admin.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    for step, path in (("key", f"/admin/accounts/apikey/{key.pk}/change/"), ("claim", link), ("secret", "")):
        if path:
            admin.goto(path)
        else:
            admin.get_by_role("button", name="Show the key").click()
            expect(admin.locator("#secret")).to_be_visible()
        admin.screenshot(path=tmp_path / f"{step}-{scheme}-{size}.png", full_page=True)
        assert admin.evaluate("document.documentElement.scrollWidth") <= width, step
