"""Signing in and out of the admin, on record. What fails is counted by minute (`compliance/actions/tallies.py`): for a
person who is known by person, else by network, so that whoever guesses cannot fill the log.

A name that nobody has is often a password in the wrong field. So it is not kept: a keyed hash of it is, under another
key each day, which tells one name tried often from many names tried once.
"""

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import User
from compliance import audit, networks
from compliance.actions import tallies
from compliance.actions.tallies import Occurrence
from compliance.contracts import Actor, Target

PLACE = "/admin"
FAILED = "user.sign_in_failed"
WRONG, MAY_NOT, TOO_MANY = "wrong name or password", "may not sign in to the admin", "too many attempts"
NAME_DIGITS = 16


@transaction.atomic
def signed_in(*, user: User, by: Actor) -> None:
    """Somebody has proved who they are."""
    audit.record(by=by, action="user.signed_in", target=audit.target_of(user), tenant_id=None)


@transaction.atomic
def signed_out(*, user: User, by: Actor) -> None:
    """Somebody has ended their session."""
    audit.record(by=by, action="user.signed_out", target=audit.target_of(user), tenant_id=None)


def failed(*, username: str, by: Actor, reason: str = WRONG) -> None:
    """Somebody could not sign in. Known or not, it takes the same work, and so the same time."""
    user = User.objects.filter(username=username.replace("\0", "")[:150]).only("pk").first()
    seen = networks.network_of(by.ip or "") if user else _hash_of(username)
    target = audit.target_of(user) if user else networks.target_of(by.ip)
    _count(target, reason, seen, by=by)


def refused(*, by: Actor) -> None:
    """An address has tried too often, and was not listened to."""
    _count(networks.target_of(by.ip), TOO_MANY, "", by=by)


def _count(target: Target, reason: str, seen: str, *, by: Actor) -> None:
    one = Occurrence(action=FAILED, by=by, target=target, outcome="failure", reason=reason, place=PLACE, seen=seen)
    tallies.count(occurrences=[one])


def _hash_of(username: str) -> str:
    day = timezone.now().date().isoformat()
    digest = salted_hmac(f"accounts.sign_ins.{day}", username, algorithm="sha256").hexdigest()
    return f"name {digest[:NAME_DIGITS]}"
