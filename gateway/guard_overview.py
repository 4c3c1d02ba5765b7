"""How often guards found something, by guard and by tenant: for the front page."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db.models import Sum

from gateway.guards.base import Action
from gateway.models import GuardCount, ReviewItem


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests in which guards did something, of one guard or one tenant: all together, and by what was done."""

    key: str
    by_action: dict[Action, int]

    @property
    def requests(self) -> int:
        return sum(self.by_action.values())


@dataclass(frozen=True, slots=True)
class Overview:
    """Some days, added up. `errors`: how often a guard could not look."""

    guards: list[Counted]
    tenants: list[Counted]
    errors: int
    open_reviews: int


def since(first: date, *, most: int) -> Overview:
    """What was counted from `first` on (UTC); the `most` guards and tenants with the most requests."""
    counts = GuardCount.objects.filter(day__gte=first)
    return Overview(
        guards=_top(counts.values_list("guard", "action").annotate(Sum("requests")).order_by(), most),
        tenants=_top(counts.values_list("tenant_id", "action").annotate(Sum("requests")).order_by(), most),
        errors=counts.aggregate(found=Sum("errors"))["found"] or 0,
        open_reviews=open_reviews(),
    )


def open_reviews(*, tenant_id: int | None = None) -> int:
    """How many exchanges wait for a reviewer."""
    waiting = ReviewItem.objects.filter(state=ReviewItem.State.OPEN)
    return (waiting if tenant_id is None else waiting.filter(tenant_id=tenant_id)).count()


def _top(rows: Iterable[Any], most: int) -> list[Counted]:
    found: defaultdict[str, dict[Action, int]] = defaultdict(dict)
    for key, action, requests in rows:
        found[str(key)][Action(action)] = requests
    counted = [Counted(key, by_action) for key, by_action in found.items()]
    return sorted(counted, key=lambda each: (-each.requests, each.key))[:most]
