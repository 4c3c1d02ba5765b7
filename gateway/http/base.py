"""REST framework's view, awaited: its authentication, permission and schema machinery.

That is possible because on this plane those steps only read memory; the one look-up that may not, of the key's
principal, is awaited by the front before they begin. REST framework's request, which would negotiate and parse, is
left out: `Asked` takes its place.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, cast

import msgspec
from django.conf import settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.views import APIView

from accounts import tokens
from accounts.tokens import Token
from gateway.errors import InvalidKey, NotAllowed, RateLimited, Refusal, WrongMethod
from gateway.http.answers import Answer
from gateway.http.sse import EventStream
from gateway.plane import Plane
from gateway.principal import Principal

_PEPPERS: dict[int, bytes] = settings.KEY_PEPPERS
_NEWEST = max(_PEPPERS)


class Front(msgspec.Struct, kw_only=True):
    """What the front found of a request before a view gets it. Without a principal it is a probe."""

    plane: Plane
    request_id: str
    address: str
    token: Token | None = None
    principal: Principal | None = None
    body: bytes = b""
    gpc: bool = False


@dataclass(slots=True)
class Asked:
    """A request, as far as a view needs to know of it. `user` is the principal, once authentication has passed."""

    front: Front
    method: str
    user: Any = None

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return cast(Principal, self.user)


async def recognise(token: Token, plane: Plane, *, address: str) -> Principal:
    """The principal whose key `token` is.

    Raises:
        InvalidKey: unknown, wrong, suspended, revoked or expired: one answer, after the same work.
        RateLimited: it is not right either, and too many such came from the network of `address`.
        Unavailable: policy cannot be read, or not be confirmed.
    """
    wait_ms = plane.failed_keys.wait_ms(address)
    if wait_ms and not plane.snapshots.has(token.public_id) and not await plane.known_ids.has(token.public_id):
        raise _too_many_wrong(wait_ms)
    try:
        principal = _matched(await plane.snapshots.principal(token.public_id), token)
        plane.uses.note(token.public_id)
        plane.rehashing.note(token, principal)
        return principal
    except InvalidKey:
        plane.failed_keys.count(address)
        if wait_ms:
            raise _too_many_wrong(wait_ms) from None
        raise


def _matched(principal: Principal | None, token: Token) -> Principal:
    stored, version = (principal.digest, principal.pepper_version) if principal else (b"", _NEWEST)
    right = tokens.matches(token.text, stored=stored, version=version, peppers=_PEPPERS)
    if principal is None or not right or not principal.usable or token.environment != principal.environment:
        raise InvalidKey
    return principal


def _too_many_wrong(wait_ms: int) -> RateLimited:
    return RateLimited(
        f"Too many wrong API keys came from your network. Retry in {wait_ms / 1000:.3f} s.", wait_ms=wait_ms
    )


class KeyAuthentication(BaseAuthentication):
    """The principal whom the front has recognised by the key: before it read the body, which only they may send."""

    def authenticate(self, request: Any) -> tuple[Any, Token]:
        front: Front = request.front
        if front.principal is None or front.token is None:
            raise InvalidKey
        return front.principal, front.token

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"


class KeyPermission(BasePermission):
    """The key's tenant has a tier, the key has the view's scope, and comes from one of its networks."""

    def has_permission(self, request: Any, view: Any) -> bool:
        principal: Principal = request.principal
        if not principal.has_tier:
            raise NotAllowed("This key's tenant has no tier yet. Ask your administrator to subscribe it to one.")
        if view.scope not in principal.scopes:
            raise NotAllowed(f"This key lacks the scope '{view.scope}'. Ask your administrator for one that has it.")
        if not principal.may_come_from(request.front.address):
            raise NotAllowed("This key may not be used from your network.")
        return True


_AUTHENTICATORS = (KeyAuthentication(),)
_PERMISSIONS = (KeyPermission(),)
"""They keep nothing, so there need not be new ones for each request."""


class AsyncView(APIView):
    """The base of the data plane's views: handlers are coroutines that return answers or raise refusals."""

    scope: ClassVar[str] = ""
    authentication_classes = [KeyAuthentication]
    permission_classes = [KeyPermission]
    parser_classes: list[Any] = []  # bodies are parsed by `wire/`
    renderer_classes = [JSONRenderer]
    throttle_classes: list[Any] = []

    def get_authenticators(self) -> Any:
        return _AUTHENTICATORS

    def get_permissions(self) -> Any:
        return _PERMISSIONS

    async def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Answer | EventStream:  # type: ignore[override]
        asked: Asked = request
        try:
            for authenticator in self.get_authenticators():
                if (found := authenticator.authenticate(request)) is not None:
                    asked.user = found[0]
            self.check_permissions(request)
            answer: Answer | EventStream = await self._handler(asked.method)(asked, **kwargs)
            return answer
        except Refusal as error:
            self._count(asked.front, error)
            raise

    def _count(self, front: Front, error: Refusal) -> None:
        """Puts a refusal of a known key on record."""
        if front.principal is not None and not isinstance(error, InvalidKey):
            status = front.plane.status_of(error)
            front.plane.refusals.count(
                front.principal, request_id=front.request_id, model="", code=error.code, status=status
            )

    def _handler(self, method: str) -> Any:
        allowed = tuple(name.upper() for name in ("get", "post") if hasattr(self, name))
        if method not in allowed:
            raise WrongMethod(f"{method} is not allowed here; use {' or '.join(allowed)}.", allowed=allowed)
        return getattr(self, method.lower())
