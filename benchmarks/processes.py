"""What programs take of the machine: processor time and memory, of a process and all that it started."""

import contextlib
from collections.abc import Iterator

import psutil


class Ended(Exception):
    """A program that should run has ended."""


def cpu_s(pid: int) -> float:
    """Seconds of processor time, user and system, so far; children that have ended are counted.

    Raises:
        Ended: there is no such process any more.
    """
    total = 0.0
    for process in _family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def largest_rss_bytes(pid: int) -> int:
    """Resident memory of the largest process among `pid` and what it started: of a server, its one worker."""
    sizes = [0]
    for process in _family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            sizes.append(process.memory_info().rss)
    return max(sizes)


def _family(pid: int) -> Iterator[psutil.Process]:
    try:
        process = psutil.Process(pid)
        children = process.children(recursive=True)
    except psutil.NoSuchProcess as error:
        raise Ended(f"process {pid} has ended") from error
    yield process
    yield from children
