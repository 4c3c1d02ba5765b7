"""When a delivery that failed is tried again. Pure."""

from datetime import timedelta
from random import Random

FIRST = timedelta(seconds=10)
LONGEST = timedelta(minutes=15)
LONGEST_ASKED = timedelta(hours=1)
"""A receiver may ask for a longer wait, and not for ever."""


def wait_after(failures: int, *, random: Random, retry_after_s: int = 0) -> timedelta:
    """How long to wait after so many failures in a row, at least what the receiver asked for: twice as long each time,
    and between a half and all of it, so that streams that failed together do not come back together."""
    doubled: int = 2 ** min(max(failures - 1, 0), 20)
    wait = min(FIRST * doubled, LONGEST) * random.uniform(0.5, 1)
    return max(wait, min(timedelta(seconds=retry_after_s), LONGEST_ASKED))
