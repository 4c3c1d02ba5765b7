"""Keeps a restored database shut until the erasures since then were replayed.

The ledger's files know every erasure; each database knows how far it came. A database that is behind was restored, and
holds people, or keys, that were erased. `keyring/store.py` asks here before it opens any key.
"""

from collections.abc import Sequence
from time import monotonic

from django.db import connections

from compliance import erasure_ledger
from compliance.erasure_ledger import Entry
from compliance.errors import LedgerBroken, LedgerUnreachable, NotReplayed
from compliance.keyring.models import DeadKey
from compliance.models import Erasure

WHAT_TO_DO = "Run manage.py replay_erasures; until then nothing is decrypted."

# Written out, as this is asked for each batch of content: Django takes longer to build them than PostgreSQL to answer.
_MARK = "SELECT number, entry_hash FROM compliance_erasuremark"
_LAST = "SELECT coalesce(max(number), 0) FROM keys_erasureentry"

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
        _require()
    except (LedgerBroken, LedgerUnreachable) as error:
        raise NotReplayed(str(error)) from error
    _passed_at = began


def _require() -> None:
    # The files come last: an erasure of this moment is then one that the databases lack, and is looked for in them.
    (marked, mark_hash), known = _marked(), _known()
    head = erasure_ledger.head()
    last = head.number if head else 0
    if last < max(marked, known):
        raise LedgerBroken(
            f"The ledger of erasures has {last} entries, and the databases know {max(marked, known)}. "
            "Bring back the true copy of its files (ERASURE_LEDGER)."
        )
    if head and marked == last and mark_hash != head.entry_hash:
        raise LedgerBroken("The ledger of erasures belongs to another installation (ERASURE_LEDGER).")
    reached = min(marked, known)
    if reached == last:
        return
    behind = erasure_ledger.after(reached)
    if not _fenced(behind[marked - reached :]) or not _dead(behind):
        raise NotReplayed(f"A database was restored: it knows {reached} of {last} erasures. {WHAT_TO_DO}")


def _marked() -> tuple[int, str]:
    """How far the main database knows the ledger, and the hash of that entry."""
    with connections["default"].cursor() as cursor:
        cursor.execute(_MARK)
        return cursor.fetchone() or (0, "")


def _known() -> int:
    """How many entries the database of keys has."""
    with connections["keys"].cursor() as cursor:
        cursor.execute(_LAST)
        return int(cursor.fetchone()[0])


def _fenced(entries: Sequence[Entry]) -> bool:
    """Whether the erasures happened here: the fence comes first, the ledger's entry second, the mark a moment later."""
    ids = [entry.erasure_id for entry in entries]
    return Erasure.objects.filter(pk__in=ids, fenced_at__isnull=False).count() == len(ids)


def _dead(entries: Sequence[Entry]) -> bool:
    """Whether their keys are destroyed here, and stay so."""
    marks = {fingerprint for entry in entries for fingerprint in entry.fingerprints}
    return DeadKey.objects.filter(pk__in=[bytes.fromhex(mark) for mark in marks]).count() == len(marks)
