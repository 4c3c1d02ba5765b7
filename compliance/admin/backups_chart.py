"""The chart of restore drills: how long each took; those that failed in another colour."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.urls import reverse

from compliance.models import RestoreDrill

MOST = 26
"""Half a year of weekly ones."""


def draw(drills: Sequence[RestoreDrill]) -> dict[str, Any] | None:
    """What `admin/chart.html` draws, the oldest drill first; None where there is none."""
    if not drills:
        return None
    top = max(2, *map(_seconds, drills))
    top += top % 2  # the scale's middle is whole, too
    bars = [_bar(drill, top, _label(drill, before), is_last=drill is drills[-1]) for before, drill in _pairs(drills)]
    return {"top": f"{top:,} s", "half": f"{top // 2:,} s", "bars": bars}


def _pairs(drills: Sequence[RestoreDrill]) -> Iterator[tuple[RestoreDrill | None, RestoreDrill]]:
    """Each one with the one before."""
    return zip([None, *drills], drills, strict=False)


def _label(drill: RestoreDrill, before: RestoreDrill | None) -> str:
    """The day, and of others of that day the time."""
    is_same_day = before is not None and before.started_at.date() == drill.started_at.date()
    return f"{drill.started_at:%H:%M}" if is_same_day else f"{drill.started_at:%-d %b}"


def _seconds(drill: RestoreDrill) -> int:
    """A failed one has no time to restore; it counts for as long as it went."""
    if drill.rto_s is not None:
        return drill.rto_s
    return round((drill.finished_at - drill.started_at).total_seconds()) if drill.finished_at else 0


def _bar(drill: RestoreDrill, top: int, label: str, *, is_last: bool) -> dict[str, Any]:
    seconds, passed = _seconds(drill), drill.state == RestoreDrill.State.PASSED
    height = max(2.0, round(seconds * 100 / top, 2))
    return {
        "label": label,
        "title": f"{drill.started_at:%-d %b %Y %H:%M} UTC: {'restored' if passed else 'failed'} after {seconds:,} s",
        "height": height if passed else 0,
        "second": 0 if passed else height,
        "url": reverse("admin:compliance_restoredrill_change", args=(drill.pk,)),
        "is_last": is_last,
    }
