"""Replaces secrets of keys: a key keeps its identity, its budgets and its usage, and gets a new secret.

The old one works beside it for the overlap. Whoever runs the application gets the new one by a link that reveals it
once. As long as nobody has, the old one goes on working: a rotation must not stop an application that was not told.
"""

from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import claims, peppers, rotating, tokens
from accounts.actions import key_notices
from accounts.errors import KeyNotActive, LinkOver, NoOverlap, SecretWaits
from accounts.models import ApiKey, RetiringSecret, SecretClaim
from compliance import audit, rows, sealed
from compliance.contracts import Actor

SECRET = ("public_id", "pepper_version", "digest", "last_four", "secret_since", "rotation_due_at")


@transaction.atomic
def rotate(*, key: ApiKey, by: Actor, reason: str = "", overlap: timedelta | None = None) -> SecretClaim:
    """Gives a key a new secret; the old one works until the overlap is over. Returns the way to the new one.

    Raises:
        KeyNotActive: it was revoked.
        SecretWaits: the new secret of the last rotation was not claimed yet.
    """
    key = _locked(key)
    if claims.waiting_for(key) is not None:
        raise SecretWaits(f"Nobody has claimed the new secret of {key.masked} yet. Make a new link to it instead.")
    key_notices.rotation_is_over(key=key, by=by)
    old = RetiringSecret.objects.create(
        tenant=key.tenant,
        key=key,
        public_id=key.public_id,
        pepper_version=key.pepper_version,
        digest=key.digest,
        last_four=key.last_four,
        ends_at=timezone.now() + (rotating.overlap_of(key.tenant) if overlap is None else overlap),
    )
    return _give_secret(key, old, verb="rotated", by=by, reason=reason)


@transaction.atomic
def renew_link(*, key: ApiKey, by: Actor, reason: str = "") -> SecretClaim:
    """Makes a new link to a new secret that nobody has claimed, and ends the one before. The secret is a new one, too.

    The overlap begins anew, unless the old secret was ended: nobody has had the secret that it is for.

    Raises:
        KeyNotActive: it was revoked.
        NoOverlap: no secret waits to be claimed.
    """
    key = _locked(key)
    waiting = claims.waiting_for(key)
    if waiting is None:
        raise NoOverlap(f"No new secret of {key.masked} waits to be claimed. Rotate it for a new one.")
    _close(waiting, SecretClaim.State.REPLACED)
    key_notices.claim_is_over(claim=waiting, by=by)
    old = waiting.replaces
    if old.ended_at is None:
        before = audit.fields_of(old)
        old.ends_at = max(old.ends_at, timezone.now() + rotating.overlap_of(key.tenant))
        old.save(update_fields=["ends_at"])
        _record(old, "apikey.old_secret_prolonged", before=before, by=by, reason=reason)
    return _give_secret(key, old, verb="link_renewed", by=by, reason=reason)


@transaction.atomic
def claim(*, token: str, by: Actor) -> tuple[ApiKey, str]:
    """Reveals a new secret, once: of two at the same time one gets it. From then on it is kept nowhere.

    The old secret works for a day more at least, so that there is time to put the new one into use.

    Raises:
        LinkOver: the link was used, has ended, or never was; or its key, the application or the tenant is suspended.
        DecryptionFailed: the root key that the secret was sealed under is not at hand.
    """
    found = claims.found(token)
    if found is None:
        raise LinkOver("This link leads nowhere.")
    key = ApiKey.objects.select_related("application", "tenant").select_for_update(of=("self",)).get(pk=found.key_id)
    waiting = SecretClaim.objects.select_related("replaces").select_for_update(of=("self",)).get(pk=found.pk)
    waiting.key = key
    if claims.is_suspended(waiting):
        raise LinkOver("The key is suspended. The link works again once it is resumed.")
    if not claims.is_open(waiting) or waiting.secret is None:
        raise LinkOver("This link was used already, or has ended.")
    secret = sealed.unseal(waiting.secret, context=claims.secret_place(waiting.public_id)).decode()
    old = waiting.replaces
    _close(waiting, SecretClaim.State.CLAIMED)
    if old.ended_at is None:  # written in any case: gateways must learn that its end counts from now on
        RetiringSecret.objects.filter(pk=old.pk).update(
            ends_at=max(old.ends_at, timezone.now() + rotating.LEAST_AFTER_CLAIM)
        )
    key_notices.claimed(claim=waiting, by=by)
    return key, secret


