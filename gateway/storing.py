"""What the writer of transcripts asks the main database: see compliance/sql/store_in_parts.sql."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from gateway.batches import Cursor
from gateway.content import Content, Wish

_REFUSALS = "SELECT number, reason FROM content_refusals(%s::jsonb) WHERE reason <> ''"
_STORE = """
SELECT reason, requests FROM store_transcripts(
    %s::jsonb, %s::jsonb, %s::uuid[], %s::timestamptz[], %s::integer[], %s::integer[], %s::integer[], %s::integer[],
    %s::integer[], %b::bytea)
"""
_encode = msgspec.json.Encoder().encode

Work = Callable[[Cursor], Awaitable[Any]]


class Whose(Struct, frozen=True):
    """Whose content it is and on what terms it is stored: what the requests of a person have in common."""

    tenant_id: int
    surrogate: str
    purpose: str
    redacted: bool
    gpc: bool
    key_id: str | None
    reason: str


class _Asked(Struct, frozen=True):
    """A wish, in the words of `Whose`."""

    tenant_id: int
    surrogate: str
    purpose: str
    redacted: bool
    reason: str = ""


class Kind(Struct, frozen=True):
    """What else many requests have in common."""

    application_id: int
    api_key_id: int
    environment: str
    model: str
    outcome: str
    streamed: bool


class Told(Struct, frozen=True):
    """Requests by columns, as `store_transcripts` is told of it: arrays as PostgreSQL reads them."""

    people: str
    kinds: str
    columns: tuple[str, ...]


async def do(cursor: Cursor, works: list[Work]) -> list[Any]:
    """Several things over one connection."""
    return [await work(cursor) for work in works]


async def refusals(cursor: Cursor, wishes: Sequence[Wish]) -> dict[Wish, str]:
    """Of whom nothing may be stored now, and why not."""
    await cursor.execute(_REFUSALS, [_encode([_Asked(*wish) for wish in wishes]).decode()])
    return {wishes[number - 1]: reason for number, reason in await cursor.fetchall()}


def told(part: Sequence[Content]) -> Told:
    """What the database is told of them; each request with the same id and time as before, when it is sent again."""
    people: dict[tuple[Wish, bool, str], int] = {}
    kinds: dict[tuple[int, str, str, bool], int] = {}
    whose: list[Whose] = []
    kind: list[Kind] = []
    of_person: list[int] = []
    of_kind: list[int] = []
    for content in part:
        person = (content.wish, content.gpc, content.reason)
        number = people.get(person)
        if number is None:
            number = people[person] = len(people) + 1
            whose.append(Whose(*content.wish, content.gpc, content.key_id, content.reason))
        of_person.append(number)
        what = (content.principal.key_id, content.model, content.outcome, content.streamed)
        number = kinds.get(what)
        if number is None:
            number = kinds[what] = len(kinds) + 1
            kind.append(_kind(content))
        of_kind.append(number)
    columns = (
        "{" + ",".join([content.request_id for content in part]) + "}",
        _times([content.began for content in part]),
        _integers(of_person),
        _integers(of_kind),
        _integers([content.place for content in part]),
        _integers([content.length for content in part]),
        _integers([content.plain_bytes for content in part]),
    )
    return Told(_encode(whose).decode(), _encode(kind).decode(), columns)


async def store(cursor: Cursor, told: Told, sealed: bytes) -> list[tuple[str, int]]:
    """Stores what may be stored; returns how often each reason was given, '' for what was stored."""
    await cursor.execute(_STORE, (told.people, told.kinds, *told.columns, sealed))
    return list(await cursor.fetchall())


def _kind(content: Content) -> Kind:
    principal = content.principal
    return Kind(
        principal.application_id,
        principal.key_id,
        principal.environment,
        content.model,
        content.outcome,
        content.streamed,
    )


def _times(values: list[float]) -> str:
    """An array of times, given in seconds since the epoch. The part that many have in common is told once."""
    seconds: dict[int, str] = {}
    times: list[str] = []
    for second, microseconds in [divmod(round(value * 1e6), 1_000_000) for value in values]:
        start = seconds.get(second)
        if start is None:
            start = seconds[second] = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S.")
        times.append(f"{start}{microseconds:06}+00")
    return "{" + ",".join(times) + "}"


def _integers(values: list[int]) -> str:
    """An array of them; a list is written in one go."""
    return "{" + str(values)[1:-1] + "}"
