"""The timeline of one object: everything that was done to it, by day, the newest first."""

from dataclasses import dataclass
from datetime import UTC, date
from itertools import groupby
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from compliance import selectors_audit
from compliance.admin import diffs
from compliance.admin.audit_names import actor_of, names_of
from compliance.admin.links import list_url
from compliance.admin.names import Names
from compliance.models import AuditEvent
from compliance.selectors_audit import Asked

PAGE = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """One event on the line."""

    event: AuditEvent
    by: object
    lines: list[diffs.Line]
    url: str

    @property
    def reason(self) -> str:
        return "erased" if "reason" in self.event.redacted else self.event.reason


def url_of(kind: str, key: str) -> str:
    """The address of an object's timeline."""
    return f"{reverse('admin:compliance_auditevent_timeline')}?{urlencode({'target_kind': kind, 'target_id': key})}"


def page(request: HttpRequest, owner: Any) -> HttpResponse:
    """The page, for those who may see the audit log; `before` in the address is where an older page begins."""
    if not owner.has_view_permission(request):
        raise PermissionDenied
    kind, key = (request.GET.get(name, "").replace("\0", "") for name in ("target_kind", "target_id"))
    if not kind or not key:
        raise Http404("Say which object: target_kind and target_id.")
    rows = selectors_audit.events(Asked(target_kind=kind, target_id=key))
    before = request.GET.get("before", "")
    if before.isdecimal() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    events = list(rows[: PAGE + 1])
    more = len(events) > PAGE
    events = events[:PAGE]
    context = {
        **owner.admin_site.each_context(request),
        "title": "History",
        "opts": owner.opts,
        "about": _name_of(kind, key),
        "days": _days(events),
        "all_url": list_url("compliance_auditevent", target_kind=kind, target_id=key),
        "older": f"{url_of(kind, key)}&before={events[-1].pk}" if more else "",
        "newer": url_of(kind, key) if before else "",
    }
    return TemplateResponse(request, "compliance/timeline.html", context)


def _name_of(kind: str, key: str) -> Any:
    return Names([(kind, key)]).of(kind, key)


def _days(events: list[AuditEvent]) -> list[tuple[date, list[Entry]]]:
    names = names_of(events)
    entries = [
        Entry(
            event,
            actor_of(event, names),
            diffs.lines_of(event),
            reverse("admin:compliance_auditevent_change", args=(event.pk,)),
        )
        for event in events
    ]
    return [
        (day, list(of_day))
        for day, of_day in groupby(entries, key=lambda entry: entry.event.occurred_at.astimezone(UTC).date())
    ]
