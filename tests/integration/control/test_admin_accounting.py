"""Adjustments and reconciliations in the admin."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from accounts.models import ApiKey
from billing.models import Adjustment, Reconciliation
from gateway.models import Provider
from tests.factories import a_budget, a_key, a_provider
from tests.factories.compliance import a_subject
from tests.factories.control import a_meter, a_usage_record, an_admin
from tests.factories.rollups import added_up

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

ADJUST = "/admin/billing/adjustment/add/"
RECONCILE = "/admin/billing/reconciliation/add/"
HEADER = "date,model,requests,input_tokens,cached_tokens,output_tokens,cost\n"


@pytest.fixture
def browser(client: Client) -> Client:
    client.force_login(an_admin())
    return client


@pytest.fixture
def key() -> ApiKey:
    return a_key()[0]


def fields(key: ApiKey, **changed: Any) -> dict[str, Any]:
    usual = {"tenant": key.tenant_id, "direction": "credit", "amount_nano": "0.25", "reason": "Invoice 17"}
    return {**usual, **changed}


def hidden(text: str) -> dict[str, str]:
    """What the page that shows the effect sends when it is confirmed."""
    return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', text))


def test_an_adjustment_is_made_after_a_look_at_what_it_changes(browser: Client, key: ApiKey) -> None:
    budget = a_budget(key.tenant, name="The month")
    a_meter(budget, used=1_000_000_000)
    text = browser.post(ADJUST, fields(key)).content.decode()
    assert "The month" in text
    assert "$1.00" in text
    assert "$0.75" in text
    assert not Adjustment.objects.exists()
    response = browser.post(ADJUST, hidden(text))
    assert response.status_code == 302
    made = Adjustment.objects.get()
    assert (made.tenant, made.amount_nano, made.reason) == (key.tenant, -250_000_000, "Invoice 17")


def test_what_the_form_hides_is_taken_back_as_it_is(browser: Client, key: ApiKey) -> None:
    page = browser.get(ADJUST).content.decode()
    found = re.findall(r'<input type="hidden" name="seen"[^>]*>', page)
    assert found
    (seen,) = re.findall(r'value="([^"]*)"', found[0]) or [""]
    browser.post(ADJUST, fields(key, _confirmed="1", seen=seen))
    assert Adjustment.objects.count() == 1


def test_no_address_names_an_end_user(browser: Client, key: ApiKey) -> None:
    maria = a_subject(key.tenant, "maria@acme.example")
    text = browser.post(ADJUST, fields(key, end_user="maria@acme.example")).content.decode()
    assert "maria" not in text
    browser.post(ADJUST, hidden(text))
    assert Adjustment.objects.get().end_user == maria.surrogate


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("nobody@acme.example", "Nobody of that name is known"),
        ("eu_aaaaaaaaaaaaaaaaaaaaaaaa", "has no end user eu_aaaaaaaaaaaaaaaaaaaaaaaa"),
    ],
    ids=["a name", "a surrogate"],
)
def test_an_end_user_whom_nobody_knows_is_refused(named: str, words: str, browser: Client, key: ApiKey) -> None:
    response = browser.post(ADJUST, fields(key, end_user=named))
    assert words in str(response.context["adminform"].form.errors["end_user"])


def test_a_charge_is_above_zero(browser: Client, key: ApiKey) -> None:
    browser.post(ADJUST, fields(key, direction="charge", _confirmed="1"))
    assert Adjustment.objects.get().amount_nano == 250_000_000


def test_one_goes_back_to_the_form_as_it_was(browser: Client, key: ApiKey) -> None:
    text = browser.post(ADJUST, fields(key, model="gpt-a")).content.decode()
    (back,) = re.findall(r'href="(/admin/billing/adjustment/add/\?[^"]+)"', text)
    form = browser.get(back.replace("&amp;", "&")).content.decode()
    assert 'value="gpt-a"' in form
    assert "Invoice 17" in form


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"amount_nano": "0"}, "not zero"),
        ({"amount_nano": "2,5"}, "Write dollars as"),
        ({"reason": ""}, "required"),
        ({"request_id": "seven"}, "looks like"),
        ({"request_id": "0198f7b0-1c2d-7e3f-8a4b-5c6d7e8f9a0b"}, "no usage record"),
        ({"tag": "feature"}, "needs its value"),
    ],
    ids=["nothing", "a comma", "no reason", "no request id", "an unknown request", "a tag without value"],
)
def test_a_mistake_is_shown_in_the_form(browser: Client, key: ApiKey, changed: dict[str, str], words: str) -> None:
    assert words in browser.post(ADJUST, fields(key, **changed)).content.decode()
    assert words in browser.post(ADJUST, fields(key, _confirmed="1", **changed)).content.decode()
    assert not Adjustment.objects.exists()


def test_a_usage_record_leads_to_its_adjustment(browser: Client, key: ApiKey) -> None:
    record = a_usage_record(key, outcome="swept", estimated=True, cost_nano=1_000_000_000)
    page = browser.get(reverse("admin:billing_usagerecord_change", args=(record.pk,))).content.decode()
    (link,) = re.findall(r'href="(/admin/billing/adjustment/add/\?[^"]+)"', page)
    form = browser.get(link.replace("&amp;", "&")).content.decode()
    assert str(record.request_id) in form
    browser.post(ADJUST, fields(key, request_id=str(record.request_id), _confirmed="1"))
    page = browser.get(reverse("admin:billing_usagerecord_change", args=(record.pk,))).content.decode()
    assert "−$0.25" in page


def test_who_may_not_adjust_sees_no_form_and_no_effect(client: Client, key: ApiKey) -> None:
    client.force_login(an_admin(is_superuser=False))
    assert client.post(ADJUST, fields(key)).status_code == 403


# --- reconciliations -------------------------------------------------------------------------------------------------


@pytest.fixture
def provider() -> Provider:
    return a_provider("http://127.0.0.1:9/v1")


def sent(browser: Client, provider: Provider, export: bytes, **changed: Any) -> Any:
    usual = {
        "provider": provider.slug,
        "format": "generic",
        "starts_on": "2026-03-01",
        "ends_on": "2026-03-31",
        "tolerance": "0.5",
        "export": SimpleUploadedFile("march.csv", export),
    }
    return browser.post(RECONCILE, {**usual, **changed}, follow=True)


def test_an_export_is_compared_and_kept(browser: Client, provider: Provider, key: ApiKey) -> None:
    a_usage_record(key, at=datetime(2026, 3, 2, tzinfo=UTC), provider=provider.slug, upstream_model="gpt-a")
    added_up()
    export = HEADER + "2026-03-02,gpt-a,1,100,0,20,0.001\n2026-03-03,gpt-b,1,100,0,20,0.5\n"
    assert sent(browser, provider, export.encode()).status_code == 200
    row = Reconciliation.objects.get()
    page = browser.get(reverse("admin:billing_reconciliation_change", args=(row.pk,))).content.decode()
    assert "Only at the provider" in page
    assert "$0.501" in page
    file = browser.get(f"/admin/billing/reconciliation/{row.pk}/csv/")
    text = b"".join(file).decode()
    assert "2026-03-02,gpt-a,both,yes,1,1,0," in text
    assert "2026-03-03,gpt-b,theirs,no,,1,," in text


def test_a_bad_line_is_named_and_nothing_is_kept(browser: Client, provider: Provider) -> None:
    response = sent(browser, provider, f'{HEADER}2026-03-02,gpt-a,1,100,0,20,"0,5"\n'.encode())
    text = response.content.decode()
    assert "Line 2" in text
    assert "write decimals with a point" in text
    assert not Reconciliation.objects.exists()


def test_a_span_that_ends_before_it_begins_is_refused(browser: Client, provider: Provider) -> None:
    text = sent(browser, provider, HEADER.encode(), ends_on="2026-02-01").content.decode()
    assert "before the first day" in text
