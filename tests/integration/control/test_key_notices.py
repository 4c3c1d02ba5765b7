"""Rotations and expiries are told 14, 7 and 1 days ahead, each once; and what nobody uses is reported."""

from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest
from django.core.mail import EmailMultiAlternatives
from django.core.management import call_command
from django.utils import timezone

from accounts import claims, tokens
from accounts.actions import key_tending, keys, rotations, secret_uses, tenants, unused_keys
from accounts.models import ApiKey, SecretClaim
from billing.actions.alert_deliveries import deliver
from billing.models import Alert
from compliance.contracts import Actor
from compliance.models import JobRun
from tests.factories import THE_SYSTEM, a_key, a_tenant
from tests.factories.alerts import an_alert_rule, an_endpoint
from tests.factories.receiver import receiving

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def tend(at: datetime) -> dict[str, int]:
    return key_tending.tend(by=THE_SYSTEM, at=at)


def within_days(kind: str = "key_expiring") -> list[int]:
    return [alert.facts["within_days"] for alert in Alert.objects.filter(kind=kind).order_by("id")]


def test_a_key_is_planned_told_three_times_and_rotated() -> None:
    key, _ = a_key()
    start = timezone.now()
    counts = [tend(start + number * DAY) for number in range(92)]
    assert [day for day, each in enumerate(counts) if each["told"]] == [76, 83, 89]
    assert within_days() == [14, 7, 1]
    assert [day for day, each in enumerate(counts) if each["rotated"]] == [90]
    assert not Alert.objects.filter(kind="key_expiring", cleared_at=None).exists()
    assert SecretClaim.objects.get(state="waiting").key == key
    assert JobRun.objects.filter(kind="rotate_api_keys", state="done").count() == 92


def test_an_old_key_gets_its_whole_notice() -> None:
    key, _ = a_key()
    ApiKey.objects.update(secret_since=timezone.now() - 500 * DAY)
    now = timezone.now()
    assert tend(now)["told"] == 1
    assert within_days() == [14]
    key.refresh_from_db()
    assert key.rotation_due_at == now + 14 * DAY
    assert tend(now + 13 * DAY)["rotated"] == 0
    assert tend(now + 14 * DAY)["rotated"] == 1


def test_an_expiry_is_told_instead_where_it_comes_first() -> None:
    a_key(expires_at=timezone.now() + 5 * DAY)
    assert tend(timezone.now())["told"] == 1
    (alert,) = Alert.objects.filter(kind="key_expiring")
    assert (alert.facts["what"], alert.facts["within_days"]) == ("expiry", 7)
    assert "expires within 7 days" in alert.label


def test_another_expiry_closes_the_notice_of_the_one_before() -> None:
    key, _ = a_key(expires_at=timezone.now() + 5 * DAY)
    tend(timezone.now())
    key.expires_at = timezone.now() + 300 * DAY
    keys.change(key=key, by=THE_SYSTEM)
    assert not Alert.objects.filter(cleared_at=None).exists()


def test_a_tenant_may_do_without_or_have_terms_of_its_own() -> None:
    never, often = a_tenant(), a_tenant()
    for tenant, days in ((never, 0), (often, 30)):
        tenant.key_rotation_days = days
        tenants.change(tenant=tenant, by=THE_SYSTEM)
    (none, _), (soon, _) = a_key(tenant=never), a_key(tenant=often)
    tend(timezone.now())
    none.refresh_from_db()
    soon.refresh_from_db()
    assert none.rotation_due_at is None
    assert soon.rotation_due_at == soon.secret_since + 30 * DAY


def test_what_does_not_work_is_left_alone() -> None:
    suspended, _ = a_key()
    keys.suspend(key=suspended, by=THE_SYSTEM)
    keys.revoke(key=a_key()[0], by=THE_SYSTEM)
    ApiKey.objects.update(secret_since=timezone.now() - 500 * DAY)
    assert not any(tend(timezone.now() + 20 * DAY).values())


def test_a_key_that_is_not_claimed_is_not_rotated_again() -> None:
    a_key()
    start = timezone.now()
    tend(start)
    assert tend(start + 90 * DAY)["rotated"] == 1
    ApiKey.objects.update(rotation_due_at=start)
    assert tend(start + 90 * DAY)["rotated"] == 0


def test_a_key_that_cannot_be_rotated_keeps_no_other_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, fine = (a_key()[0] for _ in range(2))
    now = timezone.now()
    ApiKey.objects.update(rotation_due_at=now, secret_since=now - 100 * DAY)
    right = rotations.rotate

    def rotate(*, key: ApiKey, by: Actor, **values: Any) -> SecretClaim:
        if key.pk == broken.pk:  # somebody revokes it right then
            keys.revoke(key=key, by=THE_SYSTEM)
        return right(key=key, by=by, **values)

    monkeypatch.setattr(rotations, "rotate", rotate)
    assert tend(now)["rotated"] == 1
    assert SecretClaim.objects.get().key == fine
    assert JobRun.objects.get(kind="rotate_api_keys").state == "done"


