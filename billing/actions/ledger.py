"""What is done to the ledger from outside the request path."""

from django.db import connections

LEDGER = "ledger"
SLICE = 1000


def sweep() -> int:
    """Charges requests whose process never came back, at what was held for them; returns how many."""
    total = swept = _sweep_slice()
    while swept == SLICE:
        swept = _sweep_slice()
        total += swept
    return total


def _sweep_slice() -> int:
    with connections[LEDGER].cursor() as cursor:
        cursor.execute("SELECT sweep(%s)", [SLICE])
        return int(cursor.fetchone()[0])
