"""A key gets a new secret: the old one works for the overlap, and the new one is handed out once."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as conf
from django.utils import timezone

from accounts import claims, known_secrets, tokens
from accounts.actions import key_tending, keys, rotations
from accounts.errors import KeyNotActive, LinkOver, NoOverlap, SecretWaits
from accounts.models import ApiKey, RetiringSecret, SecretClaim
from billing.models import Alert
from compliance.models import AuditEvent
from gateway import compile
from tests.factories import THE_SYSTEM, a_key, a_tenant

pytestmark = pytest.mark.django_db


def link_of(claim: SecretClaim) -> str:
    """The token of a link."""
    return claims.url_of(claim.pk).rpartition("/")[2]


def claimed(key: ApiKey) -> str:
    """Rotates, and claims the new secret."""
    return rotations.claim(token=link_of(rotations.rotate(key=key, by=THE_SYSTEM)), by=THE_SYSTEM)[1]


def works(secret: str) -> bool:
    """As a gateway would find it now."""
    token = tokens.parse(secret)
    assert token is not None
    principal = compile.principal(token.public_id).value
    return (
        principal is not None
        and principal.usable
        and tokens.matches(secret, stored=principal.digest, version=principal.pepper_version, peppers=conf.KEY_PEPPERS)
    )


def test_both_secrets_are_the_same_key() -> None:
    key, old = a_key()
    new = claimed(key)
    assert new != old
    assert works(old)
    assert works(new)
    before, after = (compile.principal(secret.split("_")[2]).value for secret in (old, new))
    assert before is not None
    assert after is not None
    assert before.key_id == after.key_id == key.pk
    assert before.expires_at == pytest.approx((timezone.now() + timedelta(days=7)).timestamp(), abs=60)
    assert after.expires_at == float("inf")


def test_the_old_one_ends_with_the_overlap() -> None:
    key, old = a_key()
    new = claimed(key)
    RetiringSecret.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    assert not works(old)
    assert works(new)
    assert key_tending.tend(by=THE_SYSTEM)["ended"] == 1
    assert RetiringSecret.objects.get().digest is None
    assert compile.principal(old.split("_")[2]).value is None
    assert works(new)


def test_the_overlap_can_be_closed_early() -> None:
    key, old = a_key()
    new = claimed(key)
    rotations.end_overlap(key=key, by=THE_SYSTEM, reason="it leaked")
    assert not works(old)
    assert works(new)
    event = AuditEvent.objects.get(action="apikey.old_secret_ended", reason="it leaked")
    assert (event.target_kind, event.target_id) == ("apikey", str(key.pk)), "the key's history tells it"
    assert event.after["secret"] == RetiringSecret.objects.get().masked
    with pytest.raises(NoOverlap):
        rotations.end_overlap(key=key, by=THE_SYSTEM)


def test_as_long_as_nobody_has_the_new_one_the_old_one_works() -> None:
    key, old = a_key()
    first = rotations.rotate(key=key, by=THE_SYSTEM)
    RetiringSecret.objects.update(ends_at=timezone.now() - timedelta(days=30))
    assert works(old)
    with pytest.raises(SecretWaits):
        rotations.rotate(key=key, by=THE_SYSTEM)
    assert key_tending.tend(by=THE_SYSTEM)["renewed"] == 1
    second = SecretClaim.objects.get(state="waiting")
    assert second.pk != first.pk
    assert RetiringSecret.objects.get().ends_at > timezone.now() + timedelta(days=6)
    assert Alert.objects.filter(kind="key_rotated", cleared_at=None).count() == 1
    _, new = rotations.claim(token=link_of(second), by=THE_SYSTEM)
    assert works(new)
    assert works(old)


def test_who_claims_late_has_a_day_to_put_it_into_use() -> None:
    key, old = a_key()
    claim = rotations.rotate(key=key, by=THE_SYSTEM, overlap=timedelta(hours=1))
    rotations.claim(token=link_of(claim), by=THE_SYSTEM)
    principal = compile.principal(old.split("_")[2]).value
    assert principal is not None
    assert principal.expires_at == pytest.approx((timezone.now() + timedelta(days=1)).timestamp(), abs=60)


def test_an_expiry_of_the_key_is_one_of_all_its_secrets() -> None:
    expires_at = timezone.now() + timedelta(days=2)
    key, old = a_key(expires_at=expires_at)
    new = claimed(key)
    for secret in (old, new):
        principal = compile.principal(secret.split("_")[2]).value
        assert principal is not None
        assert principal.expires_at == expires_at.timestamp()


def test_a_suspended_key_is_refused_with_either() -> None:
    key, old = a_key()
    new = claimed(key)
    keys.suspend(key=key, by=THE_SYSTEM)
    assert not works(old)
    assert not works(new)
    keys.resume(key=key, by=THE_SYSTEM)
    assert works(old)
    assert works(new)


def test_a_revoked_key_takes_everything_along() -> None:
    key, old = a_key()
    link = link_of(rotations.rotate(key=key, by=THE_SYSTEM))
    keys.revoke(key=key, by=THE_SYSTEM)
    assert not works(old)
    with pytest.raises(LinkOver):
        rotations.claim(token=link, by=THE_SYSTEM)
    with pytest.raises(KeyNotActive):
        rotations.rotate(key=key, by=THE_SYSTEM)
    assert not SecretClaim.objects.exclude(secret=None).exists()
    assert not RetiringSecret.objects.exclude(digest=None).exists()
    assert not Alert.objects.filter(kind="key_rotated", cleared_at=None).exists()


def test_a_link_works_once() -> None:
    key, _ = a_key()
    claim = rotations.rotate(key=key, by=THE_SYSTEM)
    link = link_of(claim)
    _, new = rotations.claim(token=link, by=THE_SYSTEM)
    assert works(new)
    assert claims.url_of(claim.pk) == ""
    with pytest.raises(LinkOver):
        rotations.claim(token=link, by=THE_SYSTEM)


def test_a_newer_link_ends_the_one_before_and_its_secret() -> None:
    key, old = a_key()
    first = link_of(rotations.rotate(key=key, by=THE_SYSTEM))
    before = ApiKey.objects.get(pk=key.pk).public_id
    second = link_of(rotations.renew_link(key=key, by=THE_SYSTEM))
    with pytest.raises(LinkOver):
        rotations.claim(token=first, by=THE_SYSTEM)
    assert compile.principal(before).value is None
    assert works(rotations.claim(token=second, by=THE_SYSTEM)[1])
    assert works(old)
    with pytest.raises(NoOverlap):
        rotations.renew_link(key=key, by=THE_SYSTEM)


def test_a_secret_of_two_rotations_ago_ends_on_its_day() -> None:
    key, oldest = a_key()
    older = claimed(key)
    RetiringSecret.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    rotations.rotate(key=key, by=THE_SYSTEM)
    assert not works(oldest)
    assert works(older)


def test_nothing_in_the_database_opens_anything() -> None:
    key, old = a_key()
    claim = rotations.rotate(key=key, by=THE_SYSTEM)
    link = link_of(claim)
    everything = repr(list(SecretClaim.objects.values())) + repr(list(AuditEvent.objects.values()))
    everything += repr(list(Alert.objects.values()))
    _, new = rotations.claim(token=link, by=THE_SYSTEM)
    everything += repr(list(AuditEvent.objects.values()))
    assert link not in everything
    assert old.split("_")[3] not in everything
    assert new.split("_")[3] not in everything


def test_a_rotation_is_told_in_the_audit_log() -> None:
    key, _ = a_key()
    claimed(key)
    actions = AuditEvent.objects.filter(target_kind="apikey", target_id=str(key.pk)).order_by("id")
    assert list(actions.values_list("action", flat=True)) == [
        "apikey.created",
        "apikey.rotated",
        "apikey.secret_claimed",
    ]
    rotated = AuditEvent.objects.get(action="apikey.rotated")
    assert "digest" not in rotated.after
    assert rotated.after["public_id"] != rotated.before["public_id"]


def test_the_control_plane_takes_either(client: Any) -> None:
    key, old = a_key(scopes=["consents"], tenant=a_tenant())
    new = claimed(key)
    for secret in (old, new):
        answer = client.get("/api/notices/", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code != 401, answer.content
    rotations.end_overlap(key=key, by=THE_SYSTEM)
    assert client.get("/api/notices/", headers={"Authorization": f"Bearer {old}"}).status_code == 401
    assert known_secrets.known_ids([old.split("_")[2], new.split("_")[2], "x" * 12]) == {new.split("_")[2]}
