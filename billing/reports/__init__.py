"""Reports of usage: what a span of days adds up to, by one dimension.

Everything is read from rollups, never from usage records, so that reports answer at once over millions of requests.
"""

from billing.reports.answers import chart, keys, lines, report, tags
from billing.reports.checks import MOST_DAYS, check, combines_with
from billing.reports.days import zone_of
from billing.reports.shapes import (
    OTHERS,
    Chart,
    DayLine,
    Dimension,
    Line,
    Query,
    Report,
    Series,
    Sums,
    Unanswerable,
)

__all__ = [
    "MOST_DAYS",
    "OTHERS",
    "Chart",
    "DayLine",
    "Dimension",
    "Line",
    "Query",
    "Report",
    "Series",
    "Sums",
    "Unanswerable",
    "chart",
    "check",
    "combines_with",
    "keys",
    "lines",
    "report",
    "tags",
    "zone_of",
]
