"""What the writer of transcripts asks the main database: see compliance/sql/store_by_columns.sql."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from gateway.batches import Cursor
from gateway.content import Content
from gateway.turns import Turns

Person = tuple[int, str]
"""A tenant's id and the surrogate of one of its end users."""
Wish = tuple[int, str, str, bool]
"""The same with the purpose of storing, and whether the content is redacted."""

_REFUSALS = """
SELECT content_refusal((wish->>0)::bigint, wish->>1, wish->>2, (wish->>3)::boolean)
FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS one (wish, number)
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


_Whose = tuple[int, str, str, bool, bool, str | None, str]
_WHOSE = ("tenant_id", "surrogate", "purpose", "redacted", "gpc", "key_id", "reason")
"""Whose content it is and on what terms it is stored: what the requests of a person have in common."""

_Kind = tuple[int, int, str, str, str, bool]
_KIND = ("application_id", "api_key_id", "environment", "model", "outcome", "streamed")
"""What else many requests have in common."""


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
    await cursor.execute(_REFUSALS, [_encode(wishes).decode()])
    return [reason for (reason,) in await cursor.fetchall()]


async def told(batch: Sequence[Content], turns: Turns) -> Told:
    """What the database is told of a batch; the same each time that it is sent."""
    people: dict[_Whose, int] = {}
    kinds: dict[_Kind, int] = {}
    of_person: list[int] = []
    of_kind: list[int] = []
    times: list[str] = []
    for start in range(0, len(batch), AT_ONCE):
        some = batch[start : start + AT_ONCE]
        of_person += [people.setdefault(_whose(content), len(people) + 1) for content in some]
        of_kind += [kinds.setdefault(_kind(content), len(kinds) + 1) for content in some]
        times += [datetime.fromtimestamp(content.began, UTC).isoformat() for content in some]
        if turns.are_over:
            await turns.give()
    columns = (
        "{" + ",".join([content.request_id for content in batch]) + "}",
        "{" + ",".join(times) + "}",
        _integers(of_person),
        _integers(of_kind),
        _integers([content.place for content in batch]),
        _integers([content.length for content in batch]),
        _integers([content.plain_bytes for content in batch]),
    )
    return Told(_rows(_WHOSE, people), _rows(_KIND, kinds), columns)


async def store(cursor: Cursor, told: Told, sealed: bytes) -> list[tuple[str, int]]:
    """Stores what may be stored; returns how often each reason was given, '' for what was stored."""
    await cursor.execute(_STORE, (told.people, told.kinds, *told.columns, sealed))
    return list(await cursor.fetchall())


def _whose(content: Content) -> _Whose:
    principal, terms = content.principal, content.terms
    common = principal.tenant_id, content.surrogate, terms.purpose, terms.redacted
    return *common, content.gpc, content.key_id, content.reason


def _kind(content: Content) -> _Kind:
    principal = content.principal
    key = principal.application_id, principal.key_id, principal.environment
    return *key, content.model, content.outcome, content.streamed


def _rows(names: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return _encode([dict(zip(names, row, strict=True)) for row in rows]).decode()


def _integers(values: list[int]) -> str:
    """An array of them; a list is written in one go."""
    return "{" + str(values)[1:-1] + "}"
