"""Who a request is for: from the lookup of an end user to the surrogate that everything else knows them by.

Those seen lately are at hand; the others are asked for, many at once, and those never seen are enrolled. A consent that
a tenant requires for each request is not kept at all, so that a withdrawal holds from the next request on.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from gateway.errors import RateLimited, Unavailable
from gateway.gathering import Gathering
from gateway.subject_rows import STRANGER, Known, Newcomer, Person, Wish

KEPT_S = 60.0
KEPT_UNTOLD_S = 5.0
"""Where nobody tells of changes (`watch.py` does not listen)."""
MOST_KEPT = 100_000
ANSWERED_WITHIN_S = 5.0

Item = TypeVar("Item")
Find = Callable[[tuple[Person, ...]], Awaitable[Mapping[Person, Known]]]
Enrol = Callable[[tuple[Newcomer, ...]], Awaitable[Mapping[Newcomer, Known]]]
Allowed = Callable[[tuple[Wish, ...]], Awaitable[Mapping[Wish, Known]]]


@dataclass(frozen=True, slots=True)
class _Entry:
    known: Known
    until: float


class Subjects:
    """`find` and `enrol` people, and ask what is `allowed`: one call of each at a time."""

    def __init__(
        self, *, find: Find, enrol: Enrol, allowed: Allowed, new_per_minute: int, kept_s: float = KEPT_S
    ) -> None:
        self._find = Gathering(find)
        self._enrol = Gathering(enrol)
        self._allowed = Gathering(allowed)
        self._intake = Intake(new_per_minute)
        self._kept_s = kept_s
        self._kept: OrderedDict[Person, _Entry] = OrderedDict()
        self._enrolling: set[Person] = set()
        self._drops = 0

    async def resolve(self, tenant_id: int, lookup: str, external_id: str, *, purpose: str = "") -> Known:
        """The person behind `lookup`. With `purpose` also whether they agreed to it, as of now; a stranger did not, and
        stays one: without a surrogate.

        Raises:
            RateLimited: too many of the tenant's end users were new within a minute.
            Unavailable: the main database does not answer, and the person is not at hand.
        """
        if purpose:
            return await self._asked(tenant_id, lookup, external_id, purpose)
        person = (tenant_id, lookup)
        entry = self._kept.get(person)
        if entry is not None and time.monotonic() < entry.until:
            self._kept.move_to_end(person)
            return entry.known
        return await self._resolve(person, external_id, entry)

    def forget(self, tenant_id: int, lookup: str) -> None:
        """Something about a person has changed."""
        self._drops += 1
        self._kept.pop((tenant_id, lookup), None)

    def forget_all(self) -> None:
        self._drops += 1
        self._kept.clear()

    async def _asked(self, tenant_id: int, lookup: str, external_id: str, purpose: str) -> Known:
        known = await _answer(self._allowed, (tenant_id, lookup, purpose))
        if not known.is_complete:
            self._enrol.mention((tenant_id, lookup, external_id))
        return known

    async def _resolve(self, person: Person, external_id: str, entry: _Entry | None) -> Known:
        drops = self._drops
        try:
            known = await _answer(self._find, person)
        except Unavailable:
            if entry is None or drops != self._drops:
                raise
            return entry.known  # surrogates do not change while nobody can change anything
        if known is STRANGER:
            known = await self._enrolled(person, external_id)
        elif not known.is_complete:
            self._enrol.mention((*person, external_id))
        if drops == self._drops:  # else it may be from before what has changed
            self._keep(person, known)
        return known

    async def _enrolled(self, person: Person, external_id: str) -> Known:
        is_counted = person in self._enrolling  # by another request for the same person
        if not is_counted:
            self._intake.take(person[0])
            self._enrolling.add(person)
        try:
            return await _answer(self._enrol, (*person, external_id))
        finally:
            if not is_counted:
                self._enrolling.discard(person)

    def _keep(self, person: Person, known: Known) -> None:
        self._kept[person] = _Entry(known, time.monotonic() + self._kept_s)
        self._kept.move_to_end(person)
        if len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


class Intake:
    """How many new people a tenant may have: `per_minute` at once, then one each 60 / `per_minute` seconds (GCRA).

    Rows of the mapping table stay, so nobody may fill it at will. Counted per process.
    """

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._interval_s = 60 / per_minute
        self._full_at: dict[int, float] = {}  # by tenant; there are only so many

    def take(self, tenant_id: int) -> None:
        """Counts one.

        Raises:
            RateLimited: they are too many.
        """
        now = time.monotonic()
        full_at = max(self._full_at.get(tenant_id, now), now) + self._interval_s
        wait_s = full_at - now - 60.0
        if wait_s > 1e-6:  # what sums of intervals are off by
            raise RateLimited(
                f"Too many new end users: at most {self._per_minute} a minute are taken in. Requests for those already "
                "known are answered. Check that safety_identifier and user name people, not requests.",
                wait_ms=int(wait_s * 1000) + 1,
            )
        self._full_at[tenant_id] = full_at


async def _answer(gathering: Gathering[Item, Known], item: Item) -> Known:
    try:
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            return await gathering.ask(item)
    except Exception as error:
        raise Unavailable("The gateway cannot look up end users right now. Retry in a moment.") from error
