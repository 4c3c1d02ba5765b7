"""Moves secrets from one version of the pepper to another. Only whoever shows a secret can have it hashed anew, so each
moves when it is used; what is never used is replaced, or revoked."""

from collections.abc import Sequence

from django.db import transaction

from accounts import peppers
from accounts.models import ApiKey, RetiringSecret
from accounts.peppers import Rehash
from compliance import audit
from compliance.actions import tallies
from compliance.actions.tallies import Occurrence
from compliance.contracts import Actor, Target
from compliance.errors import KeyVersionInUse


@transaction.atomic
def rehash(*, secrets: Sequence[Rehash], by: Actor) -> int:
    """Stores digests under the version that is current, unless a secret was replaced since; returns how many.

    On record in aggregate: which secret was used when is none of the audit log's business.
    """
    moved = sum(_rehashed(secret) for secret in sorted(secrets, key=lambda each: each.public_id))
    if moved:
        version = str(max(secret.version for secret in secrets))
        occurrence = Occurrence(
            action="pepper.rehashed", by=by, target=Target("pepper", version), outcome="success", count=moved
        )
        tallies.count(occurrences=[occurrence])
    return moved


def _rehashed(secret: Rehash) -> int:
    new = {"digest": secret.digest, "pepper_version": secret.version}
    for table in (ApiKey, RetiringSecret):
        same = table.objects.filter(public_id=secret.public_id, digest=secret.stored)
        if same.exclude(pepper_version=secret.version).update(**new):
            return 1
    return 0


@transaction.atomic
def retire(*, version: int, by: Actor) -> None:
    """Says on the record that nothing needs a version any more, so that it may be taken out of KEY_PEPPERS.

    Raises:
        KeyVersionInUse: something does, or it is the current one.
    """
    if version == peppers.current():
        raise KeyVersionInUse(f"Pepper {version} is the current one. Add a newer one to KEY_PEPPERS first.")
    needed = next((each for each in peppers.usage() if each.version == version), None)
    if needed is not None and needed.is_needed:
        raise KeyVersionInUse(
            f"Pepper {version} is still needed by {needed.keys:,} keys and {needed.retiring:,} retiring secrets. Each "
            "moves when it is used; rotate or revoke the keys that are not."
        )
    audit.record(
        by=by,
        action="pepper.retired",
        target=Target("pepper", str(version)),
        tenant_id=None,
        after={"version": version},
    )
