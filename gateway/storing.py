"""What the writer of transcripts asks the main database: see compliance/sql/store_by_columns.sql."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from msgspec import Struct

from gateway.batches import Cursor
from gateway.content import Entry
from gateway.turns import Turns

Person = tuple[int, str]
"""A tenant's id and the surrogate of one of its end users."""
Wish = tuple[int, str, str, bool]
"""The same with the purpose of storing, and whether the content is redacted."""

_REFUSALS = """
SELECT content_refusal(tenant_id, surrogate, purpose, redacted)
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::boolean[])
    WITH ORDINALITY AS wish (tenant_id, surrogate, purpose, redacted, number)
ORDER BY number
"""
_STORE = """
SELECT reason, requests FROM store_transcripts(
    %s::jsonb, %s::jsonb, %s::uuid[], %s::timestamptz[], %s::integer[], %s::integer[], %s::integer[], %s::integer[],
    %s::integer[], %b::bytea)
"""
_encode = msgspec.json.Encoder().encode

AT_ONCE = 64
"""Of how many requests it is told what they have in common before others have their turn."""


Work = Callable[[Cursor], Awaitable[Any]]


class Whose(Struct, frozen=True):
    """Whose content it is and on what terms it is stored: what the requests of a person have in common."""

    tenant_id: int
    surrogate: str
    purpose: str
    redacted: bool
    gpc: bool
    key_id: UUID | None
    reason: str


class Kind(Struct, frozen=True):
    """What else many requests have in common."""

    application_id: int
    api_key_id: int
    environment: str
    model: str
    outcome: str
    streamed: bool


class Told(Struct, frozen=True):
    """A batch by columns, as `store_transcripts` is told of it: arrays as PostgreSQL reads them."""

    people: str
    kinds: str
    columns: tuple[str, ...]


async def do(cursor: Cursor, works: list[Work]) -> list[Any]:
    """Several things over one connection."""
    return [await work(cursor) for work in works]


async def refusals(cursor: Cursor, wishes: Sequence[Wish]) -> list[str]:
    """Why nothing may be stored of each of the people now; '' where something may."""
    await cursor.execute(_REFUSALS, [list(column) for column in zip(*wishes, strict=True)])
    return [reason for (reason,) in await cursor.fetchall()]


async def told(entries: Sequence[Entry], turns: Turns) -> Told:
    """What the database is told of a batch."""
    people: dict[Whose, int] = {}
    kinds: dict[Kind, int] = {}
    of_person: list[int] = []
    of_kind: list[int] = []
    for start in range(0, len(entries), AT_ONCE):
        some = entries[start : start + AT_ONCE]
        of_person += [people.setdefault(_whose(entry), len(people) + 1) for entry in some]
        of_kind += [kinds.setdefault(_kind(entry), len(kinds) + 1) for entry in some]
        if turns.are_over:
            await turns.give()
    columns = (
        "{" + ",".join([entry.request_id for entry in entries]) + "}",
        "{" + ",".join([entry.at.isoformat() for entry in entries]) + "}",
        _integers(of_person),
        _integers(of_kind),
        _integers([entry.place for entry in entries]),
        _integers([entry.length for entry in entries]),
        _integers([entry.plain_bytes for entry in entries]),
    )
    return Told(_encode(list(people)).decode(), _encode(list(kinds)).decode(), columns)


async def store(cursor: Cursor, told: Told, sealed: bytes) -> list[tuple[str, int]]:
    """Stores what may be stored; returns how often each reason was given, '' for what was stored."""
    await cursor.execute(_STORE, (told.people, told.kinds, *told.columns, sealed))
    return list(await cursor.fetchall())


def _whose(entry: Entry) -> Whose:
    return Whose(entry.tenant_id, entry.surrogate, entry.purpose, entry.redacted, entry.gpc, entry.key_id, entry.reason)


def _kind(entry: Entry) -> Kind:
    return Kind(entry.application_id, entry.api_key_id, entry.environment, entry.model, entry.outcome, entry.streamed)


def _integers(values: list[int]) -> str:
    """An array of them; a list is written in one go."""
    return "{" + str(values)[1:-1] + "}"
