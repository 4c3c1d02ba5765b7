"""Keeps a restored database shut until the erasures since then were replayed.

The ledger's files know every erasure; each database knows how far it came. A database that is behind was restored, and
holds people, or keys, that were erased. `keyring/store.py` asks here before it opens any key.
"""

from collections.abc import Sequence
from time import monotonic

from compliance import erasure_ledger
from compliance.erasure_ledger import Entry
from compliance.errors import LedgerBroken, LedgerUnreachable, NotReplayed
from compliance.keyring.models import DeadKey, ErasureEntry
from compliance.models import Erasure, ErasureMark

WHAT_TO_DO = "Run manage.py replay_erasures; until then nothing is decrypted."


PASSED_S = 1.0
"""How long a process may remember that it passed: keys are read for each batch, and it would ask as often."""

_passed_at = float("-inf")


def forget() -> None:
    """Has the next call look again."""
    global _passed_at
    _passed_at = float("-inf")


def require_replayed() -> None:
    """Lets pass where both databases know every erasure in the ledger; asks them once a second at most.

    Raises:
        NotReplayed: one of them was restored from a backup, or the files are behind, broken or out of reach.
    """
    global _passed_at
    began = monotonic()
    if began - _passed_at < PASSED_S:
        return
    try:
        _require(erasure_ledger.head())
    except (LedgerBroken, LedgerUnreachable) as error:
        raise NotReplayed(str(error)) from error
    _passed_at = began


def _require(head: Entry | None) -> None:
    last, mark = head.number if head else 0, ErasureMark.objects.first()
    marked = mark.number if mark else 0
    known = ErasureEntry.objects.order_by("-number").values_list("number", flat=True).first() or 0
    if last < max(marked, known):
        raise LedgerBroken(
            f"The ledger of erasures has {last} entries, and the databases know {max(marked, known)}. "
            "Bring back the true copy of its files (ERASURE_LEDGER)."
        )
    if mark and head and marked == last and mark.entry_hash != head.entry_hash:
        raise LedgerBroken("The ledger of erasures belongs to another installation (ERASURE_LEDGER).")
    behind = erasure_ledger.after(min(marked, known)) if min(marked, known) < last else []
    if not _fenced(behind[marked - last :] if marked < last else []) or not _dead(behind):
        raise NotReplayed(f"A database was restored: it knows {min(marked, known)} of {last} erasures. {WHAT_TO_DO}")


def _fenced(entries: Sequence[Entry]) -> bool:
    """Whether the erasures happened here: the fence comes first, the ledger's entry second, the mark a moment later."""
    ids = [entry.erasure_id for entry in entries]
    return Erasure.objects.filter(pk__in=ids, fenced_at__isnull=False).count() == len(ids)


def _dead(entries: Sequence[Entry]) -> bool:
    """Whether their keys are destroyed here, and stay so."""
    marks = {fingerprint for entry in entries for fingerprint in entry.fingerprints}
    return DeadKey.objects.filter(pk__in=[bytes.fromhex(mark) for mark in marks]).count() == len(marks)