@transaction.atomic
def end_overlap(*, key: ApiKey, by: Actor, reason: str = "") -> ApiKey:
    """Refuses old secrets of a key from now on, whether or not their overlap is over.

    Raises:
        NoOverlap: none works any more.
    """
    key = ApiKey.objects.select_for_update().get(pk=key.pk)
    if not end_secrets(secrets=RetiringSecret.objects.filter(key=key, ended_at=None), by=by, reason=reason):
        raise NoOverlap(f"Only the current secret of {key.masked} works.")
    return key


@transaction.atomic
def end_secrets(*, secrets: Iterable[RetiringSecret], by: Actor, reason: str = "") -> int:
    """Ends old secrets, and forgets their digests; returns how many had not ended before."""
    ended = 0
    for secret in secrets:
        secret = RetiringSecret.objects.select_for_update().get(pk=secret.pk)
        if secret.ended_at is None:
            before = audit.fields_of(secret)
            secret.ended_at, secret.digest = timezone.now(), None
            secret.save(update_fields=["ended_at", "digest"])
            _record(secret, "apikey.old_secret_ended", before=before, by=by, reason=reason)
            key_notices.overlap_is_over(secret=secret, by=by)
            ended += 1
    return ended


@transaction.atomic
def let_go(*, key: ApiKey, by: Actor, reason: str = "") -> None:
    """What goes with a key that is revoked: its old secrets, the link to a new one, and notices of what was coming."""
    end_secrets(secrets=RetiringSecret.objects.filter(key=key, ended_at=None), by=by, reason=reason)
    if (waiting := claims.waiting_for(key)) is not None:
        _close(waiting, SecretClaim.State.EXPIRED)
        key_notices.claim_is_over(claim=waiting, by=by)
    key_notices.rotation_is_over(key=key, by=by)
    key_notices.expiry_is_over(key=key, by=by)


def _locked(key: ApiKey) -> ApiKey:
    key = ApiKey.objects.select_related("tenant", "application").select_for_update(of=("self",)).get(pk=key.pk)
    if key.status == ApiKey.Status.REVOKED:
        raise KeyNotActive(f"{key.masked} was revoked, which is for good; issue a new key instead.")
    return key


def _give_secret(key: ApiKey, old: RetiringSecret, *, verb: str, by: Actor, reason: str) -> SecretClaim:
    """Puts a new secret in force, seals it for whoever comes with the link, and tells them of it."""
    now, days = timezone.now(), rotating.rotation_days(key.tenant)
    token, link, version = tokens.generate(key.environment), claims.new_token(), peppers.current()
    key.public_id, key.last_four = token.public_id, token.last_four
    key.pepper_version, key.digest = version, tokens.digest(token.text, pepper=settings.KEY_PEPPERS[version])
    key.secret_since = now
    key.rotation_due_at = rotating.next_rotation(since=now, days=days, planned=None, at=now)
    rows.change(key, by=by, verb=verb, reason=reason, fields=SECRET)
    claim = SecretClaim.objects.create(
        tenant=key.tenant,
        key=key,
        replaces=old,
        public_id=token.public_id,
        link_hash=claims.hash_of(link),
        link=sealed.seal(link.encode(), context=claims.link_place(token.public_id)),
        secret=sealed.seal(token.text.encode(), context=claims.secret_place(token.public_id)),
        # The way to the new secret stays open where the old one does not work any more, as it leaked.
        expires_at=max(old.ends_at, now + rotating.overlap_of(key.tenant)),
    )
    key_notices.rotated(claim=claim, by=by)
    return claim


def _record(secret: RetiringSecret, action: str, *, before: audit.Fields, by: Actor, reason: str) -> None:
    """An event of the key, so that its history tells until when each of its secrets worked."""
    was, became = audit.difference(before, audit.fields_of(secret))
    audit.record(
        by=by,
        action=action,
        target=audit.target_of(secret.key),
        tenant_id=secret.tenant_id,
        before=was,
        after={"secret": secret.masked, **became},
        reason=reason,
    )


def _close(claim: SecretClaim, state: SecretClaim.State) -> None:
    """Ends a link; what it would have revealed is gone with it."""
    claim.state, claim.closed_at, claim.link, claim.secret = state, timezone.now(), None, None
    claim.save(update_fields=["state", "closed_at", "link", "secret"])
