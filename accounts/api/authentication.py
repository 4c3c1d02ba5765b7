"""Who may call the control plane's API: applications, with their keys, by the same rules as on the data plane."""

import ipaddress
import re
import time

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django_ratelimit.core import get_usage
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled
from rest_framework.request import Request

from accounts import known_secrets, peppers, tokens
from accounts.actions import peppers as pepper_actions
from accounts.actions import secret_uses
from accounts.known_secrets import KnownSecret
from accounts.models import ApiKey, Application, Tenant
from accounts.tokens import Token
from accounts.uses import Uses
from compliance.contracts import SYSTEM, Actor, Caller

GROUP = "control-plane-keys"
USES_EVERY_S = 10.0
_uses = Uses()
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class InvalidKey(AuthenticationFailed):
    """The one answer for every key that does not work, whatever the reason."""

    default_detail = "Incorrect API key provided. Send a valid key as 'Authorization: Bearer pcl_...'."
    default_code = "invalid_api_key"


class TooManyWrongKeys(Throttled):
    """It is wrong, as were too many before it from the same network."""

    default_code = "rate_limit_exceeded"

    def __init__(self, wait_s: int) -> None:
        super().__init__()
        self.wait = wait_s
        self.detail = f"Too many wrong API keys came from your network. Retry in {wait_s} s."  # type: ignore[assignment]


class KeyAuthentication(BaseAuthentication):
    """An API key that is active, of an active application and tenant, not expired, and used from one of its networks.

    Wrong keys are counted by network; beyond the limit they are told to wait. Right ones never are: whoever shares an
    address with somebody who guesses is served all the same.
    """

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Caller]:
        key = _found(_sent(request))
        if key is None:
            raise _refusal(request)
        if not _may_come_from(request.META.get("REMOTE_ADDR") or "", key.allowed_networks):
            raise PermissionDenied("This key may not be used from your network.")
        return AnonymousUser(), _caller(key, request)

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


def _sent(request: Request) -> Token | None:
    """The key in the headers, if it has the form of one."""
    match = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    return tokens.parse(match[1] if match else request.headers.get("X-API-Key", "").strip())


def _found(token: Token | None) -> ApiKey | None:
    """The key that `token` is a secret of, if it works. Unknown ones cost the same work as wrong ones."""
    if token is None:
        return None
    known = known_secrets.find(token.public_id)
    stored, version = (known.digest, known.pepper_version) if known else (b"", peppers.current())
    right = tokens.matches(token.text, stored=stored, version=version, peppers=settings.KEY_PEPPERS)
    if known is None or not right or not _works(known) or token.environment != known.key.environment:
        return None
    if _uses.is_news(token.public_id, after_s=USES_EVERY_S):
        secret_uses.note_uses(times={token.public_id: time.time()})
    if known.pepper_version != peppers.current():
        moved = peppers.rehash_of(token.text, public_id=token.public_id, stored=known.digest)
        pepper_actions.rehash(secrets=[moved], by=SYSTEM)
    return known.key


def _works(known: KnownSecret) -> bool:
    key = known.key
    return (
        key.status == ApiKey.Status.ACTIVE
        and key.tenant.status == Tenant.Status.ACTIVE
        and key.application.status == Application.Status.ACTIVE
        and (known.ends_at is None or known.ends_at > timezone.now())
    )


def _may_come_from(address: str, networks: list[str]) -> bool:
    if not networks:
        return True
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in ipaddress.ip_network(network) for network in networks)


def _refusal(request: Request) -> AuthenticationFailed | Throttled:
    """Counts a wrong key, and says so; or how long to wait, where too many came."""
    if not settings.FAILED_KEYS_PER_MINUTE:
        return InvalidKey()
    rate = f"{settings.FAILED_KEYS_PER_MINUTE}/m"
    usage = get_usage(request._request, group=GROUP, key="ip", rate=rate, increment=True)
    if usage and usage["should_limit"]:
        return TooManyWrongKeys(max(usage["time_left"], 1))
    return InvalidKey()


def _caller(key: ApiKey, request: Request) -> Caller:
    return Caller(
        tenant_id=key.tenant_id,
        key_id=key.pk,
        environment=key.environment,
        scopes=frozenset(key.scopes),
        actor=Actor(
            kind="key",
            id=str(key.pk),
            ip=request.META.get("REMOTE_ADDR") or None,
            user_agent=request.headers.get("User-Agent", ""),
            request_id=request.META.get("REQUEST_ID", ""),
        ),
    )
