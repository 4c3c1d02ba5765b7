"""What the data plane knows of policy: compiled values, kept until the policy they came from changes.

`watch.py` tells when something changed, and confirms that nothing else did. A value that could not be confirmed for
`TRUSTED_FOR_S` is not served.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from gateway.compile import Compiled, Revisions
from gateway.errors import Unavailable
from gateway.models.policy import GLOBAL_SCOPE
from gateway.principal import Principal
from gateway.routing import RouteTable

TRUSTED_FOR_S = 10.0
UNKNOWN_KEPT_S = 0.5
MOST_PRINCIPALS = 20_000
MOST_UNKNOWN = 10_000

T = TypeVar("T")
LoadPrincipal = Callable[[str], Awaitable[Compiled[Principal | None]]]
LoadRoutes = Callable[[], Awaitable[Compiled[RouteTable]]]


@dataclass(slots=True)
class _Entry(Generic[T]):
    value: T
    revisions: Revisions


class Snapshots:
    """Principals by public id and the route table, each loaded once however many requests wait for it."""

    def __init__(self, *, load_principal: LoadPrincipal, load_routes: LoadRoutes) -> None:
        self._load_principal = load_principal
        self._load_routes = load_routes
        self._principals: OrderedDict[str, _Entry[Principal]] = OrderedDict()
        self._unknown: dict[str, float] = {}  # until when; apart, so that made-up keys push no real one out
        self._routes: _Entry[RouteTable] | None = None
        self._loading: dict[str, asyncio.Future[Any]] = {}
        self._drops = 0
        self._confirmed_at = float("-inf")

    async def principal(self, public_id: str) -> Principal | None:
        """The principal of a key, or None when there is no such key.

        Raises:
            Unavailable: the policy could not be read, or not be confirmed, for too long.
        """
        self._require_confirmed()
        entry = self._principals.get(public_id)
        if entry is not None and time.time() < entry.value.changes_at:
            self._principals.move_to_end(public_id)
            return entry.value
        if time.monotonic() < self._unknown.get(public_id, 0.0):
            return None
        return await self._once(public_id, lambda: self._fill_principal(public_id))

    def has(self, public_id: str) -> bool:
        """Whether the principal of a key is at hand, if perhaps not up to date."""
        return public_id in self._principals

    async def routes(self) -> RouteTable:
        """The route table.

        Raises:
            Unavailable: the policy could not be read, or not be confirmed, for too long.
        """
        self._require_confirmed()
        if self._routes is not None and time.time() < self._routes.value.expires_at:
            return self._routes.value
        return await self._once("/routes", self._fill_routes)

    def confirm(self, revisions: Revisions, *, at: float) -> None:
        """Takes the revisions that were read at monotonic time `at`, and drops what is older than they are."""
        for scope in {scope for scope, current in self.revisions().items() if revisions.get(scope, 0) != current}:
            self.drop(scope)
        self._confirmed_at = at

    @property
    def age_s(self) -> float:
        """Since everything here was last confirmed."""
        return time.monotonic() - self._confirmed_at

    def revisions(self) -> Revisions:
        """The scopes that something here depends on, each with the lowest revision in use."""
        lowest: Revisions = {GLOBAL_SCOPE: self._routes.revisions[GLOBAL_SCOPE]} if self._routes else {}
        for entry in self._principals.values():
            for scope, revision in entry.revisions.items():
                lowest[scope] = min(revision, lowest.get(scope, revision))
        return lowest

    def drop(self, scope: int) -> None:
        """Forgets what depends on `scope`: a tenant's id, or GLOBAL_SCOPE for everything."""
        self._drops += 1
        if scope == GLOBAL_SCOPE:
            self.drop_all()
            return
        self._unknown.clear()
        for public_id in [key for key, entry in self._principals.items() if scope in entry.revisions]:
            del self._principals[public_id]

    def drop_all(self) -> None:
        self._drops += 1
        self._principals.clear()
        self._unknown.clear()
        self._routes = None

    def _require_confirmed(self) -> None:
        if time.monotonic() - self._confirmed_at > TRUSTED_FOR_S:
            raise Unavailable("The gateway cannot confirm its policy right now. Retry in a moment.")

    async def _once(self, name: str, fill: Callable[[], Awaitable[T]]) -> T:
        """Runs `fill`, or waits for the run that is under way; a leaving client does not end it for the others."""
        task = self._loading.get(name)
        if task is None:
            task = self._loading[name] = asyncio.ensure_future(fill())
            task.add_done_callback(lambda _: self._loading.pop(name, None))
        return cast(T, await asyncio.shield(task))

    async def _fill_principal(self, public_id: str) -> Principal | None:
        compiled = await self._fresh(lambda: self._load_principal(public_id))
        if compiled.value is None:
            self._remember_unknown(public_id)
            return None
        self._principals[public_id] = _Entry(compiled.value, compiled.revisions)
        if len(self._principals) > MOST_PRINCIPALS:
            self._principals.popitem(last=False)
        return compiled.value

    def _remember_unknown(self, public_id: str) -> None:
        if len(self._unknown) >= MOST_UNKNOWN:
            self._unknown.clear()
        self._unknown[public_id] = time.monotonic() + UNKNOWN_KEPT_S

    async def _fill_routes(self) -> RouteTable:
        compiled = await self._fresh(self._load_routes)
        self._routes = _Entry(compiled.value, compiled.revisions)
        return compiled.value

    async def _fresh(self, load: Callable[[], Awaitable[Compiled[T]]]) -> Compiled[T]:
        """Loads, and loads again when something was dropped meanwhile: what was read may be from before."""
        for _ in range(5):
            drops = self._drops
            try:
                compiled = await load()
            except Exception as error:
                raise Unavailable("The gateway cannot read its policy right now. Retry in a moment.") from error
            if drops == self._drops:
                return compiled
        return compiled