def test_mails_and_webhooks_bring_the_link_and_no_secret(
    mailoutbox: list[EmailMultiAlternatives], settings: Any
) -> None:
    settings.WEBHOOKS_INSIDE = True
    settings.PUBLIC_URL = "https://portcullis.example"
    key, _ = a_key()
    with receiving() as receiver:
        endpoint, _ = an_endpoint(receiver.url)
        an_alert_rule("key_rotated", to="ops@acme.example", endpoints=(endpoint,))
        claim = rotations.rotate(key=key, by=THE_SYSTEM)
        link = claims.url_of(claim.pk)
        assert deliver() == 2
    ((_, body),) = receiver.messages
    message = orjson.loads(body)
    assert (message["type"], message["data"]["claim_url"]) == ("alert.key_rotated", link)
    assert link.startswith("https://portcullis.example/claim/")
    (mail,) = mailoutbox
    html = str(mail.alternatives[0][0])
    assert link in str(mail.body)
    assert f'href="{link}"' in html
    _, secret = rotations.claim(token=link.rpartition("/")[2], by=THE_SYSTEM)
    part = secret.split("_")[3]
    assert part not in body.decode() + str(mail.body) + html


def test_a_message_that_is_late_has_no_link_any_more(mailoutbox: list[EmailMultiAlternatives]) -> None:
    an_alert_rule("key_rotated", to="ops@acme.example")
    claim = rotations.rotate(key=a_key()[0], by=THE_SYSTEM)
    rotations.claim(token=claims.url_of(claim.pk).rpartition("/")[2], by=THE_SYSTEM)
    deliver()
    assert "/claim/" not in str(mailoutbox[0].body)


def test_an_old_secret_that_is_still_used_is_told_of_before_it_ends() -> None:
    used, unused = (a_key(expires_at=None)[0] for _ in range(2))
    start = timezone.now()
    for key in (used, unused):
        old = key.public_id
        link = claims.url_of(rotations.rotate(key=key, by=THE_SYSTEM).pk)
        rotations.claim(token=link.rpartition("/")[2], by=THE_SYSTEM)
        if key is used:
            secret_uses.note_uses(times={old: (start + 6 * DAY).timestamp()})
    assert tend(start + 5.5 * DAY)["told"] == 0
    assert tend(start + 6.5 * DAY)["told"] == 1
    assert tend(start + 6.6 * DAY)["told"] == 0
    (alert,) = Alert.objects.filter(kind="key_expiring")
    assert alert.facts["what"] == "overlap"
    assert f"…{used.last_four}" in alert.label
    assert tend(start + 8 * DAY)["ended"] == 2
    assert not Alert.objects.filter(kind="key_expiring", cleared_at=None).exists()


def test_unused_keys_are_reported_by_tenant_each_month() -> None:
    acme = a_tenant()
    (never, _), (long_ago, _), (used, _) = (a_key(tenant=acme) for _ in range(3))
    a_key(tenant=acme)
    now = timezone.now().replace(day=15)
    ApiKey.objects.filter(pk__in=[never.pk, long_ago.pk, used.pk]).update(created_at=now - 200 * DAY)
    at = {long_ago.public_id: (now - 91 * DAY).timestamp(), used.public_id: (now - 89 * DAY).timestamp()}
    assert secret_uses.note_uses(times=at) == 2
    assert unused_keys.report(by=THE_SYSTEM, at=now) == 2
    assert unused_keys.report(by=THE_SYSTEM, at=now) == 2
    (alert,) = Alert.objects.filter(kind="key_unused")
    assert (alert.tenant, alert.facts["count"]) == (acme, 2)
    assert f"…{never.last_four}" in alert.facts["keys"]
    assert f"…{used.last_four}" not in alert.facts["keys"]
    unused_keys.report(by=THE_SYSTEM, at=now + 31 * DAY)
    assert Alert.objects.filter(kind="key_unused", cleared_at=None).count() == 1


def test_the_last_use_never_goes_back_and_made_up_ids_are_nobodys() -> None:
    key, _ = a_key()
    assert secret_uses.note_uses(times={key.public_id: 2_000.0, "made-up": 2_000.0}) == 1
    secret_uses.note_uses(times={key.public_id: 1_000.0})
    assert key.uses.get().last_used_at.timestamp() == 2_000.0


def test_the_command_rotates_one_key_and_prints_its_link(capsys: Any) -> None:
    key, old = a_key()
    call_command("rotate_api_keys", key=key.public_id, reason="asked for")
    link = capsys.readouterr().out.strip()
    _, new = rotations.claim(token=link.rpartition("/")[2], by=THE_SYSTEM)
    assert tokens.parse(new)
    assert new != old
    call_command("rotate_api_keys")
    assert "rotated: 0" in capsys.readouterr().out
