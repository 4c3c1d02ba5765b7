"""What guards did, for the front page: by guard, by tenant, and what waits for reviewers."""

from datetime import date
from typing import Any

from django.http import HttpRequest

from compliance.admin.links import list_url
from compliance.admin.names import Names
from gateway import guard_overview
from gateway.guard_overview import Counted
from gateway.guards import registry
from gateway.guards.base import Action

TOP = 16
"""More than there are guards: what blocks may be what is seldom found."""

DONE = {Action.BLOCK: "blocked", Action.REDACT: "redacted", Action.FLAG: "flagged", Action.LOG: "logged"}


def read(request: HttpRequest, first: date) -> dict[str, Any] | None:
    """The two panels; None for who may not see decisions of guards."""
    if not request.user.has_perm("gateway.view_guarddecision"):
        return None
    found = guard_overview.since(first, most=TOP)
    names = Names(("tenant", each.key) for each in found.tenants)
    titles = {guard.name: guard.title for guard in registry.guards().values()}
    return {
        "guards": [_row(each, titles.get(each.key, each.key), found.guards, guard=each.key) for each in found.guards],
        "tenants": [
            _row(each, str(names.of("tenant", each.key)), found.tenants, tenant_id=each.key) for each in found.tenants
        ],
        "errors": found.errors,
        "errors_url": list_url("gateway_guarddecision", since="month", failed="any"),
        "open_reviews": found.open_reviews,
        "may_review": request.user.has_perm("gateway.view_reviewitem"),
    }


def _row(counted: Counted, label: str, among: list[Counted], **filters: str) -> dict[str, Any]:
    top = max(each.requests for each in among)
    done = [f"{counted.by_action[action]:,} {word}" for action, word in DONE.items() if action in counted.by_action]
    return {
        "label": label,
        "url": list_url("gateway_guarddecision", since="month", **filters),
        "width": round(counted.requests * 100 / top, 2) if top else 0,
        "requests": ", ".join(done),
    }
