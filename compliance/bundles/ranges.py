"""Which bytes of a file somebody asks for (RFC 9110, 14). Pure."""

import re
from dataclasses import dataclass

_ONE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Range:
    """From byte `first` to byte `last`, both included."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


class NotInFile(ValueError):
    """No byte that was asked for is there."""


def asked(header: str, *, size: int) -> Range | None:
    """The range that the header `Range` asks for; None for the whole: also for several ranges at once, or other units,
    which a server may answer with the whole.

    Raises:
        NotInFile: no byte of it is in a file of that size.
    """
    found = _ONE.fullmatch(header.strip())
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found[1], found[2]
    if not first:
        wanted = Range(max(size - int(last), 0), size - 1)
    else:
        wanted = Range(int(first), min(int(last), size - 1) if last else size - 1)
        if last and int(last) < int(first):
            return None
    if wanted.first >= size or wanted.size <= 0:
        raise NotInFile(header)
    return wanted
