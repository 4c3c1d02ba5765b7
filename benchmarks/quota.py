"""Holds processes to a share of a processor, by Linux control groups, where this user may make some."""

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

GROUPS = Path("/sys/fs/cgroup")
PERIOD_US = 20_000
EMPTY_WITHIN_S = 5.0


class CannotHold(Exception):
    """This machine does not let this user hold processes."""


@contextmanager
def held(pid: int, *, share: float) -> Iterator[None]:
    """Gives a process, and all that it has started, at most `share` of one processor together.

    Raises:
        CannotHold: control groups cannot be made here.
    """
    process = psutil.Process(pid)
    family = [process.pid, *(child.pid for child in process.children(recursive=True))]
    home = _home(pid)
    group = home / f"portcullis-bench-{pid}"
    try:
        group.mkdir()
    except OSError as error:
        raise CannotHold(f"{group} cannot be made: {error}") from error
    try:
        _limit(group, round(share * PERIOD_US))
        _move(family, group)
        yield
    finally:
        _move(family, home)
        _remove(group)


def _home(pid: int) -> Path:
    """The group that the process is in, with the controller of processor time (both versions of control groups)."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpu" in controllers.split(","):
            return GROUPS / "cpu" / path.lstrip("/")
        if not controllers and (GROUPS / "cgroup.controllers").exists():
            return GROUPS / path.lstrip("/")
    raise CannotHold("there is no control group of processor time")


def _limit(group: Path, quota_us: int) -> None:
    try:
        if (group / "cpu.max").exists():
            (group / "cpu.max").write_text(f"{quota_us} {PERIOD_US}")
        else:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota_us))
    except OSError as error:
        raise CannotHold(f"{group} takes no limit: {error}") from error


def _move(pids: list[int], group: Path) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            (group / "cgroup.procs").write_text(str(pid))


def _remove(group: Path) -> None:
    """A group can be removed as soon as it is empty, which takes the kernel a moment."""
    until = time.monotonic() + EMPTY_WITHIN_S
    while True:
        try:
            group.rmdir()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
