"""The sections of this app: what the audit log and its own tables tell."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from compliance import controls, processing
from compliance.models import (
    Approval,
    AuditCheckpoint,
    AuditEvent,
    BackupRun,
    Erasure,
    LegalHold,
    PurgeRun,
    RestoreDrill,
    RetentionPolicy,
    SubjectRequest,
)
from compliance.packs.sections import AI_ACT, GDPR, HIPAA, SOC2, Period, Section

PAGE = 2000
ABOUT_PEOPLE = ("subject", "consentrecord", "transcript", "subjectrequest", "requeststep", "subjectexport", "erasure")
"""Objects whose events may name end users: they have sections of their own, which do not."""
READINGS = ("transcript", "subject", "person")
READ = r"\.(read|details_read|seen|identified|found|downloaded|export_downloaded|exported|tested)$"
KEYS = (
    *("tenantkey", "subjectkey", "rootkey", "signingkey", "apikey", "retiringsecret", "providercredential"),
    *("credentialsource", "webhooksecret", "pepper"),
)
CONFIGURATION = (
    *("tenant", "application", "apikey", "user", "membership", "group"),
    *("provider", "model", "deployment", "credentialsource", "providercredential", "scanningkey"),
    *("budget", "budgetoverride", "tier", "tierlimit", "subscription", "price", "attributiontag"),
    *("alertrule", "webhookendpoint", "siemstream"),
    *("guardpolicy", "guardrule", "guarddictionary", "guardpattern"),
    *("purpose", "consentnotice", "contentpolicy", "regime", "retentionpolicy", "legalhold", "controlstatement"),
)
"""What people set. Events about anything else, such as backups and downloads, are in the section of operations."""
NOT_A_ROTATION = r"\.(changed|suspended|resumed)$"
EVENT = (
    *("id", "occurred_at", "tenant", "actor", "action", "target", "outcome", "reason", "before", "after", "request_id"),
)
SIGN_INS = ("user.signed_in", "user.sign_in_failed", "user.signed_out", "user.password_changed")
_DONE = Q(outcome="success")
_OF_PEOPLE = Q(target_kind__in=ABOUT_PEOPLE)
_SIGN_IN = Q(action__in=SIGN_INS)
_ROTATION = _DONE & Q(target_kind__in=KEYS) & ~Q(action__regex=READ) & ~Q(action__regex=NOT_A_ROTATION)
_CHANGE = _DONE & Q(target_kind__in=CONFIGURATION) & ~Q(action__regex=READ) & ~_SIGN_IN & ~_ROTATION
_OPERATION = _DONE & ~_OF_PEOPLE & ~_SIGN_IN & ~_ROTATION & ~_CHANGE & ~Q(target_kind="approval")
"""Each event that was done and names no end user is of one of these three, a sign-in, or an approval."""


def _pages(rows: QuerySet[Any]) -> Iterator[Any]:
    """Rows by number, page by page, each in a short query of its own."""
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:PAGE]):
        yield from page
        last = page[-1].pk


def _events(condition: Q, *, changes: bool = True) -> Callable[[Period], Iterator[dict[str, Any]]]:
    def rows(period: Period) -> Iterator[dict[str, Any]]:
        within = AuditEvent.objects.filter(condition, occurred_at__gte=period.since, occurred_at__lt=period.until)
        for event in _pages(within):
            yield _event(event, shows_values=changes and not event.subjects)

    return rows


def _event(event: AuditEvent, *, shows_values: bool) -> dict[str, Any]:
    """An event. Of one that names an end user it is told what happened, and not to whom."""
    return {
        "id": event.pk,
        "occurred_at": _time(event.occurred_at),
        "tenant": event.tenant_id,
        "actor": f"{event.actor_kind} {event.actor_id}",
        "action": event.action,
        "target": event.target_kind if event.subjects else f"{event.target_kind} {event.target_id}",
        "outcome": event.outcome,
        "reason": event.reason,
        "before": event.before if shows_values else {},
        "after": event.after if shows_values else {},
        "request_id": event.request_id,
    }


def _table(rows: QuerySet[Any], moment: str, columns: tuple[str, ...]) -> Callable[[Period], Iterator[dict[str, Any]]]:
    """Rows of a table whose `moment` is in the period."""

    def found(period: Period) -> Iterator[dict[str, Any]]:
        within = rows.filter(**{f"{moment}__gte": period.since, f"{moment}__lt": period.until})
        for values in within.order_by(moment).values(*columns).iterator(chunk_size=PAGE):
            yield {name: _plain(values[name]) for name in columns}

    return found


def _lasting(
    rows: QuerySet[Any], began: str, ended: str, columns: tuple[str, ...], *, lasts: Q
) -> Callable[[Period], Iterator[dict[str, Any]]]:
    """Rows of a table that were open at any time in the period, also those that began before it; `lasts`: still are."""

    def found(period: Period) -> Iterator[dict[str, Any]]:
        since = Q(**{f"{began}__gte": period.since}) | Q(**{f"{ended}__gte": period.since})
        within = rows.filter(lasts | since, **{f"{began}__lt": period.until})
        for values in within.order_by(began).values(*columns).iterator(chunk_size=PAGE):
            yield {name: _plain(values[name]) for name in columns}

    return found


def _controls(period: Period) -> Iterator[dict[str, Any]]:
    for each in controls.look_at_all():
        yield {
            "control": each.control.name,
            "title": each.control.title,
            "references": "; ".join(map(str, each.control.references)),
            "wanted": each.control.wanted,
            "state": each.finding.state.value,
            "because": each.finding.words,
        }


def _processing(period: Period) -> Iterator[dict[str, Any]]:
    for activity in processing.document()["activities"]:
        yield {
            name: "; ".join(value) if isinstance(value, (list, tuple)) else value for name, value in activity.items()
        }


def _retention(period: Period) -> Iterator[dict[str, Any]]:
    for policy in RetentionPolicy.objects.order_by("data_class", "tenant_id"):
        yield {
            "data_class": policy.get_data_class_display(),
            "tenant": policy.tenant_id,
            "days": policy.days,
            "floor_days": policy.floor_days,
            "floor_basis": policy.floor_basis,
            "reason": policy.reason,
        }


def _checkpoints(period: Period) -> Iterator[dict[str, Any]]:
    """The last checkpoint of each log in the period: what the events above are proven against."""
    within = AuditCheckpoint.objects.filter(signed_at__gte=period.since, signed_at__lt=period.until)
    latest = within.order_by("log_id", "-size").distinct("log_id").select_related("log")
    for row in latest.iterator(chunk_size=PAGE):
        yield {
            "log": row.log.origin,
            "size": row.size,
            "root": bytes(row.root).hex(),
            "signed_at": _time(row.signed_at),
            "note": row.note,
        }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _time(value)
    return value if value is None or isinstance(value, (str, int, bool, list, dict)) else str(value)


def _time(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


_ERASURES = (
    *("id", "tenant_id", "request_id", "state", "requested_by", "requested_at", "fenced_at", "destroyed_at"),
    *("finished_at", "ledger_number"),
)
_REQUESTS = ("id", "tenant_id", "right", "state", "received_at", "due_at", "closed_at")
_HOLDS = (
    *("id", "tenant_id", "title", "matter", "scope", "state", "requested_by", "requested_at", "active_at"),
    "released_at",
)
_APPROVALS = (
    *("id", "action", "target_kind", "target_id", "tenant_id", "reason", "state", "requested_by", "requested_at"),
    *("decided_by", "decided_at", "decision_reason"),
)
_PURGES = (
    *("id", "as_of", "state", "plan_hash", "removed_rows", "kept_rows", "error", "started_by", "started_at"),
    "finished_at",
)
_BACKUPS = ("label", "part", "state", "place", "bytes", "error", "started_by", "started_at", "made_at", "finished_at")
_DRILLS = (
    *("id", "state", "data_label", "keys_label", "rto_s", "rpo_s", "restored_bytes", "checks", "problem", "started_by"),
    *("started_at", "finished_at"),
)
_ACTIVITY = (
    *("name", "title", "purpose", "legal_basis", "people", "data", "recipients", "retention", "erasure", "security"),
)
_ERASURE_LASTS = Q(state__in=(Erasure.State.ON_HOLD, Erasure.State.RUNNING, Erasure.State.INCOMPLETE))
_HOLD_LASTS = Q(state__in=(LegalHold.State.REQUESTED, *LegalHold.IN_FORCE))

SECTIONS = (
    Section(
        name="controls",
        title="Controls",
        why="Each control, what is wanted of it, and how it stood when this was made.",
        columns=("control", "title", "references", "wanted", "state", "because"),
        rows=_controls,
        is_now=True,
    ),
    Section(
        name="configuration_changes",
        title="Configuration changes",
        why="What people set: what was changed, by whom and why, as it was before and after. Secrets are never among "
        "it. Rotations of keys have a section of their own.",
        columns=EVENT,
        rows=_events(_CHANGE),
    ),
    Section(
        name="sign_ins",
        title="Sign-ins",
        why="Who signed in to the admin, or failed to.",
        columns=EVENT,
        rows=_events(_SIGN_IN),
        frameworks=frozenset({SOC2, HIPAA}),
    ),
    Section(
        name="readings",
        title="Readings of content and identities",
        why="Each time that somebody read a conversation, or asked who is behind a surrogate. Whose is left out.",
        columns=EVENT,
        rows=_events(Q(target_kind__in=READINGS, action__regex=READ), changes=False),
        frameworks=frozenset({SOC2, GDPR, HIPAA}),
    ),
    Section(
        name="key_rotations",
        title="Rotations of keys",
        why="Keys that were made, rotated, retired or destroyed.",
        columns=EVENT,
        rows=_events(_ROTATION),
        frameworks=frozenset({SOC2, GDPR, HIPAA}),
    ),
    Section(
        name="operations",
        title="Operations",
        why="What was run, read or taken: backups, drills, purges, exports, downloads, readings of the audit log.",
        columns=EVENT,
        rows=_events(_OPERATION),
        frameworks=frozenset({SOC2, HIPAA, AI_ACT}),
    ),
    Section(
        name="backups",
        title="Backups",
        why="Backups that were made, and that failed.",
        columns=_BACKUPS,
        rows=_table(BackupRun.objects.all(), "started_at", _BACKUPS),
        frameworks=frozenset({SOC2, GDPR, HIPAA}),
    ),
    Section(
        name="restore_drills",
        title="Restore drills",
        why="Backups that were restored on trial, with the time it took and the age of what was restored.",
        columns=_DRILLS,
        rows=_table(RestoreDrill.objects.all(), "started_at", _DRILLS),
        frameworks=frozenset({SOC2, GDPR, HIPAA}),
    ),
    Section(
        name="purges",
        title="Purges",
        why="What was removed because its time was over.",
        columns=_PURGES,
        rows=_table(PurgeRun.objects.all(), "started_at", _PURGES),
    ),
    Section(
        name="erasures",
        title="Erasures",
        why="People and tenants whose keys were destroyed: what was open at any time in the period. Who they were is "
        "not recorded anywhere.",
        columns=_ERASURES,
        rows=_lasting(Erasure.objects.all(), "requested_at", "finished_at", _ERASURES, lasts=_ERASURE_LASTS),
        frameworks=frozenset({SOC2, GDPR}),
    ),
    Section(
        name="subject_requests",
        title="Subject requests",
        why="What people asked for, and whether it was answered in time: what was open at any time in the period.",
        columns=_REQUESTS,
        rows=_lasting(
            SubjectRequest.objects.all(), "received_at", "closed_at", _REQUESTS, lasts=Q(closed_at__isnull=True)
        ),
        frameworks=frozenset({GDPR, HIPAA}),
    ),
    Section(
        name="approvals",
        title="Approvals by two people",
        why="Grave actions that one person asked for and another one decided.",
        columns=_APPROVALS,
        rows=_table(Approval.objects.all(), "requested_at", _APPROVALS),
    ),
    Section(
        name="legal_holds",
        title="Legal holds",
        why="What was kept from purges and erasures at any time in the period, and because of which matter.",
        columns=_HOLDS,
        rows=_lasting(LegalHold.objects.all(), "requested_at", "released_at", _HOLDS, lasts=_HOLD_LASTS),
        frameworks=frozenset({SOC2, GDPR, HIPAA}),
    ),
    Section(
        name="failed_and_refused",
        title="What failed or was refused",
        why="Actions with another outcome than success: the first thing to look at for incidents.",
        columns=EVENT,
        rows=_events(~_DONE & ~_OF_PEOPLE),
        frameworks=frozenset({SOC2, HIPAA, AI_ACT}),
    ),
    Section(
        name="records_of_processing",
        title="Records of processing",
        why="What is processed about people, on what basis and for how long (GDPR, article 30).",
        columns=_ACTIVITY,
        rows=_processing,
        frameworks=frozenset({GDPR, HIPAA}),
        is_now=True,
    ),
    Section(
        name="retention_policies",
        title="Retention policies",
        why="How long each class of data is kept, and what the law requires.",
        columns=("data_class", "tenant", "days", "floor_days", "floor_basis", "reason"),
        rows=_retention,
        is_now=True,
    ),
    Section(
        name="checkpoints",
        title="Checkpoints of the audit log",
        why="The last signed root of each log in the period: exports of the log prove their events against it.",
        columns=("log", "size", "root", "signed_at", "note"),
        rows=_checkpoints,
    ),
)
