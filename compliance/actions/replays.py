"""Repeats the erasures of the ledger, after a restore brought back what they had destroyed."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from compliance import audit, erasure_ledger, registry
from compliance.actions import erasure_entries, keys
from compliance.contracts import Actor, Target
from compliance.erasure_ledger import Entry
from compliance.errors import LedgerBroken, LedgerUnreachable
from compliance.models import Erasure, ErasureMark, ErasureStep, Subject

Tell = Callable[[int, int], None]
"""Takes how many entries are replayed, and how many there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay found: entries in all, and the erasures of those who were back; they are to be advanced."""

    entries: int
    again: tuple[Erasure, ...]


def replay(*, by: Actor, tell: Tell = lambda done, total: None, none_yet: bool = False) -> Replayed:
    """Fences and destroys again whatever the ledger's files name, in their order. Idempotent, and can be cut off.

    Args:
        none_yet: nobody was ever erased here, so that there need not be a file.

    Raises:
        LedgerUnreachable: the files cannot be read.
        LedgerBroken: they were changed, or know less than one of the databases.
        KeyStoreUnavailable: the keys database does not answer.
    """
    with erasure_ledger.locked():
        entries = _entries(none_yet=none_yet)
        erasure_entries.follow(entries=entries, by=by)
        again: list[Erasure] = []
        for done, entry in enumerate(entries, 1):
            again += _repeat(entry, by=by)
            tell(done, len(entries))
        if entries:
            erasure_entries.mark(entry=entries[-1], by=by)
        _note(entries, len(again), by=by)
    return Replayed(entries=len(entries), again=tuple(again))


def _entries(*, none_yet: bool) -> list[Entry]:
    """The whole ledger, in every file."""
    if not none_yet and not any(path.exists() for path in erasure_ledger.paths()):
        raise LedgerUnreachable(
            f"There is no ledger of erasures at {erasure_ledger.paths()[0]}. Mount it, or name it in ERASURE_LEDGER; "
            "if nobody was ever erased here, say so with --none-yet."
        )
    entries, mark = erasure_ledger.read(), ErasureMark.objects.first()
    known = mark.number if mark else 0
    if known > len(entries) or (mark and known and entries[known - 1].entry_hash != mark.entry_hash):
        raise LedgerBroken(
            f"The database knows {known} erasures that the ledger's {len(entries)} entries do not contain. "
            "Bring back the true copy of the files (ERASURE_LEDGER)."
        )
    erasure_ledger.write(entries)
    return entries


@transaction.atomic
def _note(entries: list[Entry], again: int, *, by: Actor) -> None:
    ErasureMark.objects.filter(pk=1).update(replayed_at=timezone.now())
    audit.record(
        by=by,
        action="erasures.replayed",
        target=Target("erasuremark", "1"),
        tenant_id=None,
        after={"entries": len(entries), "again": again},
    )


@transaction.atomic
def _repeat(entry: Entry, *, by: Actor) -> list[Erasure]:
    """One entry: its people behind the fence, its keys dead, and its erasure one that goes on by itself."""
    if not entry.surrogate:
        return _repeat_tenant(entry, by=by)
    back = _back(entry)
    for subject in back:
        subject.state, subject.lookup, subject.external_id = Subject.State.ERASED, None, None
        subject.state_since = timezone.now()
        subject.save(update_fields=("state", "lookup", "external_id", "state_since"))
    _keep_erased(entry)
    dead = {entry.surrogate, *(subject.surrogate for subject in back)}
    keys.destroy_subject_keys(tenant_id=entry.tenant_id, surrogates=sorted(dead), by=by, reason="replayed")
    _bury(entry, by=by)
    return [_erasure_of(entry)] if back else []


def _repeat_tenant(entry: Entry, *, by: Actor) -> list[Erasure]:
    """A tenant that had left: everything of it that can be erased, once more."""
    back = sum(_all_of(each.erase_tenant, entry.tenant_id) for each in registry.stores() if each.erase_tenant)
    keys.destroy_tenant_keys(tenant_id=entry.tenant_id, by=by, reason="replayed")
    _bury(entry, by=by)
    return [_erasure_of(entry)] if back else []


def _all_of(erase: Callable[[int], int], tenant_id: int) -> int:
    """Erases slice by slice, until nothing is left; returns how much that was."""
    total = erased = erase(tenant_id)
    while erased:
        erased = erase(tenant_id)
        total += erased
    return total


def _bury(entry: Entry, *, by: Actor) -> None:
    """Keeps the destroyed keys from being stored again, also where none of them came back."""
    keys.bury(fingerprints=[bytes.fromhex(mark) for mark in entry.fingerprints], at=entry.recorded_at, by=by)


def _back(entry: Entry) -> list[Subject]:
    """Who is in the mapping again: under the erased surrogate, or enrolled anew between the restore and now."""
    rows = Subject.objects.select_for_update().filter(tenant_id=entry.tenant_id)
    old = rows.filter(surrogate=entry.surrogate).first()
    if old is None:
        return list(rows.filter(lookup=entry.lookup).exclude(surrogate=entry.successor))
    return [old] if old.lookup is not None or old.state != Subject.State.ERASED else []


def _keep_erased(entry: Entry) -> None:
    """Where the entry knows who it was."""
    if entry.lookup and not Subject.objects.filter(tenant_id=entry.tenant_id, lookup=entry.lookup).exists():
        Subject.objects.create(
            tenant_id=entry.tenant_id, surrogate=entry.successor, lookup=entry.lookup, state=Subject.State.ERASED
        )


def _erasure_of(entry: Entry) -> Erasure:
    """The erasure as one that is under way: what it had purged from other stores may be back too."""
    erasure, _ = Erasure.objects.update_or_create(
        pk=entry.erasure_id,
        defaults={
            "tenant_id": entry.tenant_id,
            "surrogate": entry.surrogate,
            "state": Erasure.State.RUNNING,
            "fenced_at": timezone.now(),
            "lookup": entry.lookup,
            "successor": entry.successor,
            "ledger_number": entry.number,
            "problem": "",
        },
    )
    erasure.steps.update(state=ErasureStep.State.WAITING, done_at=None)
    return erasure
