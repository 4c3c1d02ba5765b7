"""Ends all consents at once, where nobody can say any more which of them still hold: as after a restore."""

from collections.abc import Callable, Iterator

from django.core.exceptions import ValidationError
from django.db.models import Max, QuerySet

from compliance.actions import consents, jobs
from compliance.consent_states import ALLOWING
from compliance.contracts import Actor
from compliance.errors import IllegalTransition
from compliance.models import ConsentRecord

Told = Callable[[int, int], None]
"""Is told how many consents are done, of how many."""
SLICE = 500
KIND = "invalidate_consents"


def invalidate(
    *, tenant_id: int | None, reason: str, by: Actor, keep_content: bool = False, told: Told | None = None
) -> int:
    """Ends every consent that allows something, of a tenant or of all (None), until people are asked anew; how many.

    What was stored with them is erased, as after a withdrawal; with `keep_content` it stays until it is due. Those that
    are given while this runs hold. It may be cut off at any time: the next run goes on.

    Raises:
        ValidationError: no reason.
        AlreadyRunning: one is under way.
    """
    if not reason.strip():
        raise ValidationError("Say why the consents end; the reason stays in the audit log.")
    state = ConsentRecord.State.TERMINATED if keep_content else ConsentRecord.State.INVALIDATED
    with jobs.running(kind=KIND, key=str(tenant_id or "all"), tenant_id=tenant_id, by=by) as progress:
        found = _allowing(tenant_id)
        last = progress.result.setdefault("last", found.aggregate(Max("pk"))["pk__max"] or 0)
        ended = progress.result.setdefault("ended", 0)
        total = ended + found.filter(pk__lte=last).count()
        progress.at(ended, total, "ending consents")
        for record in _each(found, last):
            ended += _end(record, state, reason=reason, by=by)
            progress.result["ended"] = ended
            progress.at(ended, total)
            (told or _untold)(ended, total)
    return int(ended)


def _allowing(tenant_id: int | None) -> QuerySet[ConsentRecord]:
    found = ConsentRecord.objects.filter(live=True, state__in=ALLOWING)
    return found if tenant_id is None else found.filter(tenant_id=tenant_id)


def _each(found: QuerySet[ConsentRecord], last: int) -> Iterator[ConsentRecord]:
    """Those up to `last`, read in slices, so that no reading lasts as long as the run."""
    after = 0
    while rows := list(found.filter(pk__gt=after, pk__lte=last).select_related("subject").order_by("pk")[:SLICE]):
        yield from rows
        after = rows[-1].pk


def _end(record: ConsentRecord, state: str, *, reason: str, by: Actor) -> bool:
    try:
        consents.end(record=record, state=state, by=by, reason=reason)
    except IllegalTransition:  # the person has decided meanwhile, which holds
        return False
    return True


def _untold(done: int, total: int) -> None:
    """Nobody watches."""
