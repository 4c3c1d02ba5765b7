"""The audit log in a real browser: the list, an object's timeline and an event, by day and by night, on any width."""

from typing import Literal

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from accounts.actions import keys
from accounts.models import ApiKey
from compliance import audit
from compliance.actions import audit_log
from compliance.contracts import Actor
from compliance.keyring.models import SigningKey
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_key

pytestmark = pytest.mark.browser

SIZES = {"desk": (1440, 900), "phone": (390, 844)}


@pytest.fixture
def key(databases: None) -> ApiKey:
    """One that much was done to."""
    key, _ = a_key(scopes=["chat", "models", "consents"])
    key.scopes = ["chat", "models", "audit"]
    key.allowed_networks = ["10.0.0.0/8", "2001:db8:1234:5678::/64"]
    keys.change(key=key, by=THE_SYSTEM)
    keys.suspend(key=key, by=THE_SYSTEM, reason="lost with a laptop on the train between two of our offices")
    audit_log.checkpoint(by=THE_SYSTEM)
    return key


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_officers_read_it(admin: Page, key: ApiKey, size: str, scheme: Literal["light", "dark"]) -> None:
    admin.emulate_media(color_scheme=scheme)
    admin.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))  # type: ignore[arg-type]
    admin.goto(f"/admin/accounts/apikey/{key.pk}/history/")
    expect(admin.get_by_text("apikey.suspended")).to_be_visible()
    expect(admin.locator("del", has_text="consents")).to_be_visible()
    expect(admin.locator("ins", has_text="audit")).to_be_visible()
    _fits(admin)
    event = AuditEvent.objects.get(target_kind="apikey", target_id=str(key.pk), action="apikey.suspended")
    admin.goto(f"/admin/compliance/auditevent/{event.pk}/change/")
    expect(admin.get_by_text("Proven by the checkpoint of")).to_be_visible()
    _fits(admin)
    admin.goto(f"/admin/compliance/auditevent/?target_kind=apikey&target_id={key.pk}")
    expect(admin.get_by_text("apikey.suspended").first).to_be_attached()
    _fits(admin)
    admin.goto("/admin/compliance/auditevent/timeline/?target_kind=thing&target_id=none")
    expect(admin.get_by_text("Nothing is on record about it")).to_be_visible()
    _fits(admin)


def test_the_list_shows_who_did_it_without_scrolling_sideways(admin: Page, key: ApiKey) -> None:
    admin.set_viewport_size({"width": 1280, "height": 900})
    signing_key = SigningKey.objects.first()
    assert signing_key is not None
    with transaction.atomic():
        audit.record(
            by=Actor(kind="command", id="rotate_signing_key"),
            action="providercredential.dismissed",
            target=audit.target_of(signing_key),
            tenant_id=None,
            after={name: name for name in ("public", "root_key_id", "created_at", "retired_at", "version")},
            reason="a reason that somebody gave and that is much longer than a line of a list can be",
        )
    admin.goto("/admin/compliance/auditevent/")
    expect(admin.locator(".field-actor_shown").first).to_be_in_viewport()
    expect(admin.locator(".field-summary").first).to_be_in_viewport()
    table = "document.querySelector('#result_list')"
    assert admin.evaluate(f"{table}.scrollWidth - {table}.parentElement.clientWidth") <= 0


def _fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{page.url} sticks out"
