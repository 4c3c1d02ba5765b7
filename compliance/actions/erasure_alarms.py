"""Tells officers, once, of erasures that do not come to an end: something is left of who is to be forgotten."""

from datetime import timedelta

import structlog
from django.db.models import Q
from django.utils import timezone

from compliance import officers
from compliance.contracts import Actor
from compliance.models import Erasure

TELL_AFTER = timedelta(hours=1)
"""What is over by then, as an outage of a minute, is nobody's business."""

log = structlog.get_logger(__name__)


def tell(*, by: Actor) -> int:
    """Writes to the officers of the tenants whose erasures have been incomplete for long; returns of how many."""
    before = timezone.now() - TELL_AFTER
    begun = Q(fenced_at__lte=before) | Q(fenced_at=None, requested_at__lte=before)
    due = Erasure.objects.filter(begun, state=Erasure.State.INCOMPLETE, told_at=None)
    return sum(_tell(erasure) for erasure in due.select_related("tenant").defer("canary"))


def _tell(erasure: Erasure) -> bool:
    """Marks first, so that two who run at once tell once; a mail that is not taken is told the next time."""
    row = Erasure.objects.filter(pk=erasure.pk)
    if not row.filter(told_at=None).update(told_at=timezone.now()):
        return False
    try:
        officers.tell_of_erasure(erasure)
    except OSError as error:
        log.error("mail about an incomplete erasure not sent", erasure=str(erasure.pk), error=str(error))
        row.update(told_at=None)
        return False
    return True
