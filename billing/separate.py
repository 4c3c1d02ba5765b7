"""What a budget with one limit for each end user, tag value and so on has counted of each."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError
from django.db.models import F, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, NullIf

from billing import money, selectors
from billing.charging import NOBODY, SEPARATE, value_key
from billing.ledger.models import Meter
from billing.models import Budget, UsageRecord

NEWEST = 20_000
"""Records among which the values of a tag are looked for: names of meters carry only their hashes."""

KINDS: dict[str, str] = {Budget.Each.APPLICATION: "application", Budget.Each.API_KEY: "apikey"}
"""What is counted by the primary key of a row."""
HASHED = (Budget.Each.MODEL, Budget.Each.TAG)
"""What names of meters carry only as hashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One of those that a budget counts apart. With a `kind` its name is the primary key of a row of that kind."""

    name: str
    kind: str = ""
    used: str
    held: str
    use: selectors.Use


@dataclass(frozen=True, slots=True)
class _Meter:
    value: str
    used: int
    held: int
    since: datetime


def fullest(budget: Budget, *, limit_nano: int, most: int) -> list[Counted] | None:
    """Those that have taken most of their limit in the current period; None when the ledger does not answer."""
    try:
        meters = list(_fullest_meters(budget, most=most))
    except DatabaseError:
        return None
    names = _names(budget, meters)
    return [
        Counted(
            name=names.get(meter.value, meter.value),
            kind=KINDS.get(budget.each, "") if meter.value else "",
            used=money.show(meter.used),
            held=money.show(meter.held),
            use=selectors.Use(limit_nano, meter.used + meter.held),
        )
        for meter in meters
    ]


def charged(record: UsageRecord) -> list[tuple[Budget, str]] | None:
    """The budgets that a record was charged to, with whose limit of theirs it was, as the record says.

    Budgets that are gone are left out. None when the ledger does not answer.
    """
    try:
        meters = Meter.objects.filter(tenant_id=record.tenant_id, pk__in=record.charged)
        names = list(meters.values_list("name", flat=True))
    except DatabaseError:
        return None
    wanted = {int(name.split("/")[1]): name.partition(SEPARATE)[2] for name in names if name.startswith("budget/")}
    budgets = Budget.objects.filter(tenant_id=record.tenant_id, pk__in=wanted).order_by("name", "pk")
    return [(budget, _whose(budget, record) if wanted[budget.pk] else "") for budget in budgets]


def _whose(budget: Budget, record: UsageRecord) -> str:
    match budget.each:
        case Budget.Each.MODEL:
            return record.served_model or record.model
        case Budget.Each.TAG:
            return str(record.tags.get(budget.tag, ""))
        case Budget.Each.END_USER:
            return record.end_user
        case Budget.Each.ENVIRONMENT:
            return record.environment
    return ""


def _fullest_meters(budget: Budget, *, most: int) -> Iterable[_Meter]:
    prefix = f"{budget.meter_name}{SEPARATE}"
    rows = selectors.current_meters().filter(tenant_id=budget.tenant_id, name__startswith=prefix)
    for row in rows.order_by(-(F("used") + F("held")), "name")[:most].values("name", "used", "held", "period_start"):
        yield _Meter(row["name"].removeprefix(prefix), row["used"], row["held"], row["period_start"])


def _names(budget: Budget, meters: Collection[_Meter]) -> dict[str, str]:
    """What the values in names of meters stand for, where that is not what they say themselves."""
    names = {"": "All others, beyond what the tier counts apart", NOBODY: "Requests that name no end user"}
    hashed = {meter.value for meter in meters} - {""}
    if budget.each not in HASHED or not hashed:
        return names
    known = known_values(budget, since=min(meter.since for meter in meters))
    return names | {value: known.get(value, f"Not among recent usage ({value[:6]}…)") for value in hashed}


def known_values(budget: Budget, *, since: datetime) -> dict[str, str]:
    """By the hash in a meter's name, the model or value of the tag, of those in the newest records since then."""
    return {value_key(value): value for value in _values(budget, since=since)}


def _values(budget: Budget, *, since: datetime) -> set[str]:
    """The models that answered, or values of the tag, in the newest records of the period."""
    by_tag = budget.each == Budget.Each.TAG
    column = KeyTextTransform(budget.tag, "tags") if by_tag else Coalesce(NullIf("served_model", Value("")), "model")
    records = UsageRecord.objects.filter(tenant_id=budget.tenant_id, at__gte=since).order_by("-at")
    return {value for value in records.annotate(value=column).values_list("value", flat=True)[:NEWEST] if value}
