"""Reads that more than one door needs: what budgets have used, and when keys were."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError
from django.db.models import (
    Count,
    F,
    Func,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    prefetch_related_objects,
)
from django.db.models.functions import Coalesce, Now, StrIndex
from django.utils import timezone

from accounts.models import ApiKey
from billing import meters, money, words
from billing.charging import SEPARATE
from billing.ledger.models import Meter
from billing.models import AttributionTag, Budget, UsageRecord

NEAR = 80
"""Per cent of a budget from which on it is worth a look."""


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a budget is used and held in its current period; None when the ledger does not answer.

    Of a budget with one limit for each end user and so on it is that of the fullest.
    """

    limit_nano: int
    taken_nano: int | None
    override: str = ""
    """Until when another limit than the budget's own holds, and what its own is."""
    apart: str = ""
    """How many are counted apart."""
    dates: str = ""
    """Why fixed dates are not in force."""
    when_full: str = ""
    """What becomes of requests then."""

    @property
    def is_known(self) -> bool:
        return self.taken_nano is not None

    @property
    def percent(self) -> int:
        """Rounded down, so that 100 means that nothing is left."""
        if not self.limit_nano:
            return 100
        return (self.taken_nano or 0) * 100 // self.limit_nano

    @property
    def width(self) -> int:
        return min(self.percent, 100)

    @property
    def level(self) -> str:
        """`over` from 100 %, `near` from 80 %, else nothing."""
        if not self.is_known or self.dates or self.percent < NEAR:
            return ""
        return "near" if self.percent < 100 else "over"

    @property
    def words(self) -> str:
        return f"{money.show(self.taken_nano or 0)} of {money.show(self.limit_nano)}"

    @property
    def remarks(self) -> dict[str, str]:
        """What else one must know to read it, by kind, most urgent first."""
        full = f"Used up: {self.when_full}" if self.when_full and self.level == "over" else ""
        every = {"full": full, "off": self.dates, "override": self.override, "apart": self.apart}
        return {kind: remark for kind, remark in every.items() if remark}


def uses_of(budgets: Collection[Budget]) -> dict[int, Use]:
    """For each budget (by primary key; its tenant at hand) its use, against the limit that is in force now."""
    tenants = {budget.tenant_id for budget in budgets}
    taken = _taken({budget.meter_name for budget in budgets if not budget.each}, tenants)
    apart = _taken_apart({budget.meter_name for budget in budgets if budget.each}, tenants)
    prefetch_related_objects(list(budgets), "overrides")
    now = timezone.now()
    return {budget.pk: _use_of(budget, taken=taken, apart=apart, now=now) for budget in budgets}


def budgets_near_limit(*, most: int) -> list[tuple[Budget, Use]] | None:
    """The active budgets from 80 % on, fullest first; None when the ledger does not answer."""
    budgets = list(Budget.objects.filter(active=True).select_related("tenant"))
    uses = uses_of(budgets)
    if not all(use.is_known for use in uses.values()):
        return None
    near = [(budget, uses[budget.pk]) for budget in budgets if uses[budget.pk].level]
    return sorted(near, key=lambda pair: -pair[1].percent)[:most]


def budgets_by_tag(tags: Collection[AttributionTag]) -> dict[int, int]:
    """For each tag (by primary key) how many budgets of its tenant name it."""
    named = Budget.objects.filter(tenant=OuterRef("tenant"), tag=OuterRef("key")).order_by().values("tag")
    count = named.annotate(count=Count("pk")).values("count")
    rows = AttributionTag.objects.filter(pk__in=[tag.pk for tag in tags]).order_by()
    return dict(rows.values_list("pk", Coalesce(Subquery(count), 0)))


def _use_of(
    budget: Budget, *, taken: dict[str, int] | None, apart: dict[str, tuple[int, int]] | None, now: datetime
) -> Use:
    override = meters.override_of(budget, at=now)
    count, fullest = (apart or {}).get(budget.meter_name, (0, 0))
    known = taken is not None and apart is not None
    used = fullest if budget.each else (taken or {}).get(budget.meter_name, 0)
    return Use(
        override.limit_nano if override else budget.limit_nano,
        used if known else None,
        override=words.override(override, own_nano=budget.limit_nano) if override else "",
        apart=words.counted(budget, count) if budget.each and known else "",
        dates=words.not_in_force(budget, at=now),
        when_full=words.when_full(budget),
    )


def _taken(names: set[str], tenants: set[int]) -> dict[str, int] | None:
    """Nano-dollars by meter, None when the ledger does not answer."""
    rows = current_meters().filter(tenant_id__in=tenants, name__in=names)
    try:
        return {row["name"]: row["used"] + row["held"] for row in rows.values("name", "used", "held")}
    except DatabaseError:
        return None


def _taken_apart(names: set[str], tenants: set[int]) -> dict[str, tuple[int, int]] | None:
    """By what the names of separate meters begin with: how many there are, and nano-dollars of the fullest."""
    if not names:
        return {}
    # As the index of separate meters has it.
    rows = current_meters().annotate(mark=StrIndex("name", Value(SEPARATE))).filter(tenant_id__in=tenants, mark__gt=0)
    base = Func(F("name"), Value(SEPARATE), Value(1), function="split_part", output_field=TextField())
    groups = rows.annotate(base=base).filter(base__in=names).order_by().values("base")
    try:
        sums = list(groups.annotate(count=Count("id"), fullest=Max(F("used") + F("held"))))
    except DatabaseError:
        return None
    return {row["base"]: (row["count"], row["fullest"]) for row in sums}


def current_meters() -> QuerySet[Meter]:
    """A meter whose period is over counts as unused: it rolls over with its next request.

    Not one of fixed dates. They do not begin anew, and may have been prolonged.
    """
    return Meter.objects.filter(Q(period_end__gt=Now()) | Q(name__contains=f"/{Budget.Period.DATES}/"))


def last_used(key_ids: Collection[int]) -> dict[int, datetime]:
    """When keys were last used, of those that ever were: one look into the index per key."""
    newest = UsageRecord.objects.filter(api_key_id=OuterRef("pk")).order_by("-at").values("at")[:1]
    keys = ApiKey.objects.filter(pk__in=key_ids).order_by().annotate(used_at=Subquery(newest))
    return {pk: used_at for pk, used_at in keys.values_list("pk", "used_at") if used_at is not None}
