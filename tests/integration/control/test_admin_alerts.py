"""Alert rules, webhook endpoints and the alert log, as people meet them in the admin."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from accounts.models import Tenant, User
from billing import money
from billing.actions import alert_deliveries, alerts, webhooks
from billing.models import Alert, AlertDelivery, AlertRule, WebhookEndpoint
from compliance.models import AuditEvent
from tests.factories import THE_SYSTEM, a_budget, a_tenant
from tests.factories.alerts import an_alert_rule, an_endpoint, metered
from tests.factories.control import an_admin, events_of

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

RULES, ENDPOINTS, LOG = "/admin/billing/alertrule/", "/admin/billing/webhookendpoint/", "/admin/billing/alert/"
RULE = {"tenant": "", "name": "Budgets", "kind": "budget_threshold", "levels": "", "recipients": "", "active": "on"}
URL = "https://hooks.example/in"


@pytest.fixture(autouse=True)
def no_other_rules(db: None) -> None:
    """Out of sight is what other tests have committed."""
    AlertRule.objects.all().delete()


@pytest.fixture
def person(client: Client) -> User:
    user = an_admin()
    client.force_login(user)
    return user


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


def actions_of(user: User) -> list[str]:
    return [event.action for event in events_of(user)]


def cross(tenant: Tenant) -> Alert:
    budget = a_budget(tenant, dollars="100", name="<i>Chat</i>")
    now = timezone.now()
    metered(tenant, budget.meter_name, start=now - timedelta(days=3), end=now + timedelta(days=9), dollars=60)
    alerts.look_at_meters()
    return Alert.objects.get(tenant=tenant)


# --- rules --------------------------------------------------------------------------------------------------------


def test_it_works(client: Client, person: User, acme: Tenant) -> None:
    endpoint, _ = an_endpoint(URL, tenant=acme)
    values = {**RULE, "tenant": acme.pk, "levels": "80, 50 %", "recipients": "a@acme.example\nb@acme.example"}
    response = client.post(RULES + "add/", {**values, "endpoints": [endpoint.pk]})
    assert response.status_code == 302
    rule = AlertRule.objects.get(tenant=acme)
    assert (rule.levels, rule.recipients) == ([50, 80], ["a@acme.example", "b@acme.example"])
    assert list(rule.endpoints.all()) == [endpoint]
    assert actions_of(person) == ["alertrule.created", "alertrule.connected"]


def test_a_rule_shows_what_is_stored_and_saves_it_unchanged(client: Client, person: User, acme: Tenant) -> None:
    endpoint, _ = an_endpoint(URL, tenant=acme)
    rule = an_alert_rule(tenant=acme, to="a@acme.example", endpoints=(endpoint,))
    page = f"{RULES}{rule.pk}/change/"
    form = client.get(page).context["adminform"].form
    values = {name: form[name].value() for name in ("name", "levels", "recipients", "endpoints")}
    assert (values["levels"], values["endpoints"]) == ("50, 80, 100", [endpoint.pk])
    assert client.post(page, {**values, "active": "on"}).status_code == 302
    assert actions_of(person) == []
    assert list(rule.endpoints.all()) == [endpoint]


def test_an_amount_is_entered_in_dollars(client: Client, person: User) -> None:
    values = {**RULE, "kind": "daily_spend", "amount_nano": "1,250.50"}
    assert client.post(RULES + "add/", values).status_code == 302
    assert AlertRule.objects.get().amount_nano == 1_250_500_000_000
    assert "$1,250.50" in client.get(RULES).content.decode()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param({"levels": "half"}, "Write whole per cents", id="a level in words"),
        pytest.param({"levels": "50.5"}, "Write whole per cents", id="half a per cent"),
        pytest.param({"levels": "0"}, "greater than or equal to 1", id="a level of nothing"),
        pytest.param({"levels": "1001"}, "less than or equal to 1000", id="a level beyond measure"),
        pytest.param({"recipients": "nobody"}, "nobody is no e-mail address", id="an address that is none"),
        pytest.param({"kind": "weekly_spend"}, "Give the amount", id="no amount"),
        pytest.param({"kind": "unusual_spend", "levels": "5"}, "have no levels", id="levels that it has not"),
        pytest.param({"kind": "soft_budget_exceeded", "amount_nano": "5"}, "have no amount", id="a needless amount"),
        pytest.param({"muted_until_0": "2026-01-01", "muted_until_1": "x"}, "Enter a valid time", id="no time"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(
    values: dict[str, Any], words: str, client: Client, person: User
) -> None:
    response = client.post(RULES + "add/", {**RULE, **values})
    assert response.status_code == 200
    assert words in response.content.decode()
    assert not AlertRule.objects.exists()


def test_the_page_says_what_is_told_without_a_rule_and_to_how_many(client: Client, person: User) -> None:
    User.objects.update(email="")
    page = client.get("/admin/billing/alertrule/").content.decode()
    assert "Audit log altered" in page
    assert "None of these has an e-mail address" in page
    User.objects.filter(pk=person.pk).update(is_superuser=True, email="user-1@example.com")
    assert "1 of these has an e-mail address" in client.get("/admin/billing/alertrule/").content.decode()


def test_an_endpoint_of_another_tenant_is_refused(client: Client, person: User, acme: Tenant) -> None:
    endpoint, _ = an_endpoint(URL, tenant=a_tenant("umbrella"))
    response = client.post(RULES + "add/", {**RULE, "tenant": acme.pk, "endpoints": [endpoint.pk]})
    assert "another tenant" in response.content.decode()
    assert not AlertRule.objects.exists()


def test_two_rules_of_one_name_are_refused(client: Client, person: User) -> None:
    an_alert_rule(name="Budgets")
    assert "There is a rule of this name already" in client.post(RULES + "add/", RULE).content.decode()


# --- endpoints ----------------------------------------------------------------------------------------------------


def test_a_new_endpoints_secret_is_shown_once(client: Client, person: User, acme: Tenant) -> None:
    response = client.post(ENDPOINTS + "add/", {"tenant": acme.pk, "name": "Ops", "url": URL})
    secret = response.context["secret"]
    assert secret.startswith("whsec_")
    assert response.content.decode().count(secret) == 1
    assert "no-store" in response["Cache-Control"]
    endpoint = WebhookEndpoint.objects.get(tenant=acme)
    assert secret not in client.get(f"{ENDPOINTS}{endpoint.pk}/change/").content.decode()
    assert actions_of(person) == ["webhookendpoint.created", "webhooksecret.created"]
    assert secret not in str(list(AuditEvent.objects.values_list("after", flat=True)))


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("http://hooks.example/", "Only https is allowed", id="not encrypted"),
        pytest.param("https://me:secret@hooks.example/", "contains a user name", id="with a password"),
        pytest.param("hooks.example", "Enter a valid URL", id="no URL"),
    ],
)
def test_a_url_that_may_not_be_called_is_refused(url: str, words: str, client: Client, person: User) -> None:
    response = client.post(ENDPOINTS + "add/", {"name": "Ops", "url": url})
    assert words in response.content.decode()
    assert not WebhookEndpoint.objects.filter(url=url).exists()


def test_a_secret_is_replaced_and_the_new_one_shown_once(client: Client, person: User, acme: Tenant) -> None:
    endpoint, old = an_endpoint(URL, tenant=acme)
    page = f"{ENDPOINTS}{endpoint.pk}/rotate/"
    assert "Replace the secret of" in client.get(page).content.decode()
    assert endpoint.secrets.count() == 1
    response = client.post(page, {"reason": "It was in a chat."})
    assert response.context["secret"] not in ("", old)
    assert endpoint.secrets.count() == 2
    assert actions_of(person) == ["webhooksecret.replaced", "webhooksecret.created"]


def test_a_test_is_sent_and_shown_in_the_log(client: Client, person: User, acme: Tenant) -> None:
    endpoint, _ = an_endpoint("https://127.0.0.1:9/", tenant=acme)
    response = client.post(f"{ENDPOINTS}{endpoint.pk}/test/", {"reason": ""}, follow=True)
    assert "is on its way" in response.content.decode()
    assert actions_of(person) == ["webhookendpoint.tested"]
    alert_deliveries.deliver()
    alert = Alert.objects.get(tenant=acme)
    text = client.get(f"{LOG}{alert.pk}/change/").content.decode()
    assert "not a public address" in text
    assert "https://127.0.0.1:9/" in text


def test_a_paused_endpoint_offers_to_resume_it(client: Client, person: User, acme: Tenant) -> None:
    endpoint, _ = an_endpoint(URL, tenant=acme)
    webhooks.pause(endpoint=endpoint, by=THE_SYSTEM)
    text = client.get(f"{ENDPOINTS}{endpoint.pk}/change/").content.decode()
    assert ("Resume" in text, "Send a test" in text) == (True, False)
    client.post(f"{ENDPOINTS}{endpoint.pk}/resume/", {"reason": ""})
    endpoint.refresh_from_db()
    assert endpoint.state == WebhookEndpoint.State.ACTIVE


def test_a_deleted_endpoint_takes_its_secrets_with_it(client: Client, person: User, acme: Tenant) -> None:
    endpoint, _ = an_endpoint(URL, tenant=acme)
    client.post(f"{ENDPOINTS}{endpoint.pk}/delete/", {"post": "yes"})
    assert not WebhookEndpoint.objects.filter(pk=endpoint.pk).exists()
    assert actions_of(person) == ["webhooksecret.deleted", "webhookendpoint.deleted"]


# --- the log ------------------------------------------------------------------------------------------------------


def test_the_log_says_what_crossed_and_who_was_told(client: Client, person: User, acme: Tenant) -> None:
    an_alert_rule(tenant=acme, to="ops@acme.example")
    alert = cross(acme)
    text = client.get(LOG).content.decode()
    assert "has used 60 % of $100.00" in text
    assert "<i>Chat" not in text
    page = client.get(f"{LOG}{alert.pk}/change/").content.decode()
    for words in ("$60.00", "$100.00", "ops@acme.example", "On its way", "Period began"):
        assert words in page
    assert "<i>Chat" not in page


def test_the_log_says_where_nobody_was_told(client: Client, person: User, acme: Tenant) -> None:
    an_alert_rule(tenant=acme)
    alert = cross(acme)
    assert "Nobody: the rule names no one" in client.get(f"{LOG}{alert.pk}/change/").content.decode()


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param({"kind__exact": "budget_threshold"}, True, id="its kind"),
        pytest.param({"kind__exact": "test"}, False, id="another kind"),
        pytest.param({"q": "chat"}, True, id="what it is about"),
        pytest.param({"q": "umbrella"}, False, id="another tenant"),
        pytest.param({"since": "today"}, True, id="today"),
    ],
)
def test_the_log_is_filtered(query: dict[str, str], found: bool, client: Client, person: User, acme: Tenant) -> None:
    an_alert_rule(tenant=acme)
    cross(acme)
    assert ("has used 60 %" in client.get(LOG, query).content.decode()) is found


def test_an_endpoint_leads_to_what_it_was_told(client: Client, person: User, acme: Tenant) -> None:
    told, other = (an_endpoint(URL, tenant=acme)[0] for _ in range(2))
    an_alert_rule(tenant=acme, endpoints=(told,))
    cross(acme)
    for endpoint, found in ((told, True), (other, False)):
        page = client.get(f"{ENDPOINTS}{endpoint.pk}/change/").content.decode()
        link = f"{LOG}?deliveries__endpoint__id__exact={endpoint.pk}"
        assert link in page
        assert ("has used 60 %" in client.get(link).content.decode()) is found


def test_nobody_writes_the_log(client: Client, person: User, acme: Tenant) -> None:
    an_alert_rule(tenant=acme)
    alert = cross(acme)
    for page in ("add/", f"{alert.pk}/change/", f"{alert.pk}/delete/"):
        assert client.post(LOG + page, {"post": "yes"}).status_code == 403


def test_who_may_only_look_sees_no_buttons_and_changes_nothing(client: Client, acme: Tenant) -> None:
    staff = an_admin(is_superuser=False)
    staff.user_permissions.set(Permission.objects.filter(codename="view_webhookendpoint"))
    client.force_login(staff)
    endpoint, _ = an_endpoint(URL, tenant=acme)
    assert client.get(f"{ENDPOINTS}{endpoint.pk}/change/").status_code == 200
    for verb in ("rotate", "test", "pause"):
        assert client.post(f"{ENDPOINTS}{endpoint.pk}/{verb}/", {"reason": "x"}).status_code == 403
    assert endpoint.secrets.count() == 1


def test_every_kind_has_words(client: Client, person: User, acme: Tenant) -> None:
    facts: dict[str, Any] = {f"{name}_nano": money.NANO for name in ("used", "limit", "projected", "spent", "amount")}
    facts |= {"usual_nano": 0, "until": "2026-05-13T12:00:00+00:00", "percent": 90, "reason": "it answered 410 Gone"}
    for kind in Alert._meta.get_field("kind").flatchoices:
        Alert.objects.create(
            tenant=acme,
            kind=kind[0],
            subject=kind[0],
            label="It",
            period_start=timezone.now(),
            facts={**facts, "limit": 60},
        )
    text = client.get(LOG).content.decode()
    for words in ("has exceeded its soft limit", "is heading for", "at least $1.00", "$0.00 is usual", "A test of It"):
        assert words in text
    assert AlertDelivery.objects.filter(alert__tenant=acme).count() == 0


@pytest.mark.parametrize("for_all", [pytest.param(True, id="all tenants"), pytest.param(False, id="a tenant")])
def test_another_rule_of_the_same_kind_is_warned_of_by_name(
    client: Client, person: User, acme: Tenant, for_all: bool
) -> None:
    tenant = None if for_all else acme
    an_alert_rule(tenant=tenant, name="The first")
    an_alert_rule("rate_limit_approached", tenant=tenant, name="Of rates")
    an_alert_rule(tenant=acme if for_all else None, name="Of others")
    response = client.post(RULES + "add/", {**RULE, "tenant": tenant.pk if tenant else ""}, follow=True)
    (warning,) = [str(message) for message in response.context["messages"] if message.level_tag == "warning"]
    assert warning.startswith(f"There is a rule of this kind for {acme.name if tenant else 'all tenants'} already: ")
    assert "already: The first." in warning


def test_an_alert_leads_to_its_budget(client: Client, person: User, acme: Tenant) -> None:
    an_alert_rule(tenant=acme, levels=[50])
    alert = cross(acme)
    link = f'/admin/billing/budget/{alert.facts["budget_id"]}/change/" class="pcl-link">&lt;i&gt;Chat&lt;/i&gt;</a>'
    assert link in client.get(f"{LOG}{alert.pk}/change/").content.decode()
