"""Of whom something was stored lately: so they need not be asked about before their next content is encrypted. Pure.

A hint only: the INSERT decides. Where it objects, or where a person of any tenant is erased, restricted or enrolled
again (`watch.py`), all are asked about again.
"""

import time
from collections.abc import Iterable
from typing import Final

from gateway.content import Wish

KEPT_S: Final = 300.0
MOST_KEPT: Final = 50_000


class Granted:
    """Wishes that were granted within `KEPT_S` or a little longer, at most twice that, and `MOST_KEPT` of them."""

    def __init__(self) -> None:
        self._lately: set[Wish] = set()
        self._before: set[Wish] = set()
        self._since = time.monotonic()

    def others(self, wishes: Iterable[Wish]) -> list[Wish]:
        """Those that have to be asked about."""
        if time.monotonic() - self._since > KEPT_S or len(self._lately) >= MOST_KEPT // 2:
            self._before, self._lately, self._since = self._lately, set(), time.monotonic()
        lately, before = self._lately, self._before
        return [wish for wish in wishes if wish not in lately and wish not in before]

    def add(self, wishes: Iterable[Wish]) -> None:
        """They were asked about, and granted."""
        self._lately.update(wishes)

    def forget(self) -> None:
        """Something has changed."""
        self._lately.clear()
        self._before.clear()
