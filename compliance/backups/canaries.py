"""Two that are nobody: what they say is sealed before each backup, and tried after each restore.

They have keys as people have, under a key of a tenant that cannot be (0). One must open in whatever was restored. The
other is erased in every drill, by an entry that the drill adds to its own copy of the ledger of erasures: replaying it
must leave nothing that opens.
"""

from uuid import uuid4

from django.utils import timezone

from compliance import envelope, erasure_ledger
from compliance.actions import keys
from compliance.envelope import Place
from compliance.erasure_ledger import Entry
from compliance.errors import DecryptionFailed
from compliance.keyring import store
from compliance.keyring.models import SubjectKey

TENANT = 0
KEPT, ERASED = "eu_canary_that_is_kept", "eu_canary_that_is_erased"


def seal(label: str) -> tuple[bytes, bytes]:
    """What both of them say in the backup of that name.

    Raises:
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
    """
    known = keys.make_subject_keys(tenant_id=TENANT, surrogates=(KEPT, ERASED))
    kept, erased = (
        envelope.seal_record(label.encode(), key=known[each].key, key_id=known[each].id, place=_place(each, label))
        for each in (KEPT, ERASED)
    )
    return kept, erased


def opens(sealed: bytes, surrogate: str, label: str) -> bool:
    """Whether one of them still says what it said.

    Raises:
        KeyStoreUnavailable: the keys database or the provider of the root keys does not answer.
    """
    known = store.subject_keys(TENANT, [surrogate])
    if surrogate not in known:
        return False
    try:
        return envelope.open_record(sealed, key=known[surrogate].key, place=_place(surrogate, label)) == label.encode()
    except DecryptionFailed:
        return False


def with_erasure(entries: list[Entry]) -> list[Entry]:
    """The ledger of erasures with one more: that of the canary which is to be erased, as if it were a person."""
    key = SubjectKey.objects.filter(tenant_id=TENANT, surrogate=ERASED).first()
    entry = Entry(
        number=len(entries) + 1,
        erasure_id=uuid4(),
        tenant_id=TENANT,
        surrogate=ERASED,
        lookup="",
        successor="",
        key_ids=(str(key.pk),) if key else (),
        fingerprints=(bytes(key.fingerprint).hex(),) if key else (),
        recorded_at=timezone.now(),
    )
    return [*entries, entry.chained_to(entries[-1] if entries else None)]


def ledger_of_drill() -> bytes:
    """The lines of the ledger that a drill replays.

    Raises:
        LedgerUnreachable, LedgerBroken: the installation's own cannot be read.
    """
    return b"".join(entry.line() for entry in with_erasure(erasure_ledger.read()))


def _place(surrogate: str, label: str) -> Place:
    return Place(TENANT, surrogate, "backup_canary", label, "backup")
