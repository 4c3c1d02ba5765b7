"""The page that tells how the ledger is: what waits in it, who is behind, and what pins it."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from billing import ledger_health
from billing.ledger_health import COUNTED_MOST, Health
from billing.pins import Pin
from billing.rights import may_read_usage

LATE_MOVER_S = 30
LATE_SWEEP_S = 30


@dataclass(frozen=True, slots=True)
class Card:
    """A figure, and whether somebody should look at it."""

    title: str
    value: str
    note: str
    tone: str = ""


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """The page. Anybody who may see usage may see it."""
    if not may_read_usage(request.user):
        raise PermissionDenied
    health = read()
    context = {**admin.site.each_context(request), "title": "Ledger health", "is_down": health is None}
    if health is not None:
        context |= {"cards": _cards(health), "pins": [_row(pin) for pin in health.pins]}
    return TemplateResponse(request, "billing/health.html", context)


def read() -> Health | None:
    """How the ledger is, or None when it does not answer."""
    try:
        return ledger_health.now()
    except DatabaseError:
        return None


def strip(health: Health | None) -> str:
    """What the front page warns of, in a sentence; empty where all is well."""
    if health is None:
        return "The ledger database does not answer: requests are refused."
    if health.pins:
        pin = health.pins[0]
        return f"The ledger is pinned by {_what(pin)}, {_age(pin)}. Admissions slow down until it ends."
    if health.mover_lag_s > LATE_MOVER_S:
        return f"Usage has not reached the reports for {duration(health.mover_lag_s)}: is a worker running?"
    if health.sweep_lag_s > LATE_SWEEP_S:
        return f"Lost requests have not been charged for {duration(health.sweep_lag_s)}: is a worker running?"
    return ""


def _cards(health: Health) -> list[Card]:
    mover, sweep = health.mover_lag_s, health.sweep_lag_s
    return [
        Card(
            "Usage records to move",
            _count(health.outbox),
            f"the oldest was admitted {duration(mover)} ago" if health.outbox else "all are in the main database",
            tone="warn" if mover > LATE_MOVER_S else "",
        ),
        Card(
            "Requests under way",
            _count(health.holds),
            f"the oldest since {duration(health.oldest_hold_s)}" if health.holds else "nothing is held",
        ),
        Card(
            "Sweep",
            f"{duration(sweep)} behind" if sweep else "up to date",
            "charges requests whose process was lost",
            tone="warn" if sweep > LATE_SWEEP_S else "",
        ),
        Card(
            "Records set aside",
            _count(health.rejected),
            "see usage_rejected in the ledger" if health.rejected else "none was refused",
            tone="warn" if health.rejected else "",
        ),
    ]


def _row(pin: Pin) -> dict[str, Any]:
    return {"pin": pin, "what": _what(pin), "age": _age(pin)}


def _what(pin: Pin) -> str:
    if pin.kind == "session":
        return f"{pin.application or 'a session without a name'} (process {pin.name})"
    return f"{pin.kind} {pin.name}"


def _age(pin: Pin) -> str:
    if pin.age_s is None:
        return f"{pin.transactions:,} transactions behind"
    return f"open for {duration(pin.age_s)}"


def _count(count: int) -> str:
    return f"{count:,}" if count < COUNTED_MOST else f"{COUNTED_MOST:,} or more"


def duration(seconds: float) -> str:
    """Such as `8 s`, `3 min`, `2 h 5 min`."""
    minutes, rest = divmod(int(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
