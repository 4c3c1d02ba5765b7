"""Who people are, and what was said with them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from compliance import transcripts
from compliance.actions import erasers
from compliance.errors import DecryptionFailed
from compliance.external_ids import external_id_of
from compliance.keyring import store
from compliance.keyring.store import DataKey
from compliance.models import (
    ContentDecision,
    Subject,
    Transcript,
)
from compliance.privacy.common import EVIDENCE, opened
from compliance.registry import Class, Person
from compliance.registry import classified as of
from compliance.stores import eraser, table, tenants_eraser


def _names(rows: Sequence[Subject]) -> list[dict[str, Any]]:
    return [opened("external_id", row, external_id_of) for row in rows]


def _conversations(rows: Sequence[Transcript]) -> list[dict[str, Any]]:
    """What is in transcripts; nothing of those whose key is gone."""
    keys: dict[tuple[int, str], DataKey | DecryptionFailed] = {}
    for tenant_id in {row.tenant_id for row in rows}:
        found = _keys(tenant_id, {row.surrogate for row in rows if row.tenant_id == tenant_id})
        keys |= {(tenant_id, surrogate): key for surrogate, key in found.items()}

    def content_of(row: Transcript) -> dict[str, Any] | None:
        match keys.get((row.tenant_id, row.surrogate)):
            case DecryptionFailed() as error:
                raise error
            case DataKey() as key:
                return transcripts.opened(row, key=key.key)
        return None

    return [opened("content", row, content_of) for row in rows]


def _keys(tenant_id: int, surrogates: Collection[str]) -> Mapping[str, DataKey | DecryptionFailed]:
    """People's keys. Where one of them was altered, each is read by itself: the others' open all the same."""
    try:
        return store.subject_keys(tenant_id, surrogates)
    except DecryptionFailed as error:
        if len(surrogates) == 1:
            return dict.fromkeys(surrogates, error)
    return {surrogate: key for one in surrogates for surrogate, key in _keys(tenant_id, {one}).items()}


def _named_subjects(person: Person) -> int:
    rows = Subject.objects.filter(tenant_id=person.tenant_id, surrogate=person.surrogate)
    return rows.exclude(lookup=None, external_id=None).count()


def _transcripts_left(person: Person) -> int:
    return Transcript.objects.filter(tenant_id=person.tenant_id, surrogate=person.surrogate).count()


PEOPLE = (
    table(
        Subject,
        "Who is behind a surrogate",
        Class.METADATA,
        of(
            nothing="id tenant_id state created_at state_since",
            surrogate="surrogate",
            subject="lookup external_id blocked_at",
        ),
        person="surrogate",
        tenant="tenant_id",
        why="Joins what applications call a person to the surrogate under which everything else knows them.",
        opened=_names,
        remains=_named_subjects,
        erase_tenant=tenants_eraser(erasers.wipe_mapping),
        severed="The fence: what they are called is emptied, so that the surrogate is nobody's.",
        until="until the person is erased or the tenant leaves; the empty row stays",
    ),
    table(
        Transcript,
        "Conversations",
        Class.CONTENT,
        of(
            nothing="id tenant_id application_id api_key_id environment model outcome streamed created_at expires_on"
            " held"
            " purpose also_for key_id plain_bytes",
            surrogate="surrogate",
            content="sealed",
        ),
        person="surrogate",
        tenant="tenant_id",
        why="What people wrote and were answered, of those who consented to it being stored.",
        opened=_conversations,
        erase=eraser(erasers.delete_transcripts),
        remains=_transcripts_left,
        erase_tenant=tenants_eraser(erasers.delete_tenants_transcripts),
        purger="transcript",
    ),
    table(
        ContentDecision,
        "Why content was stored, or was not",
        Class.METADATA,
        of(nothing="request_id tenant_id at stored reason", surrogate="surrogate"),
        person="surrogate",
        tenant="tenant_id",
        why="Shows for each request that content is stored with consent only.",
        withheld=EVIDENCE,
        erase_tenant=tenants_eraser(erasers.delete_tenants_decisions),
        purger="content_decision",
    ),
)
