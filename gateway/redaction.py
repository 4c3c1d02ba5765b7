"""Where what can redact content plugs in: tenants that demand redaction have nothing stored where nothing does."""

from typing import Protocol

from gateway.guards.base import Guarding


class Redactor(Protocol):
    """Takes out of content what must not be stored."""

    def redacted(self, plaintext: bytes, guarding: Guarding | None) -> bytes:
        """The JSON of a request and its answer, without it. `guarding`: the policy that held for the request.

        Raises:
            ValueError: that cannot be done, and so it must not be stored.
        """
        ...


_plugged_in: list[Redactor] = []


def plug_in(redactor: Redactor) -> None:
    """Says what redacts; called once, when the apps are ready."""
    _plugged_in[:] = [redactor]


def redactor() -> Redactor | None:
    """What redacts; None while nothing can."""
    return _plugged_in[0] if _plugged_in else None
