"""Alerts on their way: one mail for each address, signed webhooks, retries, and endpoints that are gone."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.utils import timezone
from standardwebhooks import Webhook

from accounts.models import Tenant
from billing import alert_words
from billing.actions import alert_deliveries, alerts, webhooks
from billing.errors import EndpointNotActive
from billing.models import Alert, AlertDelivery, AlertRule, WebhookEndpoint, WebhookSecret
from compliance.models import AuditEvent
from compliance.posting import Answer
from tests.factories import THE_SYSTEM, a_budget, a_tenant
from tests.factories.alerts import an_alert_rule, an_endpoint, metered
from tests.factories.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db(databases=["default", "ledger", "keys"])

OPS = "ops@acme.example"
FOREVER = datetime(9999, 12, 31, tzinfo=UTC)
PENDING, DELIVERED, FAILED = AlertDelivery.Status.PENDING, AlertDelivery.Status.DELIVERED, AlertDelivery.Status.FAILED


@pytest.fixture(autouse=True)
def nothing_else(db: None, settings: Any) -> None:
    """Out of sight is what other tests have committed; receivers are next door."""
    AlertRule.objects.update(active=False)
    AlertDelivery.objects.all().delete()
    settings.WEBHOOKS_INSIDE = True


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def acme() -> Tenant:
    return a_tenant()


def cross(tenant: Tenant, *, dollars: int = 60, name: str = "Chat") -> None:
    """A budget of $100 that has used so much, and a look at it."""
    budget = a_budget(tenant, dollars="100", name=name)
    now = timezone.now()
    metered(tenant, budget.meter_name, start=now - timedelta(days=3), end=now + timedelta(days=9), dollars=dollars)
    alerts.look_at_meters()


def told(endpoint: WebhookEndpoint | None = None) -> AlertDelivery:
    return AlertDelivery.objects.filter(**({"endpoint": endpoint} if endpoint else {})).latest("id")


def test_it_works(acme: Tenant, receiver: Receiver) -> None:
    endpoint, secret = an_endpoint(receiver.url, tenant=acme)
    an_alert_rule(tenant=acme, to=OPS, endpoints=(endpoint,), levels=[50])
    cross(acme)
    assert alert_deliveries.deliver() == 2
    ((headers, body),) = receiver.messages
    message = Webhook(secret).verify(body, headers)
    alert = Alert.objects.get(tenant=acme)
    assert message["type"] == "alert.budget_threshold"
    assert datetime.fromisoformat(message["timestamp"]) == alert.created_at
    assert message["data"]["tenant"] == acme.slug
    assert message["data"]["level_percent"] == 50
    assert message["data"]["used_dollars"] == "60.000000000"
    assert message["data"]["limit_dollars"] == "100.000000000"
    assert message["data"]["message"] == "Reached 50 %: Chat has used 60 % of $100.00"
    assert headers["webhook-id"] == told(endpoint).message_id
    assert "." not in headers["webhook-id"]
    (sent,) = mail.outbox
    assert (sent.to, sent.subject) == ([OPS], f"{acme.name}: Reached 50 %: Chat has used 60 % of $100.00")
    assert set(AlertDelivery.objects.values_list("status", flat=True)) == {DELIVERED}


# --- e-mail -------------------------------------------------------------------------------------------------------


def test_one_mail_says_all_that_an_address_is_told(acme: Tenant) -> None:
    umbrella = a_tenant("umbrella")
    for tenant, dollars in ((acme, 85), (umbrella, 55)):
        an_alert_rule(tenant=tenant, to=OPS)
        cross(tenant, dollars=dollars)
    assert alert_deliveries.deliver() == 2
    (sent,) = mail.outbox
    assert sent.subject == "2 tenants: 2 alerts"
    assert str(sent.body).count("has used") == 2
    assert isinstance(sent, EmailMultiAlternatives)
    (html, kind) = sent.alternatives[0]
    assert (str(html).count("has used"), kind) == (2, "text/html")


def test_a_budget_that_never_starts_anew_has_no_start_of_a_period(acme: Tenant) -> None:
    budget = a_budget(acme, dollars="100", period="total")
    metered(acme, budget.meter_name, start=datetime(1970, 1, 1, tzinfo=UTC), end=FOREVER, dollars=60)
    an_alert_rule(tenant=acme, levels=[50])
    alerts.look_at_meters()
    assert alert_words.payload(Alert.objects.get(tenant=acme))["data"]["period_start"] is None


def test_names_are_escaped_in_html_and_plain_in_text(acme: Tenant) -> None:
    an_alert_rule(tenant=acme, to=OPS, levels=[50])
    cross(acme, name="<b>R&D</b>")
    alert_deliveries.deliver()
    (sent,) = mail.outbox
    assert isinstance(sent, EmailMultiAlternatives)
    assert "<b>R&D</b> has used" in str(sent.body)
    assert "&lt;b&gt;R&amp;D&lt;/b&gt; has used" in str(sent.alternatives[0][0])


def test_a_name_of_several_lines_adds_no_header(acme: Tenant) -> None:
    Tenant.objects.filter(pk=acme.pk).update(name="Acme\r\nBcc: everybody@example.com")
    an_alert_rule(tenant=acme, to=OPS, levels=[50])
    cross(acme)
    assert alert_deliveries.deliver() == 1
    assert "\n" not in mail.outbox[0].subject


def test_links_lead_to_the_admin_where_its_address_is_known(acme: Tenant, settings: Any) -> None:
    settings.PUBLIC_URL = "https://gateway.example"
    an_alert_rule(tenant=acme, to=OPS, levels=[50])
    cross(acme)
    alert_deliveries.deliver()
    pk = Alert.objects.get(tenant=acme).pk
    assert f"https://gateway.example/admin/billing/alert/{pk}/change/" in str(mail.outbox[0].body)


def test_a_mail_server_that_is_down_is_tried_again(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    an_alert_rule(tenant=acme, to=OPS, levels=[50])
    cross(acme)

    def refuse(*_: Any) -> int:
        raise ConnectionRefusedError

    now = timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
        assert alert_deliveries.deliver(at=now) == 0
    assert told().status == PENDING
    assert "ConnectionRefusedError" in told().error
    assert alert_deliveries.deliver(at=told().next_attempt_at) == 1


# --- webhooks -----------------------------------------------------------------------------------------------------


@pytest.fixture
def endpoint(acme: Tenant, receiver: Receiver) -> WebhookEndpoint:
    endpoint, _ = an_endpoint(receiver.url, tenant=acme)
    an_alert_rule(tenant=acme, endpoints=(endpoint,), levels=[50], to=OPS, name="Its rule")
    return endpoint


def test_a_failure_is_tried_again_by_the_schedule_and_under_the_same_id(
    acme: Tenant, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status = 500
    cross(acme)
    at = timezone.now()
    for seconds in (5, 300, 1_800):
        alert_deliveries.deliver(at=at)
        next_at = told(endpoint).next_attempt_at
        assert timedelta(seconds=seconds) <= next_at - at <= timedelta(seconds=seconds * 1.1 + 30)
        assert alert_deliveries.deliver(at=next_at - timedelta(seconds=1)) == 0
        at = next_at
    receiver.status = 200
    assert alert_deliveries.deliver(at=at) == 1
    assert len(receiver.messages) == 4
    assert {headers["webhook-id"] for headers, _ in receiver.messages} == {told(endpoint).message_id}
    assert {body for _, body in receiver.messages} == {receiver.messages[0][1]}
    endpoint.refresh_from_db()
    assert (told(endpoint).attempts, endpoint.failing_since) == (4, None)


def test_a_message_is_given_up_after_the_whole_schedule_and_the_endpoint_disabled(
    acme: Tenant, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status, receiver.body = 500, b"stack trace with secrets"
    cross(acme)
    at = timezone.now()
    for _ in range(10):
        alert_deliveries.deliver(at=at)
        at = told(endpoint).next_attempt_at
    assert len(receiver.messages) == 10
    given_up = told(endpoint)
    assert (given_up.status, given_up.response_code, given_up.error) == (FAILED, 500, "answered 500")
    endpoint.refresh_from_db()
    assert endpoint.state == WebhookEndpoint.State.DISABLED
    event = AuditEvent.objects.get(action="webhookendpoint.disabled", target_id=str(endpoint.pk))
    assert (event.actor_kind, event.actor_id) == ("task", "deliver_alerts")
    mail.outbox.clear()
    alert_deliveries.deliver(at=at)
    assert "gets no more alerts" in mail.outbox[0].subject
    assert (mail.outbox[0].to, len(receiver.messages)) == ([OPS], 10)


def test_an_endpoint_that_is_gone_is_disabled_at_once(
    acme: Tenant, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status = 410
    cross(acme)
    webhooks.send_test(endpoint=endpoint, by=THE_SYSTEM)
    alert_deliveries.deliver()
    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.disabled_because) == (WebhookEndpoint.State.DISABLED, "it answered 410 Gone")
    assert set(AlertDelivery.objects.filter(endpoint=endpoint).values_list("status", flat=True)) == {FAILED}
    alert = Alert.objects.get(tenant=acme, kind="endpoint_disabled")
    assert [delivery.target for delivery in alert.deliveries.all()] == [OPS]
    webhooks.resume(endpoint=endpoint, by=THE_SYSTEM)
    receiver.status = 200
    webhooks.send_test(endpoint=endpoint, by=THE_SYSTEM)
    alert_deliveries.deliver()
    assert told(endpoint).status == DELIVERED


def test_a_busy_receiver_gets_the_time_that_it_asks_for(
    acme: Tenant, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status, receiver.headers = 429, {"Retry-After": "600"}
    cross(acme)
    at = timezone.now()
    alert_deliveries.deliver(at=at)
    assert timedelta(seconds=600) <= told(endpoint).next_attempt_at - at <= timedelta(seconds=630)


def test_while_a_secret_is_replaced_both_verify(acme: Tenant, receiver: Receiver) -> None:
    endpoint, old = an_endpoint(receiver.url, tenant=acme)
    new = webhooks.rotate(endpoint=endpoint, by=THE_SYSTEM)
    webhooks.send_test(endpoint=endpoint, by=THE_SYSTEM)
    alert_deliveries.deliver()
    headers, body = receiver.messages[-1]
    assert [Webhook(secret).verify(body, headers)["type"] for secret in (old, new)] == ["alert.test"] * 2
    newest = webhooks.rotate(endpoint=endpoint, by=THE_SYSTEM)
    webhooks.send_test(endpoint=endpoint, by=THE_SYSTEM)
    alert_deliveries.deliver()
    headers, body = receiver.messages[-1]
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (new, newest):
        assert Webhook(secret).verify(body, headers)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(old).verify(body, headers)


def test_a_replaced_secret_signs_for_a_day(acme: Tenant, receiver: Receiver) -> None:
    endpoint, _ = an_endpoint(receiver.url, tenant=acme)
    webhooks.rotate(endpoint=endpoint, by=THE_SYSTEM)
    replaced = endpoint.secrets.get(ends_at__isnull=False)
    WebhookSecret.objects.filter(pk=replaced.pk).update(ends_at=timezone.now())
    webhooks.send_test(endpoint=endpoint, by=THE_SYSTEM)
    alert_deliveries.deliver()
    headers, _ = receiver.messages[-1]
    assert headers["webhook-signature"].count("v1,") == 1
    assert replaced.ends_at is not None
    assert timedelta(hours=23) < replaced.ends_at - timezone.now() <= timedelta(days=1)


def test_secrets_are_stored_sealed_and_never_audited(acme: Tenant) -> None:
    endpoint, secret = an_endpoint("https://hooks.example/", tenant=acme)
    stored = endpoint.secrets.get()
    assert secret.encode() not in bytes(stored.sealed)
    events = AuditEvent.objects.filter(target_kind="webhooksecret", target_id=str(stored.pk))
    assert [event.action for event in events] == ["webhooksecret.created"]
    assert "sealed" not in str([event.after for event in events])


def test_a_sealed_secret_is_of_no_use_elsewhere(acme: Tenant, receiver: Receiver) -> None:
    mine, _ = an_endpoint(receiver.url, tenant=acme)
    theirs, _ = an_endpoint(receiver.url, tenant=a_tenant("umbrella"))
    WebhookSecret.objects.filter(endpoint=mine).update(sealed=theirs.secrets.get().sealed)
    webhooks.send_test(endpoint=mine, by=THE_SYSTEM)
    assert alert_deliveries.deliver() == 0
    assert "cannot be opened" in told(mine).error
    assert receiver.messages == []


def test_an_endpoint_inside_is_refused_unless_the_installation_allows_it(
    acme: Tenant, receiver: Receiver, settings: Any
) -> None:
    endpoint, _ = an_endpoint(receiver.url.replace("http:", "https:"), tenant=acme)
    settings.WEBHOOKS_INSIDE = False
    with pytest.raises(ValidationError, match="Only https"):
        an_endpoint(receiver.url, tenant=acme)
    webhooks.send_test(endpoint=endpoint, by=THE_SYSTEM)
    assert alert_deliveries.deliver() == 0
    assert "not a public address" in told(endpoint).error
    assert receiver.requests == []


def test_a_paused_endpoint_gets_nothing_until_it_is_resumed(
    acme: Tenant, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    cross(acme)
    webhooks.pause(endpoint=endpoint, by=THE_SYSTEM)
    cross(acme, name="While it is paused")
    alert_deliveries.deliver()
    assert receiver.messages == []
    with pytest.raises(EndpointNotActive, match="resume it first"):
        webhooks.send_test(endpoint=endpoint, by=THE_SYSTEM)
    webhooks.resume(endpoint=endpoint, by=THE_SYSTEM)
    assert alert_deliveries.deliver() == 1
    ((_, body),) = receiver.messages
    assert json.loads(body)["data"]["label"] == "Chat"


def test_an_endpoint_that_is_deleted_while_its_message_is_under_way(
    acme: Tenant, endpoint: WebhookEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is posted, and above all nothing is mailed to its URL."""
    cross(acme)
    lease = alert_deliveries._lease

    def lease_and_delete(at: datetime) -> list[AlertDelivery]:
        due = lease(at)
        webhooks.remove(endpoint=endpoint, by=THE_SYSTEM)
        return list(AlertDelivery.objects.select_related("alert", "endpoint").filter(pk__in=[row.pk for row in due]))

    monkeypatch.setattr(alert_deliveries, "_lease", lease_and_delete)
    assert alert_deliveries.deliver() == 1
    assert [sent.to for sent in mail.outbox] == [[OPS]]
    assert receiver.messages == []


