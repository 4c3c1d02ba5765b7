"""Neither making a bundle nor verifying it takes more memory for a longer log; `benchmarks` measures a million."""

import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from compliance.bundles import write
from compliance.bundles.source import Window
from compliance.evidence import tree
from tests.unit.compliance.bundles.made import BEGAN, ORIGIN, _sign, an_event, checked, note_over
from tests.unit.compliance.bundles.made import KEY as SIGNING_KEY

SHORT, LONG = 1000, 6000
PER_WINDOW = 100
SLACK = 2_500_000
"""Bytes: buffers, which come and go in steps; much less than the bundle holds."""


def windows(size: int) -> Iterator[Window]:
    for first in range(0, size, PER_WINDOW):
        events = [an_event(index, reason="why " * 20) for index in range(first, first + PER_WINDOW)]
        yield Window(first, first + PER_WINDOW, events)


def make(path: Path, size: int) -> None:
    """A bundle whose events are made up as they are asked for; its checkpoint is added where the root is known."""
    about = write.About(
        export="e1",
        origin=ORIGIN,
        tenant_id=7,
        size=size,
        root="00" * 32,
        checkpoint=note_over(size, tree.EMPTY),
        filters={},
        asked_by="user 3",
        made_at=BEGAN,
    )
    proofs = write.Proofs(inclusion=lambda index: [], consistency=list)
    with path.open("xb+") as out:
        write.write(
            out,
            path.with_suffix(".spool"),
            about=about,
            windows=windows(size),
            proofs=proofs,
            sign=lambda document: _sign(document, key=SIGNING_KEY),
            tell=lambda percent, step: None,
        )


def peak(work: Callable[[], object]) -> int:
    """How many bytes Python had at most while it worked."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_making_and_verifying_a_longer_one_takes_no_more(tmp_path: Path) -> None:
    make(tmp_path / "warm.zip", PER_WINDOW)
    short = peak(lambda: make(tmp_path / "short.zip", SHORT))
    long = peak(lambda: make(tmp_path / "long.zip", LONG))
    assert long < short + SLACK
    short = peak(lambda: checked(tmp_path / "short.zip"))
    long = peak(lambda: checked(tmp_path / "long.zip"))
    assert long < short + SLACK
    with zipfile.ZipFile(tmp_path / "long.zip") as archive:
        assert sum(each.file_size for each in archive.infolist()) > 5 * SLACK
