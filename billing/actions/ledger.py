"""What is done to the ledger from outside the request path."""

from django.db import connections, transaction

from billing.models import Budget
from compliance import audit
from compliance.contracts import Actor

LEDGER = "ledger"
SLICE = 1000


def sweep() -> int:
    """Charges requests whose process never came back, at what was held for them; returns how many."""
    total = swept = _sweep_slice()
    while swept == SLICE:
        swept = _sweep_slice()
        total += swept
    return total


def tidy() -> int:
    """Deletes meters that say nothing any more, as of end users who were not seen for long; returns how many."""
    total = gone = _forget_slice()
    while gone == SLICE:
        gone = _forget_slice()
        total += gone
    return total


@transaction.atomic
def open_balance(*, budget: Budget, used_nano: int, by: Actor) -> bool:
    """Begins a budget with what its current period has used before it was counted here.

    Returns whether it did: a budget that counts already stays as it is.
    """
    with connections[LEDGER].cursor() as cursor:
        cursor.execute(
            "SELECT opening_balance(%s, %s, %s, %s, %s)",
            [budget.tenant_id, budget.meter_name, used_nano, budget.period, budget.tenant.time_zone],
        )
        opened = bool(cursor.fetchone()[0])
    if opened:
        audit.record(
            by=by,
            action="budget.opened",
            target=audit.target_of(budget),
            tenant_id=budget.tenant_id,
            after={"used_nano": used_nano},
        )
    return opened


def _sweep_slice() -> int:
    with connections[LEDGER].cursor() as cursor:
        cursor.execute("SELECT sweep(%s)", [SLICE])
        return int(cursor.fetchone()[0])


def _forget_slice() -> int:
    with connections[LEDGER].cursor() as cursor:
        cursor.execute("SELECT forget_meters(%s)", [SLICE])
        return int(cursor.fetchone()[0])
