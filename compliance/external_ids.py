"""The external ids in the mapping table, each encrypted under the person's own key: erasing that erases them."""

from compliance import envelope
from compliance.errors import KeyDestroyed
from compliance.keyring import store
from compliance.keyring.store import DataKey
from compliance.models import Subject

RECORD_TYPE = "external_id"
PURPOSE = "subjects"


def seal(external_id: str, *, key: DataKey, tenant_id: int, surrogate: str, subject_id: int) -> bytes:
    """`external_id` as the person's row keeps it."""
    place = _place(tenant_id, surrogate, subject_id)
    return envelope.seal_record(external_id.encode("utf-8", "surrogatepass"), key=key.key, key_id=key.id, place=place)


def external_id_of(subject: Subject) -> str | None:
    """What the tenant's applications call the person; None where it was never kept, or not yet.

    Raises:
        KeyDestroyed: their key is no more.
        KeyStoreUnavailable: try later.
        DecryptionFailed: it was altered, or moved from another row.
    """
    if subject.external_id is None:
        return None
    key = store.subject_keys(subject.tenant_id, [subject.surrogate]).get(subject.surrogate)
    if key is None:
        raise KeyDestroyed(f"The key of {subject.surrogate} was destroyed.")
    place = _place(subject.tenant_id, subject.surrogate, subject.pk)
    return envelope.open_record(bytes(subject.external_id), key=key.key, place=place).decode("utf-8", "surrogatepass")


def _place(tenant_id: int, surrogate: str, subject_id: int) -> envelope.Place:
    return envelope.Place(tenant_id, surrogate, RECORD_TYPE, str(subject_id), PURPOSE)
