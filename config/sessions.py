"""Sessions in the database, under a hash of what browsers hold: whoever reads the table can go on with none of them."""

import hashlib
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.models import Session
from django.utils import timezone

STORED_CHARS = 40
"""All that Django's column takes: 160 bits, of a random key that has more."""


def stored(session_key: str) -> str:
    """What a session lies under: SHA-256 of its key, which is random and long, so no salt is needed."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:STORED_CHARS]


class SessionStore(db.SessionStore):
    """Django's own, but for what rows are found by. The control plane is synchronous; so is this."""

    def _get_session_from_db(self) -> Session | None:
        own = Session.objects.filter(session_key=stored(self.session_key or ""), expire_date__gt=timezone.now())
        found = own.first()
        if found is None:
            self._session_key = None
        return found

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(session_key=stored(session_key)).exists()

    def create_model_instance(self, data: dict[str, Any]) -> Any:
        row = super().create_model_instance(data)
        row.session_key = stored(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            Session.objects.filter(session_key=stored(key)).delete()
