"""Corrections of what was charged: kept first, then made in the ledger, once.

A row is committed as pending, then the ledger is told, then the row marked as applied. The ledger remembers ids, so a
process that dies in between leaves a pending row at worst, and the next run takes it to its end.
"""

from uuid import UUID

import structlog
from django.db import DatabaseError, connections, transaction
from django.utils import timezone

from accounts.models import Tenant
from billing import adjusting
from billing.models import Adjustment
from compliance import audit, rows
from compliance.contracts import SYSTEM, Actor

LEDGER = "ledger"
MOST = 100
ADJUST = "SELECT unnest(adjust(%s, %s, %s, %s, %s::bigint[], %s::text[], %s::text[], %s))"

log = structlog.get_logger()


@transaction.atomic
def add(*, adjustment: Adjustment, by: Actor) -> Adjustment:
    """Adds an adjustment. Its budgets change when this is committed, or, where the ledger is away, soon after.

    Raises:
        ValidationError: the request is unknown, a credit is more than it has cost, or a field makes no sense.
    """
    # Of two credits for one request at a time, the second one has to see the first.
    Tenant.objects.select_for_update(no_key=True).get(pk=adjustment.tenant_id)
    adjusting.complete(adjustment)
    adjustment.actor_kind, adjustment.actor_id = by.kind, by.id
    rows.create(adjustment, by=by, reason=adjustment.reason)
    transaction.on_commit(lambda: _try(adjustment.pk))
    return adjustment


def apply_pending() -> int:
    """Applies adjustments that the ledger has not got yet, oldest first; returns how many."""
    pending = Adjustment.objects.filter(state=Adjustment.State.PENDING).order_by("created_at")
    return sum(_try(pk) for pk in list(pending.values_list("pk", flat=True)[:MOST]))


def _try(adjustment_id: UUID) -> bool:
    """Applies an adjustment; False where that has to wait. One that fails does not hold up the others."""
    try:
        _apply(Adjustment.objects.select_related("tenant").get(pk=adjustment_id))
    except DatabaseError as error:
        log.error("adjustment not applied yet", error=str(error).partition("\n")[0])
        return False
    return True


def _apply(adjustment: Adjustment) -> None:
    changed = _adjust(adjustment)
    _mark_applied(adjustment, changed)


def _adjust(adjustment: Adjustment) -> list[str]:
    """Changes the budgets in the ledger, if that is not done yet; returns the names of their meters."""
    matching = [] if adjustment.request_id else adjusting.matching(adjustment)
    values = (
        adjustment.pk,
        adjustment.tenant_id,
        adjustment.amount_nano,
        adjustment.at,
        adjustment.charged,
        [each.meter for each in matching],
        [each.budget.ledger_period for each in matching],
        adjustment.tenant.time_zone,
    )
    with connections[LEDGER].cursor() as cursor:
        cursor.execute(ADJUST, values)
        return [name for (name,) in cursor.fetchall()]


@transaction.atomic
def _mark_applied(adjustment: Adjustment, meters: list[str]) -> None:
    now = timezone.now()
    pending = Adjustment.objects.filter(pk=adjustment.pk, state=Adjustment.State.PENDING)
    if pending.update(state=Adjustment.State.APPLIED, applied_at=now, meters=meters):
        audit.record(
            by=SYSTEM,
            action="adjustment.applied",
            target=audit.target_of(adjustment),
            tenant_id=adjustment.tenant_id,
            after={"state": str(Adjustment.State.APPLIED), "meters": meters},
        )
