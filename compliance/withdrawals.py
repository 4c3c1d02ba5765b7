"""What follows when somebody takes their consent back: what was stored with it goes, as the tenant's policy says."""

from functools import partial

from django.db import transaction

from compliance.consent_states import ALLOWING, EXPIRED, INVALIDATED, REFUSED, WITHDRAWN
from compliance.enqueuing import enqueue
from compliance.models import ConsentRecord

TAKEN_BACK = frozenset({WITHDRAWN, REFUSED, INVALIDATED})
"""After these nothing holds that was allowed before. After `expired` and `terminated` content stays until it is due."""


def takes_back(before: ConsentRecord | None, after: ConsentRecord) -> bool:
    """Whether `after` takes back what an earlier record allowed."""
    return before is not None and before.state in {*ALLOWING, EXPIRED} and after.state in TAKEN_BACK


def follow(before: ConsentRecord | None, after: ConsentRecord) -> None:
    """Enqueues, once the withdrawal is committed, that what was stored with the consent is erased.

    A broker that is down does not undo a withdrawal; the hourly task finds what was not enqueued.
    """
    if takes_back(before, after):
        transaction.on_commit(partial(_enqueue, after.pk), robust=True)


def _enqueue(record_id: int) -> None:
    enqueue("compliance.tasks.erase_withdrawn", args=(record_id,))
