"""How often one key may write, and how many people a tenant may name that nobody has seen before."""

from typing import Any

from django.conf import settings
from django_ratelimit.core import get_usage
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from compliance import selectors
from compliance.contracts import Caller

WRITES = "control-plane-writes"
NEWCOMERS = "control-plane-newcomers"


class TooMany(Throttled):
    """More than one may; `Retry-After` says how long to wait. Nothing was changed."""

    default_code = "rate_limit_exceeded"

    def __init__(self, what: str, *, wait_s: int) -> None:
        super().__init__()
        self.wait = wait_s
        self.detail = f"{what} Nothing was changed; retry in {wait_s} s."  # type: ignore[assignment]


class Writes(BaseThrottle):
    """Refuses what a key records beyond `API_WRITES_PER_MINUTE`; what it reads is not counted."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        caller = request.auth
        if isinstance(caller, Caller) and request.method not in ("GET", "HEAD", "OPTIONS"):
            most = settings.API_WRITES_PER_MINUTE
            _count(
                request, WRITES, of=f"key {caller.key_id}", most=most, what=f"This key may write {most} times a minute."
            )
        return True


def require_room_for(external_id: str, *, request: Request, caller: Caller) -> None:
    """Counts somebody whom the tenant's applications have not named before; those who are known are not counted.

    Raises:
        TooMany: more than `NEW_SUBJECTS_PER_MINUTE` came, the same bound as each gateway process has.
    """
    if selectors.find(tenant_id=caller.tenant_id, external_id=external_id) is None:
        most = settings.NEW_SUBJECTS_PER_MINUTE
        what = f"At most {most} people who were never seen before can be added in a minute."
        _count(request, NEWCOMERS, of=f"tenant {caller.tenant_id}", most=most, what=what)


def _count(request: Request, group: str, *, of: str, most: int, what: str) -> None:
    def counted(group: Any, request: Any) -> str:
        return of

    usage = get_usage(request._request, group=group, key=counted, rate=f"{most}/m", increment=True)
    if usage and usage["should_limit"]:
        raise TooMany(what, wait_s=max(usage["time_left"], 1))
