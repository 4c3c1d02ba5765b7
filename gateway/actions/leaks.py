"""What happens to a key that was seen where it does not belong: its secret is dead at once, and people are told.

Only keys that exist count: the whole text must match what is stored of it. So nobody can end somebody else's key with
its public part. Whoever has the whole text and shows it has proved that it leaked.
"""

from collections.abc import Sequence
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from accounts import known_secrets, tokens
from accounts.actions import keys, rotations
from accounts.errors import SecretWaits
from accounts.known_secrets import KnownSecret
from accounts.models import ApiKey, RetiringSecret
from compliance import announcing, audit
from compliance.actions import tallies
from compliance.actions.tallies import Occurrence
from compliance.announcing import Announcement
from compliance.contracts import ANONYMOUS, Actor, Target
from compliance.errors import ActionRefused
from gateway.leaks.finding import Sighting
from gateway.models import Leak

KIND = "key_leaked"
REASON = "The secret was seen where it does not belong."
AT_ONCE = timedelta(0)

MOST = 1000
"""Leaks that are read at a time."""

Outcome = Leak.Outcome

log = structlog.get_logger("gateway.leaks")


def note(*, sightings: Sequence[Sighting], by: Actor) -> int:
    """Keeps what was seen of keys that exist, for `handle_all` to act on; returns how many. No text is kept."""
    possible = known_secrets.known_ids({sighting.text.split("_")[2] for sighting in sightings})
    likely = [sighting for sighting in sightings if sighting.text.split("_")[2] in possible]
    return sum(_kept(sighting) is not None for sighting in likely)


def report(*, sighting: Sighting, by: Actor) -> Leak | None:
    """Acts on a key that was seen: it does not work any more when this returns. None: it is none of this installation.

    To be told again changes nothing. One that could not be ended is returned without an outcome, and tried again by
    `handle_all`: other keys of the same report do not wait for it.
    """
    leak = _kept(sighting)
    if leak is None:
        return _known_before(sighting)
    return _handled_or_left(leak, by=by)


def report_text(*, text: str, source: str, by: Actor, place: str = "") -> Leak:
    """Acts on a key that somebody has pasted.

    Raises:
        ActionRefused: it is no key of this installation.
    """
    leak = report(sighting=Sighting(text=text.strip(), source=source, place=place[:50]), by=by)
    if leak is None:
        raise ActionRefused(
            "This is no key of this installation, or one that has ended long ago. Paste it whole, from pcl_ to its end."
        )
    return leak


def handle_all(*, by: Actor) -> int:
    """Acts on what gateways have seen, and on what could not be ended before; returns how many are done with.

    One that cannot be ended keeps no other one alive.
    """
    done, last = 0, 0
    while waiting := list(Leak.objects.filter(handled_at=None, pk__gt=last).order_by("pk")[:MOST]):
        done += sum(_handled_or_left(leak, by=by).handled_at is not None for leak in waiting)
        last = waiting[-1].pk
    return done


def handle(*, leak: Leak, by: Actor) -> Leak:
    """Ends the secret by the policy LEAKED_KEYS, and tells the tenant and the platform. Once, whoever comes first.

    Where that fails, as LEAKED_KEYS=rotate does while the provider of the root keys is away, the key is suspended, and
    the leak goes on waiting: the next turn tries again, also after somebody has resumed the key.
    """
    try:
        return _settle(leak, by=by)
    except (OperationalError, InterfaceError):  # nothing can be done without the database
        raise
    except Exception as error:
        log.exception("a leaked secret could not be ended", leak=leak.pk, error=type(error).__name__)
        return _suspend(leak, by=by)


def refuse_report(*, reason: str, by: Actor) -> None:
    """Counts a report that is not believed. It changes nothing else."""
    tallies.count(
        occurrences=[
            Occurrence(
                action="leak_report.refused",
                by=ANONYMOUS,
                target=Target("network", by.ip or "unknown"),
                outcome="refused",
                reason=reason,
                place="/api",
            )
        ]
    )


# --- what is seen ----------------------------------------------------------------------------------------------------


@transaction.atomic
def _kept(sighting: Sighting) -> Leak | None:
    """The row of the secret that was seen, with one sighting more; waiting to be handled if the secret still works."""
    token = tokens.parse(sighting.text)
    secret = known_secrets.find(token.public_id) if token else None
    if token is None or secret is None or not _matches(token.text, secret):
        return None
    values = {
        "place": sighting.place.replace("\0", "")[:50],
        "url": sighting.url.replace("\0", "")[:500],
        "request_id": sighting.request_id[:64],
        "last_seen_at": timezone.now(),
    }
    leak, is_new = Leak.objects.select_for_update().get_or_create(
        public_id=secret.public_id,
        source=sighting.source,
        defaults={**values, "key": secret.key, "tenant_id": secret.key.tenant_id},
    )
    if not is_new:
        leak.sightings += 1
        leak.last_seen_at = timezone.now()
        if leak.handled_at is not None and secret.key.status != ApiKey.Status.REVOKED:
            leak.outcome, leak.handled_at = "", None
        leak.save()
    return leak


