"""Takes what names an erased person out of the audit log: value and salt go, the commitment stays, so that every proof
stays what it was (docs/adr/0027).

Events about the erasure itself keep the surrogate, as its certificate and the ledger of erasures do: they prove that
this person was erased, and a restore needs them. Nothing joins that surrogate to anybody any more.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from compliance import audit, guard
from compliance.actions import jobs
from compliance.contracts import Actor, Target
from compliance.evidence import leaves
from compliance.models import AuditEvent, Erasure, JobRun
from compliance.named import KEEP, events_naming
from compliance.registry import Person

SLICE = 200
"""Events that one transaction redacts, and one event lists."""
LATE = "redact_late"
OVERLAP = timedelta(hours=1)
"""An event has its time from the beginning of its transaction, and is seen from its end on."""
MAY_NAME = ("target_id", "actor_id", "reason", "request_id", "user_agent")
"""Columns besides `before` and `after` that may hold a surrogate."""


@transaction.atomic
def redact(*, person: Person, by: Actor) -> int:
    """Redacts a slice of the events that name a person, and says which; returns how many it was. Idempotent."""
    rows: QuerySet[Any]
    for rows in events_naming(person):
        if found := list(rows.select_for_update().order_by("pk")[:SLICE]):
            return _redact(found, person, by)
    return 0


def redact_late(*, by: Actor) -> int:
    """Redacts what was written about erased people after their erasure, as when their request was closed: since the
    last run that came to its end, however long ago that was.

    Raises:
        AlreadyRunning: a run is under way.
    """
    with jobs.running(kind=LATE, by=by) as progress:
        since = _last_run()
        written = AuditEvent.objects.exclude(subjects=[]).exclude(target_kind__in=KEEP)
        if since is not None:
            written = written.filter(occurred_at__gte=since)
        done = 0
        for person in _erased(written, since):
            while count := redact(person=person, by=by):
                done += count
                progress.at(done)
        progress.result = {"events": done}
    return done


def _last_run() -> datetime | None:
    """From when on events are looked at: some time before the last run that ended began. None: there was none."""
    last = JobRun.objects.filter(kind=LATE, state=JobRun.State.DONE).order_by("-started_at").first()
    return last.started_at - OVERLAP if last else None


def _erased(written: QuerySet[AuditEvent], since: datetime | None) -> Iterator[Person]:
    """Whom events name who is erased; and who was erased since, whose erasure may have begun long before it ended."""
    complete = Erasure.objects.filter(state=Erasure.State.COMPLETE)
    if since is not None:
        for tenant_id, surrogate in complete.filter(finished_at__gte=since).values_list("tenant_id", "surrogate"):
            yield Person(tenant_id, surrogate)
    named = {name for names in written.values_list("subjects", flat=True).iterator() for name in names}
    names = iter(sorted(named))
    while some := list(islice(names, 1000)):
        found = complete.filter(surrogate__in=some).values_list("tenant_id", "surrogate").distinct()
        yield from (Person(tenant_id, surrogate) for tenant_id, surrogate in found)


def _redact(events: list[AuditEvent], person: Person, by: Actor) -> int:
    erasure = Erasure.objects.filter(surrogate=person.surrogate, tenant_id=person.tenant_id).first()
    dropped: dict[int | None, dict[str, list[str]]] = {}
    with guard.lifted("redact"):
        for event in events:
            names = _drop(event, person.surrogate)
            dropped.setdefault(event.tenant_id, {})[str(event.pk)] = names
    for tenant_id, by_event in dropped.items():
        audit.record(
            by=by,
            action="auditevent.redacted",
            target=Target("erasure", str(erasure.pk)) if erasure else Target("auditlog", str(tenant_id or "platform")),
            tenant_id=tenant_id,
            after={"events": by_event},
            reason="The person whom they named was erased.",
        )
    return len(events)


def _drop(event: AuditEvent, surrogate: str) -> list[str]:
    """Removes the fields with the surrogate from one event; returns their names."""
    row = {name: getattr(event, name) for name in leaves.COLUMNS}
    fields, salts = leaves.fields_of(row), bytes(event.salts)
    committed = leaves.commitments(fields, salts, event.redacted)
    names = [name for name, value in fields.items() if surrogate in leaves.subjects_in((value,))]
    kept = {name: value for name, value in fields.items() if name not in names}
    before = {name: value for name, value in event.before.items() if f"before.{name}" not in names}
    after = {name: value for name, value in event.after.items() if f"after.{name}" not in names}
    AuditEvent.objects.filter(pk=event.pk).update(
        **dict.fromkeys((name for name in MAY_NAME if name in names), ""),
        before=before,
        after=after,
        salts=_salts_of(kept, fields, salts),
        redacted={**event.redacted, **{name: committed[name] for name in names}},
        subjects=leaves.subjects_of(kept),
    )
    return names


def _salts_of(kept: dict[str, Any], fields: dict[str, Any], salts: bytes) -> bytes:
    size = leaves.SALT_BYTES
    named = zip(leaves.ordered(fields), range(0, len(salts), size), strict=False)
    return b"".join(salts[at : at + size] for name, at in named if name in kept)
