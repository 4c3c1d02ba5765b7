"""Notes in memory when secrets were used: one write to a dict for each request, and now and then one statement."""

import time
from collections.abc import Mapping


class Uses:
    """The last time of each secret that proved right in this process, until somebody takes them."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def note(self, public_id: str) -> None:
        """That secret was used just now."""
        self._at[public_id] = time.time()

    def is_news(self, public_id: str, *, after_s: float) -> bool:
        """Notes the same where nothing takes it later; says whether the last time is old enough for another write."""
        now = time.time()
        if now - self._at.get(public_id, 0.0) < after_s:
            return False
        self._at[public_id] = now
        return True

    def give_back(self, times: Mapping[str, float]) -> None:
        """Puts back what could not be written, unless something later was noted meanwhile."""
        self._at = {**times, **self._at}

    def take(self) -> dict[str, float]:
        """What was noted since the last time: public id → epoch seconds."""
        taken, self._at = self._at, {}
        return taken
