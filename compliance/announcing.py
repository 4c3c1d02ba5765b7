"""Tells people and programs what they have to act on: a key that expires, a log that was altered, a backup that fails.

Whoever has the channels (addresses, webhook endpoints) registers how to tell: `billing/actions/announcements.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What is told, once for each `kind`, tenant and `subject` until it is over.

    Args:
        kind: as in `key_expiring`; one of those that the channel knows.
        tenant_id: whom it concerns; None: the platform's own people.
        subject: what makes it one and not another, e.g. `apikey 12 7`. No personal data, no secrets.
        label: the same in words for people.
        facts: values for mails and webhooks: texts and whole numbers.
        addresses: who is written to besides those who always are.
    """

    kind: str
    tenant_id: int | None
    subject: str
    label: str
    facts: Mapping[str, str | int] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()


Channel = Callable[[Announcement], bool]
"""Tells, in the caller's transaction: what is rolled back was never told. Returns whether it is new."""
Closing = Callable[[str, int | None, str], int]
"""Says of a kind, tenant and subject that it is over; returns how many there were."""

Opened = Callable[[str, int | None], list[str]]
"""The subjects of a kind and tenant that were told and are not over."""

_channels: list[tuple[Channel, Closing, Opened]] = []


def use(channel: Channel, closing: Closing, opened: Opened = lambda *_: []) -> None:
    """Says how it is told; called once, when the apps are ready."""
    _channels[:] = [(channel, closing, opened)]


def announce(announcement: Announcement) -> bool:
    """Tells, unless it was told already and is not over; returns whether it was new."""
    return _channels[0][0](announcement) if _channels else False


def is_over(*, kind: str, tenant_id: int | None, subject: str) -> int:
    """Closes what was told, so that a next time is told again."""
    return _channels[0][1](kind, tenant_id, subject) if _channels else 0


def open_subjects(*, kind: str, tenant_id: int | None) -> list[str]:
    """What was told of that kind and is not over, for those who find out later whether it is."""
    return _channels[0][2](kind, tenant_id) if _channels else []
