"""What other apps announce reaches those whom it concerns, once until it is over."""

from typing import Any

import orjson
import pytest
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives

from accounts.actions import members
from accounts.models import Membership
from billing.actions.alert_deliveries import deliver
from billing.models import Alert, AlertDelivery
from compliance.announcing import Announcement, announce, is_over
from tests.factories import THE_SYSTEM, a_tenant
from tests.factories.alerts import an_alert_rule, an_endpoint
from tests.factories.control import an_admin
from tests.factories.receiver import receiving

pytestmark = pytest.mark.django_db


def an_owner(tenant: Any, email: str) -> None:
    person = an_admin(is_superuser=False, email=email)
    members.add(membership=Membership(tenant=tenant, user=person, role="owner"), by=THE_SYSTEM)


def of_key(tenant: Any, **fields: Any) -> Announcement:
    values = {"kind": "key_leaked", "subject": "apikey 12", "label": "ci (…abcd), Support of Acme", **fields}
    return Announcement(tenant_id=tenant.pk, **values)


def of_platform(**fields: Any) -> Announcement:
    values = {"kind": "backup_failed", "subject": "daily", "label": "the disk is full", **fields}
    return Announcement(tenant_id=None, **values)


def told() -> set[str]:
    return set(AlertDelivery.objects.values_list("target", flat=True))


def test_without_a_rule_the_tenants_owners_hear_of_its_keys() -> None:
    acme, umbrella = a_tenant(), a_tenant()
    an_owner(acme, "owner@acme.example")
    an_owner(umbrella, "owner@umbrella.example")
    an_admin(email="root@platform.example")
    assert announce(of_key(acme, addresses=("extra@acme.example",)))
    assert told() == {"owner@acme.example", "extra@acme.example"}


def test_a_tenant_without_owners_is_the_platforms_care() -> None:
    an_admin(email="root@platform.example")
    an_admin(email="gone@platform.example", is_active=False)
    announce(of_key(a_tenant()))
    assert told() == {"root@platform.example"}


def test_without_a_rule_the_platforms_people_hear_of_the_platform() -> None:
    an_owner(a_tenant(), "owner@acme.example")
    an_admin(email="root@platform.example")
    assert announce(of_platform())
    assert told() == {"root@platform.example"}


def test_it_is_told_once_until_it_is_over() -> None:
    assert announce(of_platform())
    assert not announce(of_platform(label="the disk is still full"))
    assert announce(of_platform(subject="weekly"))
    assert is_over(kind="backup_failed", tenant_id=None, subject="daily") == 1
    assert is_over(kind="backup_failed", tenant_id=None, subject="daily") == 0
    assert announce(of_platform())
    assert Alert.objects.filter(cleared_at=None).count() == 2


def test_of_the_same_subject_each_tenant_hears_by_itself() -> None:
    assert announce(of_key(a_tenant()))
    assert announce(of_key(a_tenant()))


def test_a_rule_says_who_is_told_instead() -> None:
    acme = a_tenant()
    an_owner(acme, "owner@acme.example")
    an_alert_rule("key_leaked", to="all@platform.example")
    an_alert_rule("key_leaked", tenant=acme, to="security@acme.example", notify_owners=True)
    announce(of_key(acme))
    assert told() == {"security@acme.example", "owner@acme.example"}
    AlertDelivery.objects.all().delete()
    announce(of_key(a_tenant()))
    assert told() == {"all@platform.example"}


def test_a_rule_that_is_switched_off_keeps_it_to_the_log() -> None:
    an_admin(email="root@platform.example")
    an_alert_rule("backup_failed", to="ops@platform.example", active=False)
    assert announce(of_platform())
    assert told() == set()


def test_a_rule_of_the_platform_has_no_tenant() -> None:
    with pytest.raises(ValidationError, match="platform's"):
        an_alert_rule("audit_tampered", tenant=a_tenant())


def test_what_is_not_announced_is_refused() -> None:
    with pytest.raises(ValueError, match="not announced"):
        announce(of_platform(kind="daily_spend"))


def test_it_arrives_by_mail_and_signed_webhook(mailoutbox: list[EmailMultiAlternatives], settings: Any) -> None:
    settings.WEBHOOKS_INSIDE = True
    with receiving() as receiver:
        endpoint, _ = an_endpoint(receiver.url)
        an_alert_rule("backup_failed", to="ops@platform.example", endpoints=(endpoint,))
        announce(of_platform(facts={"backup": "daily", "at": "2026-11-21T02:00:00+00:00"}))
        assert deliver() == 2
    (mail,) = mailoutbox
    assert mail.subject == "Portcullis: Backup failed: the disk is full"
    assert "Backup: daily" in str(mail.body)
    assert "At: 2026-11-21 02:00 UTC" in str(mail.body)
    ((headers, body),) = receiver.messages
    assert headers["webhook-signature"].startswith("v1,")
    message = orjson.loads(body)
    assert message["type"] == "alert.backup_failed"
    assert message["data"]["message"] == "Backup failed: the disk is full"
    assert "claim_url" not in message["data"]
