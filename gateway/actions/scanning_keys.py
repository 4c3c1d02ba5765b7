"""What can be done with the public keys that leak reports are checked with."""

from compliance import rows
from compliance.contracts import Actor
from gateway.models import ScanningKey


def add(*, scanning_key: ScanningKey, by: Actor) -> ScanningKey:
    """Has reports believed that are signed with that key."""
    scanning_key.public_key = scanning_key.public_key.strip() + "\n"
    return rows.create(scanning_key, by=by)


def change(*, scanning_key: ScanningKey, by: Actor) -> ScanningKey:
    """Changes whether reports that are signed with it are believed."""
    return rows.change(scanning_key, by=by, fields=("active",))


def remove(*, scanning_key: ScanningKey, by: Actor, reason: str = "") -> None:
    """Forgets a key that GitHub does not use any more."""
    rows.delete(scanning_key, by=by, reason=reason)
