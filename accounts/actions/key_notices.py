"""What people and programs are told about a key: that it will be rotated or expire, and that it was."""

from datetime import datetime

from django.db import transaction

from accounts import rotating
from accounts.models import ApiKey, RetiringSecret, SecretClaim
from compliance import audit
from compliance.announcing import Announcement, announce, is_over
from compliance.contracts import Actor

EXPIRING, ROTATED = "key_expiring", "key_rotated"


@transaction.atomic
def tell_of(*, key: ApiKey, at: datetime, by: Actor) -> int:
    """The notice of the key's rotation or expiry, whichever comes first, if one is due; returns whether it was new."""
    moments = [("rotation", key.rotation_due_at), ("expiry", key.expires_at)]
    ahead = [(moment, what) for what, moment in moments if moment is not None]
    if not ahead:
        return 0
    moment, what = min(ahead)
    days = rotating.notice_due(moment, at=at)
    return int(days is not None and announce(_notice(key, what, moment, days)))


@transaction.atomic
def tell_of_end(*, secret: RetiringSecret, used_at: datetime, by: Actor) -> bool:
    """Tells that an old secret that is still in use ends within a day; returns whether it was new."""
    key = secret.key
    return announce(
        Announcement(
            kind=EXPIRING,
            tenant_id=secret.tenant_id,
            subject=_overlap(secret),
            label=f"{_called(key)}: its old secret (…{secret.last_four}) ends within a day, and is still used",
            facts={
                "key": secret.masked,
                "application": str(key.application),
                "environment": key.environment,
                "what": "overlap",
                "within_days": 1,
                "at": secret.ends_at.isoformat(),
                "last_used_at": used_at.isoformat(),
                "key_id": key.pk,
            },
        )
    )


@transaction.atomic
def overlap_is_over(*, secret: RetiringSecret, by: Actor) -> None:
    """Closes that notice."""
    is_over(kind=EXPIRING, tenant_id=secret.tenant_id, subject=_overlap(secret))


@transaction.atomic
def rotation_is_over(*, key: ApiKey, by: Actor) -> None:
    """Closes the notices of the rotation that was planned: it has come, or will not."""
    _close_notices(key, "rotation", key.rotation_due_at)


@transaction.atomic
def expiry_is_over(*, key: ApiKey, by: Actor) -> None:
    """The same of the expiry."""
    _close_notices(key, "expiry", key.expires_at)


@transaction.atomic
def rotated(*, claim: SecretClaim, by: Actor) -> None:
    """Tells that there is a new secret, and where it can be had once. Neither it nor the link is in what is written
    here: mails and webhooks get the link when they are sent."""
    key, old = claim.key, claim.replaces
    announce(
        Announcement(
            kind=ROTATED,
            tenant_id=key.tenant_id,
            subject=_claim(claim),
            label=f"{_called(key)}: its new secret waits to be claimed, once",
            facts={
                "key": old.masked,
                "new_key": key.masked,
                "application": str(key.application),
                "environment": key.environment,
                "old_key_works_until": (old.ended_at or old.ends_at).isoformat(),
                "claim_id": claim.pk,
                "key_id": key.pk,
            },
        )
    )


@transaction.atomic
def claimed(*, claim: SecretClaim, by: Actor) -> None:
    """Records that a new secret was handed out, by whom it was got, and that nobody needs to be told of it any more."""
    audit.record(
        by=by,
        action="apikey.secret_claimed",
        target=audit.target_of(claim.key),
        tenant_id=claim.tenant_id,
        after={"public_id": claim.public_id, "claim": claim.pk},
    )
    claim_is_over(claim=claim, by=by)


@transaction.atomic
def claim_is_over(*, claim: SecretClaim, by: Actor) -> None:
    """Closes what was told of a link."""
    is_over(kind=ROTATED, tenant_id=claim.tenant_id, subject=_claim(claim))


def _close_notices(key: ApiKey, what: str, moment: datetime | None) -> None:
    for days in rotating.NOTICES if moment is not None else ():
        is_over(kind=EXPIRING, tenant_id=key.tenant_id, subject=_subject(key, what, moment, days))


def _notice(key: ApiKey, what: str, moment: datetime, days: int) -> Announcement:
    happens = "is rotated" if what == "rotation" else "expires"
    when = f"within {days} days" if days > 1 else "within a day"
    return Announcement(
        kind=EXPIRING,
        tenant_id=key.tenant_id,
        subject=_subject(key, what, moment, days),
        label=f"{_called(key)} {happens} {when}",
        facts={
            "key": key.masked,
            "application": str(key.application),
            "environment": key.environment,
            "what": what,
            "within_days": days,
            "at": moment.isoformat(),
            "key_id": key.pk,
        },
    )


def _called(key: ApiKey) -> str:
    return f"{key.name} (…{key.last_four}) of {key.application}"


def _subject(key: ApiKey, what: str, moment: datetime | None, days: int) -> str:
    return f"apikey {key.pk} {what} {moment:%Y-%m-%dT%H:%M} {days}"


def _overlap(secret: RetiringSecret) -> str:
    return f"apikey {secret.key_id} overlap {secret.pk}"


def _claim(claim: SecretClaim) -> str:
    return f"apikey {claim.key_id} claim {claim.pk}"
