"""Runs the verifier of the audit log, raises the alarm, and closes it once somebody has looked into it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.utils import timezone

from compliance import announcing, audit, verification
from compliance.actions import jobs
from compliance.actions.jobs import TakenOver
from compliance.announcing import Announcement
from compliance.contracts import Actor, Target
from compliance.errors import ActionRefused, AlreadyRunning
from compliance.evidence import checking, checkpoints, excuses, strays
from compliance.evidence.checking import Progress, Wanted
from compliance.evidence.findings import Report
from compliance.models import JobRun

PAIRS = 100
"""Lost checkpoints that one event lists."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is on record as lost: of each log from where to where; of each sink, up to which size of which log."""

    logs: dict[str, tuple[int, int]]
    sinks: dict[str, dict[str, int]]


def verify(
    *,
    by: Actor,
    origins: Sequence[str] = (),
    since_checkpoint: bool = False,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Verifies the audit log; what it finds is announced, and stands on every page of the admin until it is dealt with.

    A run that breaks off, or cannot look at everything, is announced as well, until one looks at everything.

    Args:
        origins: these logs only.
        since_checkpoint: only what was added since the last run over everything that was clean; if there was none, all.
        processes: how many to use; None: as many as pay.

    Raises:
        AlreadyRunning: a verification is under way.
        KeyStoreUnavailable: the public keys cannot be read.
    """
    clean = next(filter(verification.is_clean, verification.runs()[:1000]), None) if since_checkpoint else None
    wanted = Wanted(origins=origins, since=clean.started_at if clean else None, processes=processes)
    try:
        with jobs.running(kind=verification.KIND, by=by) as told:

            def tell(done: int, total: int, step: str) -> None:
                told.at(done, total, step)
                if progress:
                    progress(done, total, step)

            report = checking.check(wanted, progress=tell)
            told.result = {**report.as_json(), "scope": "part" if origins or wanted.since else "all"}
    except (AlreadyRunning, TakenOver):
        raise
    except Exception as error:
        cache.delete(verification.ALARM)
        _tell_incomplete(f"it broke off ({type(error).__name__})")
        raise
    if report.count:
        _raise_alarm(told.run, report, by=by)
    if report.unchecked:
        _tell_incomplete(report.unchecked[0])
    elif told.result["scope"] == "all":
        announcing.is_over(kind="audit_tampered", tenant_id=None, subject=verification.INCOMPLETE)
    cache.delete(verification.ALARM)
    return report


def _tell_incomplete(why: str) -> None:
    label = f"The audit log could not be verified: {why}"
    announcing.announce(
        Announcement(kind="audit_tampered", tenant_id=None, subject=verification.INCOMPLETE, label=label)
    )


@transaction.atomic
def acknowledge(*, by: Actor, reason: str) -> int:
    """Closes the alarm: somebody has looked into what was found. Returns how many runs it was about.

    Raises:
        ActionRefused: there is no alarm; or the last run did not look at everything, or was not clean.
    """
    if not reason.strip():
        raise ActionRefused("Say what was found to be the cause, and what was done.")
    found = list(verification.with_findings().select_for_update())
    if not found:
        raise ActionRefused("There is no alarm.")
    last = verification.runs().first()
    if last is None or last.pk < found[0].pk or not verification.is_clean(last):
        raise ActionRefused("Restore what was altered, then verify everything: that run has to be clean first.")
    for run in found:
        run.result["acknowledged"] = f"{timezone.now():%Y-%m-%d %H:%M} UTC by {by.kind} {by.id}"
        run.save(update_fields=("result",))
    audit.record(
        by=by,
        action="auditlog.acknowledged",
        target=audit.target_of(found[0]),
        tenant_id=None,
        after={"runs": [run.pk for run in found], "clean_run": last.pk},
        reason=reason,
    )
    announcing.is_over(kind="audit_tampered", tenant_id=None, subject=verification.SUBJECT)
    transaction.on_commit(lambda: cache.delete(verification.ALARM))
    return len(found)


@transaction.atomic
def accept_rollback(*, by: Actor, reason: str) -> Accepted:
    """Puts on record that a restore has lost events whose checkpoints the sinks hold: those checkpoints, of each log,
    and which checkpoints a sink has lost itself. The verifier misses these no more; whatever else it finds, it finds.

    Raises:
        ActionRefused: nothing is lost, a sink does not answer, or there is no reason.
        KeyStoreUnavailable: the public keys cannot be read.
    """
    if not reason.strip():
        raise ActionRefused("Say which restore it was, and what was lost with it.")
    report = Report()
    outside = checkpoints.outside(report, begun=strays.now())
    if report.unchecked:
        raise ActionRefused(" ".join(report.unchecked))
    lost, gone = checkpoints.lost(outside), checkpoints.gone(outside)
    if not lost and not gone:
        raise ActionRefused("The database has everything that the sinks hold checkpoints of.")
    for origin, one in lost.items():
        for at in range(0, len(one.checkpoints), PAIRS):
            pairs = [[size, root.hex()] for size, root in one.checkpoints[at : at + PAIRS]]
            after = {"logs": {origin: [one.agreed, one.last]}, "lost": {origin: pairs}}
            _put_on_record(excuses.ROLLED_BACK, after, by=by, reason=reason)
    if gone:
        _put_on_record(excuses.COPIES_LOST, {"sinks": gone}, by=by, reason=reason)
    return Accepted({origin: (one.agreed, one.last) for origin, one in lost.items()}, gone)


def _put_on_record(action: str, after: dict[str, Any], *, by: Actor, reason: str) -> None:
    audit.record(by=by, action=action, target=Target("auditlog", "all"), tenant_id=None, after=after, reason=reason)


@transaction.atomic
def _raise_alarm(run: JobRun, report: Report, *, by: Actor) -> None:
    first = report.in_order()[0]
    facts: dict[str, str | int] = {
        "run": run.pk,
        "findings": report.count,
        "log": first.log or "none",
        "place": first.place,
        "finding": first.text,
    }
    audit.record(
        by=by,
        action="auditlog.found_altered",
        target=audit.target_of(run),
        tenant_id=None,
        after=facts,
        outcome="failure",
    )
    announcing.announce(
        Announcement(
            kind="audit_tampered",
            tenant_id=None,
            subject=verification.SUBJECT,
            label=f"The audit log was altered: {first}",
            facts=facts,
        )
    )
