"""The places that are no tables."""

from compliance.actions import erasers
from compliance.exports import files
from compliance.models import (
    SubjectRequest,
)
from compliance.registry import Class, Person, Store
from compliance.registry import classified as of
from compliance.stores import eraser


def _export_files_left(person: Person) -> int:
    rows = SubjectRequest.objects.filter(tenant_id=person.tenant_id, subject__surrogate=person.surrogate)
    return sum(files.is_any(request_id) for request_id in rows.values_list("public_id", flat=True))


PLACES = (
    Store(
        name="files.erasures",
        title="Files of the ledger of erasures",
        keeps=Class.AUDIT,
        columns=of(surrogate="surrogate lookup", nothing="number erasure_id key_ids fingerprints recorded_at"),
        why="Survive a restore of every database, so that erasures can be replayed.",
        withheld="As the ledger in the keys database.",
        until="as long as a backup could bring somebody back; not removed yet",
    ),
    Store(
        name="files.logs",
        title="Log lines",
        keeps=Class.METADATA,
        columns=of(surrogate="surrogate"),
        why="Show what went wrong. They hold neither content nor external ids.",
        withheld="A surrogate that is nobody's any more; logs are deleted by whoever runs the host.",
        until="as long as whoever runs the host keeps them",
    ),
    Store(
        name="files.exports",
        title="Files of exports for people",
        keeps=Class.EXPORTS,
        columns=of(surrogate="request", content="archive parts"),
        why="What people are given of their data: every file is encrypted under the key of its person.",
        erase=eraser(erasers.delete_export_files),
        remains=_export_files_left,
        purger="exports",
    ),
    Store(
        name="files.tenant_exports",
        title="Files of exports for tenants that leave",
        keeps=Class.EXPORTS,
        columns=of(surrogate="erasure", subject="records", content="conversations", staff="names"),
        why="What a tenant takes along, in clear and readable by the server's user only.",
        withheld="It is the tenant's, who answers for it from then on; the file is deleted when its time is over.",
        purger="exports",
    ),
    Store(
        name="files.backups",
        title="Backups",
        keeps=Class.BACKUPS,
        columns=of(surrogate="data", staff="users", opens="keys"),
        why="Bring everything back after a loss. Encrypted; keys apart from the data, and restored only behind a replay"
        " of the erasures since.",
        withheld="Content in them is of no use without the person's key, which is in no backup that is made after the"
        " erasure; the last one that has it is gone on the day that the certificate names (GDPR, 32(1)(c)).",
        until="BACKUP_DAYS and BACKUP_WEEKS, and KEYS_BACKUP_DAYS for the keys",
    ),
    Store(
        name="tables.django_cache",
        title="Counters of tries",
        keeps=Class.METADATA,
        columns=of(nothing="value expires", staff="cache_key"),
        why="How often an address, a user or a key has tried something, by a hash, so that nobody can guess for long.",
        until="minutes, at most an hour: as long as what is counted",
    ),
    Store(
        name="memory.keys",
        title="Keys in memory",
        keeps=Class.CONTENT,
        columns=of(opens="tenant_keys"),
        why="Tenants' keys, for a minute at most. People's keys are read for each batch and forgotten with it.",
    ),
)
