"""Where providers' secrets may be kept outside of this installation, each place a module that reads one of them.

Whoever may change a provider names what is read, and whoever may change its address gets what was read. So each place
has a fence that only the installation's own settings can move: a prefix of names, a folder, a path.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.credential_sources import aws, environment, file, vault
from gateway.credential_sources.errors import SourceUnreadable

__all__ = ["SourceUnreadable", "check", "help_of", "read"]

MOST_CHARS = 2000


@dataclass(frozen=True, slots=True)
class _Place:
    check: Callable[[str], None]
    read: Callable[[str], str]
    help: Callable[[], str]


_PLACES = {
    "environment": _Place(environment.check, environment.read, environment.help),
    "file": _Place(file.check, file.read, file.help),
    "aws": _Place(aws.check, aws.read, aws.help),
    "vault": _Place(vault.check, vault.read, vault.help),
}


def check(kind: str, reference: str) -> None:
    """Refuses a reference that lies outside the place's fence, or cannot be one.

    Raises:
        SourceUnreadable: why, and what is allowed.
    """
    if kind not in _PLACES:
        raise SourceUnreadable(f"{kind!r} is no place that secrets are read from.")
    _PLACES[kind].check(reference)


def read(kind: str, reference: str) -> str:
    """The secret that lies there now. May call over the network; takes 15 s at most.

    Raises:
        SourceUnreadable: it is not there, cannot be reached, or is nothing that a provider could be called with.
    """
    check(kind, reference)
    value = _PLACES[kind].read(reference).strip()
    if not value:
        raise SourceUnreadable(f"{reference} is empty.")
    if len(value) > MOST_CHARS or not (value.isascii() and value.isprintable()):
        raise SourceUnreadable(f"{reference} holds something else than one line of at most {MOST_CHARS:,} characters.")
    return value


def help_of(kind: str) -> str:
    """What a reference looks like, for people."""
    return _PLACES[kind].help()
