"""What is unusual for an amount, by what the same hour or day has cost before. Pure, and without floats.

The modified z-score of Iglewicz and Hoaglin (How to Detect and Handle Outliers, ASQC 1993): an amount x is unusual
where 0.6745 · (x − median) / MAD > 3.5, MAD being the median of the absolute deviations from the median. Fewer than
half of the past amounts can be outliers without moving that bound beyond what the others allow, so past incidents
neither hide a new one nor make an ordinary hour look strange.
"""

from collections.abc import Sequence
from fractions import Fraction

LEAST_HISTORY = 4
"""With fewer past amounts nothing can be said."""
CUTOFF = Fraction(35, 10) / Fraction(6745, 10_000)
"""So many MADs above the median."""
LEAST_EXCESS = Fraction(1, 2)
"""Of the median: where the past is all alike, the MAD is next to nothing, and a few per cent more are no news."""


def most_usual(history: Sequence[int], *, least_excess: int) -> int | None:
    """The largest amount that is still usual after `history`; None where that is too short to tell.

    It lies at least `least_excess` above the median, so that amounts too small to matter are never unusual.
    """
    if len(history) < LEAST_HISTORY:
        return None
    middle = median(history)
    spread = median([abs(amount - middle) for amount in history])
    excess = max(CUTOFF * spread, LEAST_EXCESS * middle, Fraction(least_excess))
    return int(middle + excess)


def median(amounts: Sequence[int | Fraction]) -> Fraction:
    """The middle of `amounts`, or halfway between the two in the middle.

    Raises:
        IndexError: there are none.
    """
    ordered = sorted(amounts)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return Fraction(ordered[half])
    return Fraction(ordered[half - 1] + ordered[half]) / 2
