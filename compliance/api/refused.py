"""Puts on record what the control plane's API refuses: counted by who asked, reason and minute."""

from typing import Any

from rest_framework.request import Request

from compliance import networks
from compliance.actions import tallies
from compliance.actions.tallies import Occurrence
from compliance.contracts import Actor, Caller, Target
from compliance.requests import nobody_at, user_at

PLACE = "/api"


def count(request: Request, *, code: str) -> None:
    """One request was refused with that reason code. Of those who are nobody, their networks are counted."""
    by, target, tenant_id = _who(request)
    one = Occurrence(
        action="request.refused",
        by=by,
        target=target,
        tenant_id=tenant_id,
        outcome="refused",
        reason=code,
        place=PLACE,
    )
    tallies.count(occurrences=[one])


def _who(request: Request) -> tuple[Actor, Target, int | None]:
    caller, user = request.auth, request.user
    if isinstance(caller, Caller):
        return caller.actor, Target("apikey", str(caller.key_id)), caller.tenant_id
    http: Any = request._request
    if user is not None and user.is_authenticated:
        return user_at(http, user=user), Target("user", str(user.pk)), None
    return nobody_at(http), networks.target_of(http.META.get("REMOTE_ADDR")), None
