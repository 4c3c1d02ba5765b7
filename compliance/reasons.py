"""Reasons that people give before they see what others wrote: they must say something that can be checked later."""

from django.core.exceptions import ValidationError

LEAST = 10
MOST = 500


def checked(reason: str) -> str:
    """The reason, tidied.

    Raises:
        ValidationError: there is none, or one too short to tell anybody anything.
    """
    reason = " ".join(reason.split())
    if len(reason) < LEAST:
        raise ValidationError({"reason": f"Say why, in at least {LEAST} characters: a ticket, or a cause."})
    return reason[:MOST]
