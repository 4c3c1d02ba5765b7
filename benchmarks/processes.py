"""What programs take of the machine: processor time and memory, of a process and all that it started."""

import contextlib
from collections.abc import Iterable, Iterator

import psutil


class Ended(Exception):
    """A program that should run has ended."""


def cpu_s(pid: int) -> float:
    """Seconds of processor time, user and system, so far; children that have ended are counted.

    Raises:
        Ended: there is no such process any more.
    """
    return cpu_s_of(list(family(pid)))


def cpu_s_of(family: Iterable[psutil.Process]) -> float:
    """The same of processes that are known: to look for them takes some ms, in which others wait."""
    total = 0.0
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def largest_rss_bytes(pid: int) -> int:
    """Resident memory of the largest process among `pid` and what it started: of a server, its one worker."""
    sizes = [0]
    for process in family(pid):
        with contextlib.suppress(psutil.NoSuchProcess):
            sizes.append(process.memory_info().rss)
    return max(sizes)


def family(pid: int) -> Iterator[psutil.Process]:
    """A process and all that it started.

    Raises:
        Ended: there is no such process any more.
    """
    try:
        process = psutil.Process(pid)
        children = process.children(recursive=True)
    except psutil.NoSuchProcess as error:
        raise Ended(f"process {pid} has ended") from error
    yield process
    yield from children
