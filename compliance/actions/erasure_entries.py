"""Writes the ledger of erasures: into its files first, then into the keys database, in one order for all processes."""

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from compliance import erasure_ledger
from compliance.contracts import Actor
from compliance.erasure_ledger import Entry
from compliance.errors import LedgerBroken
from compliance.keyring.models import ErasureEntry
from compliance.models import Erasure, ErasureMark


def enter(*, erasure: Erasure, by: Actor) -> Entry:
    """Adds an erasure to the ledger, once. On disk, and in both databases, when it returns.

    Raises:
        LedgerUnreachable: a file cannot be read or written.
        LedgerBroken: the files, or the files and the database, tell different stories.
    """
    with erasure_ledger.locked():
        with transaction.atomic(using="keys"):
            entry = _known(erasure) or _append(erasure)
        _mark(entry)
    return entry


def follow(*, entries: Sequence[Entry], by: Actor) -> None:
    """Adds to the keys database what the files have and it has not: after a restore, or a crash in between.

    Raises:
        LedgerBroken: the database knows entries that the files do not.
    """
    with transaction.atomic(using="keys"):
        _follow(entries)


def mark(*, entry: Entry, by: Actor) -> None:
    """Says that the main database is behind the fence of all erasures up to that one."""
    _mark(entry)


def _known(erasure: Erasure) -> Entry | None:
    """What was entered before a crash. The files may be one ahead of the database, never behind it."""
    last, row = erasure_ledger.head(), ErasureEntry.objects.order_by("-number").first()
    if not _same(last, row):
        _follow(erasure_ledger.read())
    found = ErasureEntry.objects.filter(erasure_id=erasure.pk).first()
    return _entry_of(found) if found else None


def _append(erasure: Erasure) -> Entry:
    last = erasure_ledger.head()
    entry = Entry(
        number=last.number + 1 if last else 1,
        erasure_id=erasure.pk,
        tenant_id=erasure.tenant_id,
        surrogate=erasure.surrogate,
        lookup=erasure.lookup,
        successor=erasure.successor,
        key_ids=tuple(str(key_id) for key_id in erasure.key_ids),
        fingerprints=tuple(erasure.fingerprints),
        recorded_at=timezone.now(),
    ).chained_to(last)
    erasure_ledger.append(entry, after=last)
    _insert(entry)
    return entry


def _follow(entries: Sequence[Entry]) -> None:
    known = ErasureEntry.objects.count()
    row = ErasureEntry.objects.order_by("-number").first()
    if known > len(entries) or (row and not _same(entries[known - 1], row)):
        raise LedgerBroken(
            f"The keys database knows {known} erasures, the ledger's files {len(entries)}, and they must agree. "
            "Bring back the true copy of the files (ERASURE_LEDGER)."
        )
    for entry in entries[known:]:
        _insert(entry)


def _same(entry: Entry | None, row: ErasureEntry | None) -> bool:
    if entry is None or row is None:
        return entry is None and row is None
    return entry.number == row.number and entry.entry_hash == bytes(row.entry_hash).hex()


def _insert(entry: Entry) -> None:
    ErasureEntry.objects.create(
        number=entry.number,
        erasure_id=entry.erasure_id,
        tenant_id=entry.tenant_id,
        surrogate=entry.surrogate,
        lookup=entry.lookup,
        successor=entry.successor,
        key_ids=list(entry.key_ids),
        fingerprints=list(entry.fingerprints),
        recorded_at=entry.recorded_at,
        entry_hash=bytes.fromhex(entry.entry_hash),
    )


def _entry_of(row: ErasureEntry) -> Entry:
    return Entry(
        number=row.number,
        erasure_id=row.erasure_id,
        tenant_id=row.tenant_id,
        surrogate=row.surrogate,
        lookup=row.lookup,
        successor=row.successor,
        key_ids=tuple(row.key_ids),
        fingerprints=tuple(row.fingerprints),
        recorded_at=row.recorded_at,
        entry_hash=bytes(row.entry_hash).hex(),
    )


def _mark(entry: Entry) -> None:
    """Entries are made one after the other, each behind its fence: who marks one has all before it fenced too."""
    ErasureMark.objects.get_or_create(pk=1)
    later = ErasureMark.objects.filter(pk=1, number__lt=entry.number)
    later.update(number=entry.number, entry_hash=entry.entry_hash)
