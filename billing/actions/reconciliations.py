"""Holds what was recorded here against what a provider says it has served."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from datetime import date

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Sum

from billing import provider_exports
from billing.models import Reconciliation, ReconciliationLine, UsageDay
from billing.provider_exports import BadExport, Served
from compliance import rows
from compliance.contracts import Actor

BASIS_POINTS = 10_000
SNAPSHOT = re.compile(r"-\d{4}-?\d{2}-?\d{2}\Z", re.ASCII)
"""What providers add to a model's name to say which of its versions answered."""


Figures = dict[str, int]
"""What one side says of a day and a model, by the names of FIGURES; what it does not say is not there."""
Sides = dict[tuple[date, str], Figures]

FIGURES = ("requests", "input_tokens", "cached_tokens", "output_tokens", "nano")


@transaction.atomic
def run(*, reconciliation: Reconciliation, export: bytes, by: Actor) -> Reconciliation:
    """Compares, and keeps what was found: all of it, or nothing.

    Days are those of UTC. A dated name of a model at the provider (`gpt-4o-2024-08-06`) is the model that is called
    without the date here, where only that is known.

    Raises:
        ValidationError: the span makes no sense, or the export cannot be read.
    """
    reconciliation.clean()
    served = _read(reconciliation, export)
    within = [each for each in served if reconciliation.starts_on <= each.day <= reconciliation.ends_on]
    ours = _ours(reconciliation)
    if within and not any(each.model for each in within):
        ours = _without_models(ours)
    theirs = _theirs(within, known={model for _, model in ours})
    lines = [_line(reconciliation, key, ours.get(key), theirs.get(key)) for key in sorted(ours.keys() | theirs.keys())]
    reconciliation.file_sha256 = hashlib.sha256(export).hexdigest()
    reconciliation.rows = len(served)
    reconciliation.ignored_rows = len(served) - len(within)
    reconciliation.ours_nano = sum(figures["nano"] for figures in ours.values())
    amounts = [figures["nano"] for figures in theirs.values() if "nano" in figures]
    reconciliation.theirs_nano = sum(amounts) if amounts else None
    reconciliation.differing = sum(not line.is_within for line in lines)
    reconciliation.actor_kind, reconciliation.actor_id = by.kind, by.id
    rows.create(reconciliation, by=by)
    ReconciliationLine.objects.bulk_create(lines, batch_size=1000)
    return reconciliation


def remove(*, reconciliation: Reconciliation, by: Actor, reason: str = "") -> None:
    """Deletes a comparison and its lines."""
    rows.delete(reconciliation, by=by, reason=reason)


def _read(reconciliation: Reconciliation, export: bytes) -> list[Served]:
    try:
        return provider_exports.parse(export, form=reconciliation.format)
    except BadExport as error:
        raise ValidationError({"export": str(error)}) from error


def _ours(reconciliation: Reconciliation) -> Sides:
    """What was sent to the provider, from rollups: refusals never were."""
    lines = UsageDay.objects.filter(
        provider=reconciliation.provider, day__range=(reconciliation.starts_on, reconciliation.ends_on)
    ).exclude(upstream_model="")
    sums = (
        lines.order_by()
        .values("day", "upstream_model")
        .annotate(
            sent=Sum(F("requests") - F("refused")),
            taken=Sum("input_tokens"),
            cached=Sum("cached_input_tokens"),
            given=Sum("output_tokens"),
            nano=Sum("cost_nano"),
        )
    )
    return {
        (row["day"], row["upstream_model"]): dict(
            zip(FIGURES, (int(row[name]) for name in ("sent", "taken", "cached", "given", "nano")), strict=True)
        )
        for row in sums
        if row["sent"]
    }


def _theirs(served: Iterable[Served], *, known: Collection[str]) -> Sides:
    sides: Sides = defaultdict(dict)
    for each in served:
        model = each.model if each.model in known else _undated(each.model, known)
        said = (each.requests, each.input_tokens, each.cached_tokens, each.output_tokens, each.cost_nano)
        _add(sides[each.day, model], zip(FIGURES, said, strict=True))
    return dict(sides)


def _undated(model: str, known: Collection[str]) -> str:
    short = SNAPSHOT.sub("", model)
    return short if short in known else model


def _without_models(sides: Sides) -> Sides:
    """The same by day only: as an export says it that does not tell models apart."""
    days: Sides = defaultdict(dict)
    for (day, _), figures in sides.items():
        _add(days[day, ""], figures.items())
    return dict(days)


def _add(figures: Figures, more: Iterable[tuple[str, int | None]]) -> None:
    for name, number in more:
        if number is not None:
            figures[name] = figures.get(name, 0) + number


def _line(
    reconciliation: Reconciliation, key: tuple[date, str], ours: Figures | None, theirs: Figures | None
) -> ReconciliationLine:
    day, model = key
    side = ReconciliationLine.Side
    return ReconciliationLine(
        reconciliation=reconciliation,
        day=day,
        model=model,
        side=side.THEIRS if ours is None else side.OURS if theirs is None else side.BOTH,
        is_within=_agree(ours or {}, theirs or {}, reconciliation.tolerance_bp, both=None not in (ours, theirs)),
        **{f"ours_{name}": (ours or {}).get(name) for name in FIGURES},
        **{f"theirs_{name}": (theirs or {}).get(name) for name in FIGURES},
    )


def _agree(ours: Figures, theirs: Figures, tolerance_bp: int, *, both: bool) -> bool:
    """Whether all that both sides say is close enough; what one side has alone is, where it is nothing."""
    if not both:
        return not any(ours.values()) and not any(theirs.values())
    return all(
        abs(ours[name] - theirs[name]) * BASIS_POINTS <= tolerance_bp * abs(theirs[name])
        for name in ours.keys() & theirs.keys()
    )
