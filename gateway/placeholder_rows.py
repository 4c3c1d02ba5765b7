"""What placeholders stand for, kept and found again for the requests of people. Runs in a thread, through `bridge`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from django.db import connection
from msgspec import Struct

from compliance.envelope import Place, open_record, seal_record
from compliance.keyring import store
from compliance.keyring.store import DataKey
from compliance.models import Purpose
from compliance.privacy.common import opened
from compliance.registry import Person as Subject
from gateway import subject_keys
from gateway.content import Person
from gateway.guards.placeholders import Given
from gateway.models import GuardPlaceholder

PURPOSE = str(Purpose.STORE_CONVERSATIONS)
"""What people must have agreed to: a value out of what they wrote is a piece of it."""

RECORD_TYPE = "guard_placeholder"

_ALLOWED = """
SELECT named.tenant_id, named.surrogate
FROM unnest(%s::bigint[], %s::text[]) AS named (tenant_id, surrogate)
JOIN compliance_subject AS subject ON subject.surrogate = named.surrogate AND subject.tenant_id = named.tenant_id
WHERE subject.state = 'active' AND consent_allows(subject.tenant_id, subject.id, %s)
"""
_STORE = """
SELECT store_placeholders(%s::bigint[], %s::text[], %s::text[], %s::uuid[], %s::bytea[], %s::integer[], %s)
"""
_FIND = """
SELECT there.code, there.sealed FROM gateway_guardplaceholder AS there
WHERE there.tenant_id = %s AND there.surrogate = %s AND there.code = ANY (%s)
  AND there.expires_at > statement_timestamp()
"""


class Keep(Struct, frozen=True):
    """What is to be kept of one person for `seconds`."""

    person: Person
    seconds: int
    given: Given


def remember(keeps: Collection[Keep]) -> int:
    """Keeps what may be kept, and returns how many that were. Of others not even a key is made."""
    allowed = _allowed({keep.person for keep in keeps})
    keys = subject_keys.of(allowed) if allowed else {}
    rows = [_row(keep, keys[keep.person]) for keep in keeps if keep.person in keys]
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_STORE, [*(list(column) for column in zip(*rows, strict=True)), PURPOSE])
        return int(cursor.fetchone()[0])


def recall(person: Person, codes: Collection[str]) -> list[Given]:
    """What was kept under those codes of a person who still allows it.

    Raises:
        KeyStoreUnavailable, NotReplayed, DecryptionFailed: their key cannot be read.
    """
    if not _allowed({person}):
        return []
    tenant_id, surrogate = person
    with connection.cursor() as cursor:
        cursor.execute(_FIND, [tenant_id, surrogate, list(codes)])
        rows = cursor.fetchall()
    key = store.subject_keys(tenant_id, [surrogate]).get(surrogate) if rows else None
    return [_opened(person, code, sealed, key) for code, sealed in rows] if key else []


def count(person: Subject) -> int:
    """How many are kept of a person."""
    return GuardPlaceholder.objects.filter(tenant_id=person.tenant_id, surrogate=person.surrogate).count()


def values(rows: Sequence[GuardPlaceholder]) -> list[dict[str, Any]]:
    """For exports: what is in the rows, as `value`; nothing of those whose key is gone."""
    keys: dict[Person, DataKey] = {}
    for tenant_id in {row.tenant_id for row in rows}:
        found = store.subject_keys(tenant_id, {row.surrogate for row in rows if row.tenant_id == tenant_id})
        keys |= {(tenant_id, surrogate): key for surrogate, key in found.items()}

    def value_of(row: GuardPlaceholder) -> str | None:
        person = (row.tenant_id, row.surrogate)
        return _opened(person, row.code, row.sealed, keys[person]).value if person in keys else None

    return [opened("value", row, value_of) for row in rows]


def _allowed(people: Iterable[Person]) -> set[Person]:
    """Those who are there, and whose consent holds now."""
    tenants, surrogates = zip(*people, strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_ALLOWED, [list(tenants), list(surrogates), PURPOSE])
        return {(tenant_id, surrogate) for tenant_id, surrogate in cursor.fetchall()}


def _row(keep: Keep, key: DataKey) -> tuple[Any, ...]:
    given, (tenant_id, surrogate) = keep.given, keep.person
    plaintext = msgspec.json.encode({"rule": given.rule, "value": given.value})
    sealed = seal_record(plaintext, key=key.key, key_id=key.id, place=_place(keep.person, given.code))
    return tenant_id, surrogate, given.code, key.id, sealed, keep.seconds


def _opened(person: Person, code: str, sealed: bytes | memoryview, key: DataKey) -> Given:
    """
    Raises:
        DecryptionFailed: it is not theirs, was altered, or was moved here from elsewhere.
    """
    content: Mapping[str, str] = msgspec.json.decode(
        open_record(bytes(sealed), key=key.key, place=_place(person, code)), type=dict[str, str]
    )
    return Given(code=code, rule=content["rule"], value=content["value"])


def _place(person: Person, code: str) -> Place:
    tenant_id, surrogate = person
    return Place(tenant_id, surrogate, RECORD_TYPE, code, PURPOSE)
