"""Watches what pins the ledger: names it in the log, and ends it where that is configured."""

import structlog
from django.conf import settings
from django.db import connections, transaction

from billing import pins
from billing.ledger_health import NAMED_AFTER_S
from billing.pins import LEDGER, Pin
from compliance import audit
from compliance.contracts import Actor, Target

GRAVE_AFTER_S = 60.0
OURS = "portcullis"
"""What the names of this project's connections begin with."""

TERMINATE = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s AND xact_start = %s
"""
_LEVELS = ("warning", "error")

log = structlog.get_logger("billing.watchdog")

_named: dict[tuple[object, ...], int] = {}
"""What was named, and how gravely, by this process."""


def watch(*, by: Actor) -> int:
    """Names what pins the ledger, each once and once more when it is grave; returns how many there are."""
    found = pins.present(older_than_s=NAMED_AFTER_S)
    _forget_all_but(found)
    for pin in found:
        _name(pin)
        if _may_be_ended(pin):
            end(pin=pin, by=by)
    return len(found)


@transaction.atomic
def end(*, pin: Pin, by: Actor) -> bool:
    """Ends the session that pins the ledger, if it is still in the same transaction; returns whether it was told to."""
    with connections[LEDGER].cursor() as cursor:
        cursor.execute(TERMINATE, [int(pin.name), pin.began, pin.since])
        row = cursor.fetchone()
    ended = bool(row and row[0])
    audit.record(
        by=by,
        action="ledger.session_ended",
        target=Target(kind="session", id=pin.name),
        tenant_id=None,
        after=_described(pin),
        reason=f"It pinned {pin.pins}.",
        outcome="success" if ended else "failure",
    )
    return ended


def _may_be_ended(pin: Pin) -> bool:
    """Never one of this project's own, of a role or program that is spared, or whose age nobody knows."""
    after_s, spared = settings.WATCHDOG_END_AFTER_S, settings.WATCHDOG_SPARES
    return (
        after_s > 0
        and pin.kind == "session"
        and (pin.age_s or 0.0) >= after_s
        and not pin.application.startswith(OURS)
        and pin.application not in spared
        and pin.role not in spared
    )


def _name(pin: Pin) -> None:
    level = int((pin.age_s or 0.0) >= GRAVE_AFTER_S)
    if _named.get(_identity(pin), -1) >= level:
        return
    _named[_identity(pin)] = level
    getattr(log, _LEVELS[level])("the ledger is pinned", **_described(pin))


def _forget_all_but(found: list[Pin]) -> None:
    present = {_identity(pin) for pin in found}
    for gone in _named.keys() - present:
        del _named[gone]


def _identity(pin: Pin) -> tuple[object, ...]:
    return pin.kind, pin.name, pin.began, pin.since


def _described(pin: Pin) -> dict[str, object]:
    return {
        "kind": pin.kind,
        "name": pin.name,
        "database": pin.database,
        "application_name": pin.application,
        "role": pin.role,
        "state": pin.state,
        "seconds": round(pin.age_s) if pin.age_s is not None else None,
        "transactions": pin.transactions,
        "statement": pin.statement,
    }