def _matches(text: str, secret: KnownSecret) -> bool:
    peppers = settings.KEY_PEPPERS
    return tokens.matches(text, stored=secret.digest, version=secret.pepper_version, peppers=peppers)


def _known_before(sighting: Sighting) -> Leak | None:
    """The row of a secret that has ended since, of which nothing is kept to compare the text with."""
    token = tokens.parse(sighting.text)
    if token is None or known_secrets.find(token.public_id) is not None:
        return None
    return Leak.objects.filter(public_id=token.public_id, source=sighting.source).first()


# --- what is done ----------------------------------------------------------------------------------------------------


def _handled_or_left(leak: Leak, *, by: Actor) -> Leak:
    """The same as `handle`, but for a leak of which not even that is possible: people are told, and it waits."""
    try:
        return handle(leak=leak, by=by)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("a leaked key could not be suspended", leak=leak.pk, error=type(error).__name__)
        return _left(leak)


def _left(leak: Leak) -> Leak:
    leak = Leak.objects.select_related("key__tenant").get(pk=leak.pk)
    try:
        with transaction.atomic():
            _tell(leak, said="It could not be ended, and still works: suspend or revoke it by hand")
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("a leak could not be told", leak=leak.pk, error=type(error).__name__)
    return leak


@transaction.atomic
def _settle(leak: Leak, *, by: Actor) -> Leak:
    leak = _locked(leak)
    if leak.handled_at is not None:
        return leak
    waited = leak.outcome == Outcome.SUSPENDED
    outcome = _end(leak, by=by)
    leak.outcome, leak.handled_at = outcome, timezone.now()
    leak.save(update_fields=("outcome", "handled_at"))
    _record(leak, by=by)
    if outcome != Outcome.DEAD:
        _over(leak)
        _tell(leak, said=f"{outcome.label}. Its key is still suspended: resume it" if waited else "")
    return leak


@transaction.atomic
def _suspend(leak: Leak, *, by: Actor) -> Leak:
    """Suspends the key with all of its secrets, as the one that leaked could not be ended by itself."""
    leak = _locked(leak)
    if leak.handled_at is not None:
        return leak
    if ApiKey.objects.get(pk=leak.key_id).status == ApiKey.Status.ACTIVE:
        keys.suspend(key=leak.key, by=by, reason=REASON)
    if leak.outcome != Outcome.SUSPENDED:
        leak.outcome = Outcome.SUSPENDED
        leak.save(update_fields=("outcome",))
        _record(leak, by=by)
    _tell(leak, said="Key suspended: its secret could not be ended yet, which is tried again")
    return leak


def _locked(leak: Leak) -> Leak:
    return Leak.objects.select_for_update(of=("self",)).select_related("key__tenant").get(pk=leak.pk)


def _record(leak: Leak, *, by: Actor) -> None:
    audit.record(
        by=by,
        action="apikey.leaked",
        target=Target("apikey", str(leak.key_id)),
        tenant_id=leak.tenant_id,
        after={
            "public_id": leak.public_id,
            "source": leak.source,
            "place": leak.place,
            "url": leak.url,
            "outcome": str(leak.outcome),
        },
        reason=REASON,
    )


def _end(leak: Leak, *, by: Actor) -> Outcome:
    key = ApiKey.objects.select_for_update().get(pk=leak.key_id)
    if key.status == ApiKey.Status.REVOKED:
        return Outcome.DEAD
    if key.public_id != leak.public_id:
        old = RetiringSecret.objects.filter(public_id=leak.public_id, ended_at=None)
        return Outcome.ENDED if rotations.end_secrets(secrets=old, by=by, reason=REASON) else Outcome.DEAD
    if settings.LEAKED_KEYS == "revoke":
        keys.revoke(key=key, by=by, reason=REASON)
        return Outcome.REVOKED
    _rotate(key, by=by)
    rotations.end_secrets(
        secrets=RetiringSecret.objects.filter(public_id=leak.public_id, ended_at=None), by=by, reason=REASON
    )
    return Outcome.ROTATED


def _rotate(key: ApiKey, *, by: Actor) -> None:
    try:
        rotations.rotate(key=key, by=by, reason=REASON, overlap=AT_ONCE)
    except SecretWaits:
        rotations.renew_link(key=key, by=by, reason=REASON)


def _tell(leak: Leak, *, said: str = "") -> None:
    """Tells what became of it; once, until it is something else."""
    outcome = said or leak.get_outcome_display()
    facts = {
        "key": leak.key.masked,
        "source": leak.get_source_display(),
        "outcome": outcome,
        "url": leak.url,
    }
    label = f"The key {leak.key.masked} of {leak.key.tenant} was seen: {leak.get_source_display()}."
    for tenant_id in (leak.tenant_id, None):
        announcing.announce(
            Announcement(
                kind=KIND, tenant_id=tenant_id, subject=_subject(leak), label=f"{label} {outcome}.", facts=facts
            )
        )


def _over(leak: Leak) -> None:
    """What was told of an attempt that has failed, so that its end is told, too."""
    for tenant_id in (leak.tenant_id, None):
        announcing.is_over(kind=KIND, tenant_id=tenant_id, subject=_subject(leak))


def _subject(leak: Leak) -> str:
    return f"apikey {leak.key_id} {leak.public_id}"
