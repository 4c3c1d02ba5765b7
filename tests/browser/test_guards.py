"""Guards in a real browser: a policy is written and tried out as one types, words are uploaded, a review is decided."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from accounts.models import ApiKey
from compliance.actions import subjects
from gateway.actions import guard_dictionaries
from gateway.guards.base import Action
from gateway.models import GuardDictionary, GuardPolicy, ReviewItem
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.guards import a_guard_dictionary, a_guard_pattern, a_guard_policy, a_guard_rule, a_review

pytestmark = pytest.mark.browser


def try_out(page: Page, text: str) -> None:
    with page.expect_response(lambda answer: "/guardpolicy/try/" in answer.url):
        page.get_by_label("Text", exact=True).fill(text)


@pytest.fixture
def policy(databases: None) -> GuardPolicy:
    """Acme's, whose badges are redacted and whose projects are not to be named."""
    tenant = a_tenant()
    a_guard_pattern(tenant, name="BADGE", expression=r"\bEMP-\d{5}\b")
    a_guard_dictionary(tenant, words=("Project Borealis",), name="PROJECTS")
    rules = (a_guard_rule("patterns", Action.REDACT), a_guard_rule("dictionaries", Action.BLOCK))
    return a_guard_policy(tenant, rules=rules, budget_ms=10_000, name="House rules")


def test_a_policy_is_written(admin: Page) -> None:
    tenant = a_tenant()
    admin.goto("/admin/gateway/guardpolicy/add/")
    admin.locator("#id_name").fill(f"Rules of {tenant.slug}")
    admin.locator(".field-tenant .select2-selection").click()
    admin.locator(".select2-search__field").last.fill(tenant.slug)
    admin.locator(".select2-results__option", has_text=tenant.name).click()
    admin.get_by_label("What Secrets does").select_option("Block")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.get_by_text("was added successfully")).to_be_visible()
    rules = {rule.guard: rule.action for rule in GuardPolicy.objects.get(tenant=tenant).rules.all()}
    assert rules["secrets"] == Action.BLOCK


def test_what_a_policy_does_shows_as_one_types(admin: Page, policy: GuardPolicy) -> None:
    admin.goto(f"/admin/gateway/guardpolicy/{policy.pk}/change/")
    try_out(admin, "My badge is EMP-12345.")
    expect(admin.locator("[data-shown] mark")).to_have_text("EMP-12345")
    expect(admin.locator("[data-outgoing]")).to_have_text("My badge is [BADGE].")
    try_out(admin, "It is about project borealis.")
    expect(admin.get_by_text("Blocked by Dictionaries. Nothing goes out.")).to_be_visible()
    with admin.expect_response(lambda answer: "/guardpolicy/try/" in answer.url):
        admin.get_by_label("What Dictionaries does").select_option("Redact")
    expect(admin.locator("[data-outgoing]")).to_have_text("It is about [PROJECTS].")
    assert policy.rules.get(guard="dictionaries").action == Action.BLOCK  # nothing was saved


def test_an_empty_box_shows_nothing(admin: Page, policy: GuardPolicy) -> None:
    admin.goto(f"/admin/gateway/guardpolicy/{policy.pk}/change/")
    try_out(admin, "EMP-12345")
    expect(admin.locator("[data-outgoing]")).to_be_visible()
    admin.get_by_label("Text", exact=True).fill("")
    expect(admin.locator("[data-shown]")).to_be_empty()


def test_what_a_guard_needs_to_know_opens_below_it(admin: Page, policy: GuardPolicy) -> None:
    admin.set_viewport_size({"width": 390, "height": 844})
    admin.goto(f"/admin/gateway/guardpolicy/{policy.pk}/change/")
    for summary in admin.locator(".pcl-guard summary").all():
        summary.click()
    expect(admin.locator("[data-guard=links]").get_by_label("Threshold")).to_have_value("0.5")
    assert admin.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_errors_lead_to_their_guards(admin: Page, policy: GuardPolicy) -> None:
    admin.goto(f"/admin/gateway/guardpolicy/{policy.pk}/change/")
    admin.locator("[data-guard=patterns] summary").click()
    admin.locator("[data-guard=patterns]").get_by_label("Threshold").fill("7")
    admin.get_by_label("What Names does").select_option("Block")
    admin.get_by_role("button", name="Save", exact=True).click()
    faults = admin.get_by_role("alert")
    expect(faults).to_contain_text("Something is wrong with 2 guards")
    faults.get_by_role("link", name="Patterns").click()
    expect(admin.locator("[data-guard=patterns]").get_by_label("Threshold")).to_be_in_viewport()
    expect(faults).not_to_be_in_viewport()
    assert policy.rules.get(guard="patterns").threshold == 0.5


def test_on_a_phone_the_box_is_one_tap_away(admin: Page, policy: GuardPolicy) -> None:
    admin.set_viewport_size({"width": 390, "height": 844})
    admin.goto(f"/admin/gateway/guardpolicy/{policy.pk}/change/")
    text = admin.get_by_label("Text", exact=True)
    expect(text).not_to_be_in_viewport()
    admin.get_by_role("link", name="Try it out").click()
    expect(text).to_be_in_viewport()


def test_an_answer_is_from_the_model(admin: Page, policy: GuardPolicy) -> None:
    admin.goto(f"/admin/gateway/guardpolicy/{policy.pk}/change/")
    expect(admin.get_by_role("link", name="Try it out")).to_be_hidden()  # it stands beside the policy
    role, direction = admin.get_by_label("From"), admin.get_by_label("It is")
    role.select_option("tool")
    direction.select_option("answer")
    expect(role.locator("option")).to_have_text(["Answers, earlier ones included"])
    direction.select_option("prompt")
    expect(role).to_have_value("tool")
    expect(role.locator("option")).to_have_count(6)


def test_a_long_dictionary_is_uploaded_and_its_progress_shown(admin: Page, tmp_path: Path) -> None:
    dictionary = a_guard_dictionary(a_tenant(), name="Customers")
    file = tmp_path / "customers.txt"
    file.write_text("\n".join(f"customer {number:07}" for number in range(20_000)))
    admin.goto(f"/admin/gateway/guarddictionary/{dictionary.pk}/change/")
    admin.locator("input[type=file]").set_input_files(file)
    admin.get_by_role("button", name="Save and continue editing").click()
    expect(admin.get_by_text("Waits to be compiled.")).to_be_visible()
    assert guard_dictionaries.compile_upload(dictionary=dictionary, by=THE_SYSTEM)
    expect(admin.get_by_text("Compiled: version")).to_be_visible()  # without a reload
    assert GuardDictionary.objects.get(pk=dictionary.pk).entries == 20_000


def test_a_review_is_decided_and_the_person_blocked(admin: Page) -> None:
    key: ApiKey = a_key()[0]
    ada = subjects.enrol(tenant_id=key.tenant_id, external_id="ada@example.com", by=THE_SYSTEM)
    item = a_review(key, "injection", surrogate=ada.surrogate)
    admin.goto("/admin/gateway/reviewitem/")
    admin.locator(f"a[href*='/reviewitem/{item.pk}/change/']").first.click()
    admin.get_by_role("link", name="Block the person").click()
    admin.get_by_label("Reason").fill("ticket 12")
    admin.get_by_role("button", name="Block the person").click()
    expect(admin.get_by_text("confirmed, and the person's requests are refused")).to_be_visible()
    ada.refresh_from_db()
    assert ada.blocked_at is not None
    assert ReviewItem.objects.get(pk=item.pk).state == "confirmed"
