"""What waits for a second person, for the front page."""

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from compliance.actions.approvals import name_of
from compliance.admin.names import Names
from compliance.models import Approval
from compliance.requests import actor_of

MOST = 6


@dataclass(frozen=True, slots=True)
class Waiting:
    """One request. `own`: whoever looks has asked for it, so somebody else has to decide."""

    title: str
    reason: str
    asked_by: str
    until: str
    own: bool
    url: str


def approvals(request: HttpRequest) -> list[Waiting]:
    """Those that can still be decided, the most urgent first."""
    open_ = Approval.objects.filter(state=Approval.State.REQUESTED, expires_at__gt=timezone.now())
    rows = list(open_.order_by("expires_at")[:MOST])
    people = {row.pk: row.requested_by.partition(" ") for row in rows}
    references = [(row.target_kind, row.target_id) for row in rows]
    names = Names([*references, *((kind, number) for kind, _, number in people.values())])
    found = []
    for row in rows:
        row.about = str(names.of(row.target_kind, row.target_id))
        kind, _, number = people[row.pk]
        found.append(
            Waiting(
                title=str(row),
                reason=row.reason,
                asked_by=str(names.of(kind, number)),
                until=f"{row.expires_at:%-d %b %H:%M}",
                own=row.requested_by == name_of(by=actor_of(request)),
                url=reverse("admin:compliance_approval_change", args=(row.pk,)),
            )
        )
    return found
