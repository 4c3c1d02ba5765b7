"""What a long-lived process does about its memory: collect garbage less often, and give back what was read once."""

import contextlib
import ctypes
import gc
import re
from collections.abc import Iterator
from pathlib import Path

# The default of 700 has the collector walk everything that a request allocates several times per request. What
# requests leave behind are hardly ever cycles, so it may wait; objects of the start-up are not walked any more at all.
YOUNG, MIDDLE, OLD = 20_000, 20, 20

_DONT_NEED = 4  # MADV_DONTNEED
_READ_ONLY = ("r--p", "r-xp")
_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$")


def settle_in() -> None:
    """Call it once, when everything that lives as long as the process has been made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    give_back()
    forget_pages()  # half of what is mapped of libraries makes modules and compiles expressions, and is not run again


def give_back() -> None:
    """Returns freed memory to the system, which glibc keeps: after work that takes much more than is kept of it."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def forget_pages(library: str = "") -> None:
    """Gives back the pages of loaded libraries, all or those that are named by a part of the file's name, that hold
    nothing but the file.

    Those that are needed after all are mapped again, from the system's cache of files: a thousandth of a second for all
    that requests need. Does nothing where the system cannot.
    """
    with contextlib.suppress(OSError, AttributeError):
        advise = ctypes.CDLL(None).madvise
        for start, end in _unchanged_maps(library):
            advise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _DONT_NEED)


def _unchanged_maps(library: str) -> Iterator[tuple[int, int]]:
    """Read-only mappings of which no page has been written to: to forget a written one would be to lose it."""
    mapping: re.Match[str] | None = None
    for line in Path("/proc/self/smaps").read_text().splitlines():
        mapping = _MAPPING.match(line) or mapping
        if mapping is None or not line.startswith("Anonymous:"):
            continue
        start, end, mode, name = mapping.groups()
        if mode in _READ_ONLY and ".so" in name and library in name.rpartition("/")[2] and line.split()[1] == "0":
            yield int(start, 16), int(end, 16)
