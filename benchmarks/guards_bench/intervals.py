"""Shares with the range in which the true one lies."""

from math import sqrt
from typing import NamedTuple

_Z = 1.959964  # of a normal distribution, 95 % within


class Share(NamedTuple):
    """`part` of `whole`."""

    part: int
    whole: int

    @property
    def value(self) -> float:
        return self.part / self.whole if self.whole else 0.0

    def interval(self) -> tuple[float, float]:
        """The 95 % interval of Wilson (1927), which holds for few and for extreme counts as well."""
        if not self.whole:
            return 0.0, 1.0
        n, p = self.whole, self.value
        middle, spread = p + _Z * _Z / (2 * n), _Z * sqrt(p * (1 - p) / n + _Z * _Z / (4 * n * n))
        return max(0.0, (middle - spread) / (1 + _Z * _Z / n)), min(1.0, (middle + spread) / (1 + _Z * _Z / n))

    def __str__(self) -> str:
        if not self.whole:
            return "      –"
        low, high = self.interval()
        return f"{self.value:7.2%} [{low:7.2%}, {high:7.2%}] {self.part:>5}/{self.whole}"
