"""What the gateway asks the main database about people, for many at once. Runs in a thread, through `bridge`."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import connection

from compliance.actions import subjects

Person = tuple[int, str]
"""A tenant's id and the lookup of one of its end users."""
Newcomer = tuple[int, str, str]
"""The same, and what the tenant's application calls them."""
Wish = tuple[int, str, str]
"""A person, and the purpose that they must have agreed to."""

FIND = """
SELECT asked.tenant_id, asked.lookup, subject.surrogate, subject.state,
       subject.external_id IS NOT NULL OR subject.state = 'erased' AS is_complete,
       subject.blocked_at IS NOT NULL AS is_blocked
FROM unnest(%s::bigint[], %s::text[]) AS asked (tenant_id, lookup)
JOIN compliance_subject AS subject
  ON subject.tenant_id = asked.tenant_id AND subject.lookup = asked.lookup AND subject.lookup IS NOT NULL
"""
ALLOWS = """
SELECT asked.tenant_id, asked.lookup, asked.purpose, subject.surrogate, subject.state,
       subject.external_id IS NOT NULL OR subject.state = 'erased' AS is_complete,
       subject.blocked_at IS NOT NULL AS is_blocked,
       consent_allows(subject.tenant_id, subject.id, asked.purpose)
FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS asked (tenant_id, lookup, purpose)
JOIN compliance_subject AS subject
  ON subject.tenant_id = asked.tenant_id AND subject.lookup = asked.lookup AND subject.lookup IS NOT NULL
"""

log = structlog.get_logger("gateway.subjects")


@dataclass(frozen=True, slots=True)
class Known:
    """A person as the request path knows them. `may_process`: what their consent says, where it was asked for.

    `is_complete`: nothing of the row waits to be filled in when the person is seen. `is_blocked`: their requests are
    refused.
    """

    surrogate: str
    state: str
    may_process: bool | None = None
    is_complete: bool = True
    is_blocked: bool = False


STRANGER = Known(surrogate="", state="")
"""Nobody has seen them yet."""
REFUSED = Known(surrogate="", state="", may_process=False)
"""A stranger cannot have agreed to anything."""


def find(people: Collection[Person]) -> dict[Person, Known]:
    """Each of the people as they are known, or as a stranger."""
    rows = _rows(FIND, people)
    found = {
        (tenant, lookup): Known(surrogate, state, is_complete=is_complete, is_blocked=is_blocked)
        for tenant, lookup, surrogate, state, is_complete, is_blocked in rows
    }
    return {person: found.get(person, STRANGER) for person in people}


def allowed(wishes: Collection[Wish]) -> dict[Wish, Known]:
    """Each of the people with whether their consent allows the purpose at this moment."""
    rows = _rows(ALLOWS, wishes)
    found = {
        (tenant, lookup, purpose): Known(
            surrogate, state, may_process=allows, is_complete=is_complete, is_blocked=is_blocked
        )
        for tenant, lookup, purpose, surrogate, state, is_complete, is_blocked, allows in rows
    }
    return {wish: found.get(wish, REFUSED) for wish in wishes}


def enrol(newcomers: Collection[Newcomer]) -> dict[Newcomer, Known]:
    """Each of the newcomers as they are known from now on, without those who could not be enrolled: the trouble
    of one tenant is not that of the others."""
    by_tenant: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for tenant, lookup, external_id in newcomers:
        by_tenant[tenant][lookup] = external_id
    known = {tenant: _enrolled(tenant, wanted) for tenant, wanted in by_tenant.items()}
    return {each: known[each[0]][each[1]] for each in newcomers if each[1] in known[each[0]]}


def _enrolled(tenant_id: int, wanted: Mapping[str, str]) -> dict[str, Known]:
    try:
        found = subjects.resolve(tenant_id=tenant_id, wanted=wanted)
    except Exception as error:
        log.error("end users cannot be enrolled", tenant_id=tenant_id, count=len(wanted), error=type(error).__name__)
        return {}
    return {lookup: Known(known.surrogate, known.state) for lookup, known in found.items()}


def _rows(query: str, asked: Collection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows of a query that takes the columns of `asked` as arrays."""
    with connection.cursor() as cursor:
        cursor.execute(query, [list(column) for column in zip(*asked, strict=True)])
        return list(cursor.fetchall())
