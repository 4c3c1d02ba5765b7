"""Which audit events name a person."""

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from compliance.evidence import leaves
from compliance.models import AuditEvent
from compliance.registry import Person

KEEP = ("erasure",)
"""Kinds of objects whose events keep the surrogate: they prove that the person was erased (docs/adr/0027)."""


def remaining(person: Person) -> int:
    """How many events still name a person, besides those about the erasure itself."""
    return sum(rows.count() for rows in events_naming(person))


def events_naming(person: Person) -> list[QuerySet[AuditEvent]]:
    """Those that name a person, besides those about the erasure itself."""
    events = AuditEvent.objects.exclude(target_kind__in=KEEP)
    # Each condition is that of an index: of events that name anybody, and of those that do not say whom they name.
    known = events.exclude(subjects=[]).filter(subjects__contains=[person.surrogate])
    old = events.filter(version=leaves.UNSALTED_VERSION, tenant_id=person.tenant_id, subjects=[])
    old = old.annotate(was=Cast("before", TextField()), became=Cast("after", TextField()))
    name = person.surrogate
    named = Q(target_id__contains=name) | Q(reason__contains=name) | Q(was__contains=name) | Q(became__contains=name)
    return [known, old.filter(named)]
