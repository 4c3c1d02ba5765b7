"""The runs of the audit log's verifier, and whether one of them found something that nobody has dealt with."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Q, QuerySet
from django.utils import timezone

from compliance.evidence.findings import Finding, from_json
from compliance.models import JobRun

KIND = "verify_audit"
SUBJECT, INCOMPLETE = "audit log", "verification"
"""What is announced: that something was altered; that not all could be verified."""
ALARM = "audit-alarm"
SILENT = timedelta(minutes=10)
"""A run that has told nothing for so long was killed."""
KNOWN_FOR_S = 15
"""Each admin page asks; other processes see a change after so long at most."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Runs with findings that nobody has acknowledged: the newest of them. Or else a run that broke off.

    `is_over`: a later run over everything was clean, so it can be acknowledged. `is_broken_off`: nothing was found, as
    the run has not come to its end; that is over with the next one that does.
    """

    run_id: int
    at: datetime
    findings: int
    first: str
    is_over: bool
    is_broken_off: bool = False


def runs() -> QuerySet[JobRun]:
    """All runs, the newest first."""
    return JobRun.objects.filter(kind=KIND).order_by("-id")


def with_findings() -> QuerySet[JobRun]:
    """Those that found something that nobody has acknowledged, the newest first."""
    ended = runs().exclude(state=JobRun.State.RUNNING)
    return ended.filter(result__findings__gt=0).exclude(result__has_key="acknowledged")


def findings_of(run: JobRun) -> list[Finding]:
    """The first findings of a run, in order."""
    return from_json(run.result.get("first", []))


def is_clean(run: JobRun) -> bool:
    """Whether it looked at everything and found nothing."""
    result: dict[str, Any] = run.result
    checked = run.state == JobRun.State.DONE and result.get("scope") == "all" and not result.get("unchecked")
    return checked and result.get("findings") == 0


def alarm() -> Alarm | None:
    """What is not dealt with, if anything; may be some seconds old."""
    found: tuple[Alarm | None] | None = cache.get(ALARM)
    if found is None:
        found = (read_alarm(),)
        cache.set(ALARM, found, KNOWN_FOR_S)
    return found[0]


def read_alarm() -> Alarm | None:
    """The same, as it is now."""
    run = with_findings().first()
    if run is None:
        return _broken_off()
    first = findings_of(run)
    later = runs().filter(pk__gt=run.pk).first()
    return Alarm(
        run_id=run.pk,
        at=run.started_at,
        findings=run.result["findings"],
        first=str(first[0]) if first else "",
        is_over=later is not None and is_clean(later),
    )


def _broken_off() -> Alarm | None:
    """The newest run, if it failed or was killed. One that somebody has ended at a terminal is none."""
    silent = Q(state=JobRun.State.RUNNING, seen_at__lt=timezone.now() - SILENT)
    ended = runs().filter(silent | ~Q(state=JobRun.State.RUNNING)).exclude(error="KeyboardInterrupt")
    run = ended.first()
    if run is None or run.state == JobRun.State.DONE:
        return None
    why = run.error or "its process was killed"
    return Alarm(run_id=run.pk, at=run.started_at, findings=0, first=why, is_over=False, is_broken_off=True)
