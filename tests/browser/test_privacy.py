"""Privacy in a real browser: a conversation is read for a reason, and what strangers wrote does nothing."""

import pytest
from playwright.sync_api import Page, expect

from compliance.models import AuditEvent, Subject
from tests.factories import a_tenant
from tests.factories.compliance import a_consent, a_content_policy, a_request, a_subject, a_transcript

pytestmark = pytest.mark.browser

HOSTILE = '<script>document.title = "taken"</script><img src=x onerror="document.title = 1"> \u202eeman '


@pytest.fixture
def subject(databases: None) -> Subject:
    tenant = a_tenant()
    a_content_policy(tenant)
    subject = a_subject(tenant)
    a_consent(subject)
    return subject


def test_a_conversation_is_read_for_a_reason(admin: Page, subject: Subject) -> None:
    row = a_transcript(subject, "My lamp flickers.")
    admin.goto(f"/admin/compliance/transcript/?q={subject.surrogate}")
    admin.locator("#result_list tbody a").first.click()
    admin.get_by_role("link", name="Read the conversation").click()
    expect(admin.get_by_text("My lamp flickers.")).to_have_count(0)
    admin.get_by_label("Reason").fill("complaint 4711")
    admin.get_by_role("button", name="Read", exact=True).click()
    expect(admin.get_by_text("My lamp flickers.")).to_be_visible()
    events = AuditEvent.objects.filter(target_kind="transcript", target_id=str(row.pk))
    assert list(events.values_list("action", "reason")) == [("transcript.read", "complaint 4711")]
    with admin.expect_download() as download:
        admin.get_by_role("button", name="Download all of it").click()
    assert download.value.suggested_filename == f"transcript-{row.pk}.json"


@pytest.mark.parametrize("width", [1440, 390], ids=["desk", "phone"])
def test_what_strangers_wrote_does_nothing(width: int, admin: Page, subject: Subject) -> None:
    row = a_transcript(subject, HOSTILE + "x" * 30_000)
    admin.set_viewport_size({"width": width, "height": 844})
    admin.goto(f"/admin/compliance/transcript/{row.pk}/read/")
    admin.get_by_label("Reason").fill("complaint 4711")
    admin.get_by_role("button", name="Read", exact=True).click()
    expect(admin.get_by_text("<script>")).to_be_visible()
    expect(admin.get_by_text("⟨U+202E⟩eman")).to_be_visible()
    assert "taken" not in admin.title()
    assert admin.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_the_front_page_leads_to_what_is_due(admin: Page, subject: Subject) -> None:
    request = a_request(subject, "access")
    admin.goto("/admin/")
    admin.get_by_role("link", name="All requests").click()
    admin.get_by_role("link", name=f"Access request {request.pk}").click()
    expect(admin.get_by_text(str(request.public_id))).to_be_visible()
