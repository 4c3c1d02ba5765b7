"""Small texts of people, under their own keys: what they wrote in a request, and what they correct."""

from compliance.envelope import Place, open_record, seal_record
from compliance.errors import KeyDestroyed
from compliance.keyring import store
from compliance.keyring.store import DataKey
from compliance.models import Subject

DETAILS = "request_details"
RECTIFICATION = "rectification"
PURPOSE = "subject_requests"


def key_of(subject: Subject) -> DataKey:
    """A person's key.

    Raises:
        KeyDestroyed: it was destroyed, or never made.
        KeyStoreUnavailable: keys cannot be read now.
    """
    found = store.subject_keys(subject.tenant_id, [subject.surrogate]).get(subject.surrogate)
    if found is None:
        raise KeyDestroyed(f"{subject} has no key any more: what was encrypted under it is gone.")
    return found


def seal(text: str, *, subject: Subject, key: DataKey, record_type: str, record_id: str) -> bytes:
    """Encrypts a text, bound to the row that keeps it."""
    return seal_record(
        text.encode(), key=key.key, key_id=key.id, place=_place(subject, record_type=record_type, record_id=record_id)
    )


def opened(sealed: bytes | memoryview, *, subject: Subject, key: DataKey, record_type: str, record_id: str) -> str:
    """What `seal` encrypted.

    Raises:
        DecryptionFailed: it was altered, or is of another row.
    """
    place = _place(subject, record_type=record_type, record_id=record_id)
    return open_record(bytes(sealed), key=key.key, place=place).decode()


def _place(subject: Subject, *, record_type: str, record_id: str) -> Place:
    return Place(subject.tenant_id, subject.surrogate, record_type, record_id, PURPOSE)