def test_a_deleted_endpoint_gets_nothing_more(acme: Tenant, endpoint: WebhookEndpoint, receiver: Receiver) -> None:
    cross(acme)
    webhooks.remove(endpoint=endpoint, by=THE_SYSTEM)
    alert_deliveries.deliver()
    assert receiver.messages == []
    given_up = AlertDelivery.objects.get(channel="webhook")
    assert (given_up.status, given_up.error) == (FAILED, "the endpoint was deleted")


# --- leases -------------------------------------------------------------------------------------------------------


def test_a_run_that_died_is_taken_over_when_its_lease_ends(
    acme: Tenant, endpoint: WebhookEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have sent already: then the message comes twice, under the same id."""
    cross(acme)

    def crash(*_: Any, **__: Any) -> None:
        raise RuntimeError("power cut")

    at = timezone.now()
    with monkeypatch.context() as patch:
        patch.setattr(alert_deliveries, "_conclude", crash)
        with pytest.raises(RuntimeError):
            alert_deliveries.deliver(at=at)
    assert alert_deliveries.deliver(at=at + alert_deliveries.LEASE / 2) == 0
    assert alert_deliveries.deliver(at=at + alert_deliveries.LEASE) == 2
    first, second = receiver.messages
    assert first[0]["webhook-id"] == second[0]["webhook-id"]


def test_an_attempt_that_was_overtaken_writes_nothing(acme: Tenant, endpoint: WebhookEndpoint) -> None:
    cross(acme)
    at = timezone.now()
    slow = next(each for each in alert_deliveries._lease(at) if each.endpoint)
    alert_deliveries.deliver(at=at + alert_deliveries.LEASE)
    assert told(endpoint).status == DELIVERED
    alert_deliveries._conclude(slow, Answer(error="cannot connect"), at=at + timedelta(hours=1))
    endpoint.refresh_from_db()
    assert (told(endpoint).status, endpoint.failing_since) == (DELIVERED, None)
