"""What every part of this register needs: why something is kept, and how sealed columns are read."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import models

from compliance import sealing, unreadable
from compliance.errors import DecryptionFailed, KeyDestroyed
from compliance.models import (
    Subject,
)

Row = TypeVar("Row", bound=models.Model)

EVIDENCE = (
    "Kept without a name as evidence that the law was followed (GDPR, articles 5(2), 7(1) and 17(3)(e)): the"
    " surrogate in it is nobody's any more."
)
NOT_REMOVED = "kept; not removed yet"


def text(subject: Subject, sealed: bytes | memoryview | None, *, record_type: str, record_id: str) -> str | None:
    if sealed is None:
        return None
    key = sealing.key_of(subject)
    return sealing.opened(sealed, subject=subject, key=key, record_type=record_type, record_id=record_id)


def opened(name: str, row: Row, text_of: Callable[[Row], Any]) -> dict[str, Any]:
    """The field of a record that is encrypted in the table; nothing where the person was erased."""
    try:
        return {name: text_of(row)}
    except KeyDestroyed:
        return {name: None}
    except DecryptionFailed as error:
        return unreadable.instead_of(name, table=row._meta.label_lower, id=row.pk, error=error)
