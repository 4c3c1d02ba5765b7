"""Places outside of the database where checkpoints are kept, so that nobody who writes the database can take one back.

`AUDIT_SINKS` names those that are used: `files`, `s3`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol

from django.conf import settings

from compliance.models import AuditLog


class SinkUnavailable(Exception):
    """A sink does not answer, or refuses. What it was to take is offered again."""


@dataclass(frozen=True, slots=True)
class Held:
    """A checkpoint as a sink holds it. Its size is what the sink says; the signed one is in the note."""

    sink: str
    origin: str
    size: int
    note: str


class Sink(Protocol):
    """Only ever adds. Each method raises SinkUnavailable."""

    name: str

    def put(self, origin: str, size: int, note: str) -> None:
        """Keeps a checkpoint; offered again it may be kept twice."""

    def latest(self, origin: str) -> Held | None:
        """What it took last of a log, or, where it cannot tell, that of the greatest size."""

    def all(self, origin: str | None = None) -> Iterator[Held]:
        """What it holds of a log, or of all logs, oldest first within each."""


def configured() -> tuple[Sink, ...]:
    """The sinks that `AUDIT_SINKS` names."""
    return tuple(_MAKERS[name]() for name in settings.AUDIT_SINKS)


def latest(log: AuditLog) -> list[Held]:
    """The last checkpoint of a log that each sink holds, of those that hold any.

    Raises:
        SinkUnavailable: one does not answer.
    """
    found = [sink.latest(log.origin) for sink in configured()]
    return [held for held in found if held is not None]


def all(log: AuditLog | None = None) -> Iterator[Held]:
    """All checkpoints that the sinks hold of a log, or of all, sink by sink.

    Raises:
        SinkUnavailable: one does not answer.
    """
    for sink in configured():
        yield from sink.all(log.origin if log else None)


def _files() -> Sink:
    from compliance.sinks.files import Files

    return Files(settings.AUDIT_FILES_DIR)


def _s3() -> Sink:
    from compliance.sinks.s3 import S3

    return _one_s3(
        S3, settings.AUDIT_S3_BUCKET, settings.AUDIT_S3_PREFIX, settings.AUDIT_S3_DAYS, settings.AUDIT_S3_ENDPOINT
    )


@cache
def _one_s3(make: Callable[..., Sink], bucket: str, prefix: str, days: int, endpoint: str) -> Sink:
    """Its client is made once: that costs a tenth of a second."""
    return make(bucket=bucket, prefix=prefix, days=days, endpoint=endpoint)


_MAKERS: Mapping[str, Callable[[], Sink]] = {"files": _files, "s3": _s3}
NAMES = frozenset(_MAKERS)
"""Those that there can be."""
