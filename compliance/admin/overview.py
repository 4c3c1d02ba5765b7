"""What the front page tells of privacy: requests that are due, what waits for somebody, and what was stored."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db import DatabaseError
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from compliance import audit_lag, erasure_gate, selectors_requests
from compliance import selectors_backups as backups
from compliance.admin import waiting
from compliance.admin.links import list_url
from compliance.errors import KeyStoreUnavailable, NotReplayed
from compliance.models import Approval, ContentDecision, Erasure, PurgeRun, SubjectRequest
from compliance.selectors_transcripts import decisions_since

MOST = 6
SPAN = timedelta(hours=24)
COUNTED_FOR_S = 60
"""Counts of a busy day read many index entries; so they may be a minute old."""


@dataclass(frozen=True, slots=True)
class Line:
    """A figure with its page. `tone`: bad, warn, or nothing special."""

    title: str
    value: str
    url: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """An open request and how long there is for it."""

    title: str
    tenant: str
    state: str
    left: str
    tone: str
    url: str


def read(request: HttpRequest) -> dict[str, Any]:
    """The block, of what the person who is signed in may see; empty where that is nothing."""
    may = _Rights(request)
    lines = [*_requests(may), *_approvals(may), *_erasures(may), *_purges(may)]
    found = {
        "lines": lines,
        "waiting": waiting.approvals(request) if may.see("approval") else [],
        "due": _due() if may.see("subjectrequest") else None,
        "decisions": _decisions() if may.see("transcript") else None,
        "warnings": warnings(request),
    }
    return found if any(found.values()) or may.see("subjectrequest") or may.see("transcript") else {}


def warnings(request: HttpRequest) -> list[tuple[str, str]]:
    """What somebody should look at now, each with the page to go to, if there is one."""
    may = _Rights(request)
    privacy = [*_gate(), *_incomplete(), *_failed_purge()] if may.see("erasure") else []
    backups = _backups() if may.see("backuprun") else []
    return [*privacy, *backups, *(_audit_log() if may.see("auditlog") else [])]


class _Rights:
    def __init__(self, request: HttpRequest) -> None:
        self._user = request.user

    def see(self, table: str) -> bool:
        return bool(self._user.has_perm(f"compliance.view_{table}"))


# --- requests --------------------------------------------------------------------------------------------------------


def _requests(may: _Rights) -> list[Line]:
    if not may.see("subjectrequest"):
        return []
    rows = selectors_requests.open_requests()
    late = rows.filter(due_at__lte=timezone.now()).count()
    url = list_url("compliance_subjectrequest")
    return [
        Line("Open requests", f"{rows.count():,}", url),
        Line("Overdue", f"{late:,}", url, "bad" if late else ""),
    ]


def _due() -> list[Due]:
    rows = selectors_requests.open_requests().select_related("tenant")[:MOST]
    return [_as_due(row, selectors_requests.days_left(row)) for row in rows]


def _as_due(row: SubjectRequest, days: int) -> Due:
    return Due(
        title=row.get_right_display(),
        tenant=row.tenant.name,
        state=row.get_state_display(),
        left=words(days),
        tone="bad" if days < 0 else "warn" if days <= 7 else "",
        url=reverse("admin:compliance_subjectrequest_change", args=(row.pk,)),
    )


def words(days: int) -> str:
    """How many days are left, for people."""
    if days < 0:
        return f"{-days} {'day' if days == -1 else 'days'} overdue"
    return "due today" if days == 0 else f"{days} {'day' if days == 1 else 'days'} left"


# --- what waits ------------------------------------------------------------------------------------------------------


def _approvals(may: _Rights) -> list[Line]:
    if not may.see("approval"):
        return []
    count = Approval.objects.filter(state=Approval.State.REQUESTED, expires_at__gt=timezone.now()).count()
    return [Line("Approvals waiting", f"{count:,}", list_url("compliance_approval"), "warn" if count else "")]


def _erasures(may: _Rights) -> list[Line]:
    if not may.see("erasure"):
        return []
    count = Erasure.objects.filter(state=Erasure.State.INCOMPLETE).count()
    url = list_url("compliance_erasure", state__exact="incomplete")
    return [Line("Erasures incomplete", f"{count:,}", url, "bad" if count else "")]


def _purges(may: _Rights) -> list[Line]:
    if not may.see("purgerun"):
        return []
    run = PurgeRun.objects.order_by("-id").first()
    if run is None:
        return [Line("Last purge", "none yet", reverse("retention"))]
    url = reverse("admin:compliance_purgerun_change", args=(run.pk,))
    ended = {PurgeRun.State.DONE: f"{run.as_of:%-d %b}, {run.removed_rows:,} rows"}
    went_wrong = run.state in (PurgeRun.State.FAILED, PurgeRun.State.STOPPED)
    return [Line("Last purge", ended.get(PurgeRun.State(run.state), run.get_state_display()), url, "bad" * went_wrong)]


# --- what was stored -------------------------------------------------------------------------------------------------


def _decisions() -> list[dict[str, Any]]:
    """Rows of a bar list: stored, and why not, the most frequent first."""
    counts: dict[str, int] = cache.get_or_set("privacy-decisions", _counted, COUNTED_FOR_S) or {}
    top = max(counts.values(), default=0)
    labels = {**dict(ContentDecision.Reason.choices), "": "Stored"}
    ordered = sorted(counts.items(), key=lambda item: (item[0] != "", -item[1]))
    return [
        {
            "label": labels.get(reason, reason),
            "url": "" if reason else list_url("compliance_transcript", since="yesterday"),
            "width": round(count * 100 / top, 2),
            "requests": count,
        }
        for reason, count in ordered
    ]


def _counted() -> dict[str, int]:
    return decisions_since(timezone.now() - SPAN)


# --- what somebody should look at ------------------------------------------------------------------------------------


def _gate() -> list[tuple[str, str]]:
    try:
        erasure_gate.require_replayed()
    except NotReplayed as error:
        return [(str(error), "")]
    except (KeyStoreUnavailable, DatabaseError):
        return [("The keys database does not answer: no content is stored or read until it does.", "")]
    return []


def _incomplete() -> list[tuple[str, str]]:
    count = Erasure.objects.filter(state=Erasure.State.INCOMPLETE).count()
    what = "An erasure is" if count == 1 else f"{count:,} erasures are"
    url = list_url("compliance_erasure", state__exact="incomplete")
    return [(f"{what} not complete: something of an erased person may be left.", url)] if count else []


def _backups() -> list[tuple[str, str]]:
    """Of several only the gravest: without a backup there is nothing to try."""
    since, url = backups.oldest_needed(), list_url("compliance_backuprun")
    if since is None:
        return [("There is no backup yet: what is lost now is lost for good.", url)]
    if backups.is_backup_overdue():
        hours = round((timezone.now() - since).total_seconds() / 3600)
        return [(f"The last good backup is {hours:,} hours old; one is due each day.", url)]
    if backups.is_drill_overdue() and backups.is_drill_due():
        text = "No restore drill has passed within 14 days: nobody knows whether the backups can be restored."
        return [(text, list_url("compliance_restoredrill"))]
    return []


def _failed_purge() -> list[tuple[str, str]]:
    run = PurgeRun.objects.order_by("-id").first()
    if run is None or run.state != PurgeRun.State.FAILED:
        return []
    return [
        (
            "The last purge failed: what is due is still there.",
            reverse("admin:compliance_purgerun_change", args=(run.pk,)),
        )
    ]


def _audit_log() -> list[tuple[str, str]]:
    late = audit_lag.behind()
    found = []
    if late.event:
        text = f"Events wait for their place in the audit log since {late.event:%-d %b %H:%M} UTC: is a worker running?"
        found.append((text, list_url("compliance_auditlog")))
    if late.checkpoint:
        text = f"Checkpoints of {late.checkpoint:%-d %b %H:%M} UTC and later are not outside of the database yet."
        found.append((text, list_url("compliance_auditcheckpoint")))
    return found
