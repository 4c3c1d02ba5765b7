"""Refuses what rollups cannot answer, in words that say what to change. Pure."""

from datetime import date

from billing.reports.shapes import Dimension, Query, Unanswerable

MOST_DAYS = 1100
"""Three years: what one report may span."""

EARLIEST, LATEST = date(2000, 1, 1), date(2200, 1, 1)

NUMBERS = frozenset({Dimension.TENANT, Dimension.APPLICATION, Dimension.API_KEY})
"""Dimensions whose keys are primary keys."""

VALUES = frozenset({Dimension.END_USER, Dimension.TAG})
"""What tenants name freely: counted by day and application, apart from everything else."""

_FIELDS = frozenset({Dimension.TENANT, Dimension.DAY})
_DIGITS = 19


def combines_with(dimension: Dimension) -> frozenset[Dimension]:
    """The filters that a report by `dimension` may have, so that forms offer only these."""
    if dimension in VALUES:
        return frozenset({dimension, Dimension.APPLICATION})
    others = frozenset(Dimension) - _FIELDS - VALUES
    return others | VALUES if dimension in {Dimension.APPLICATION, Dimension.DAY} else others


def check(query: Query) -> None:
    """Refuses what cannot be answered, without reading anything.

    Raises:
        Unanswerable: and what to change.
    """
    if not EARLIEST <= query.start < query.end <= LATEST:
        raise Unanswerable("Choose a first day that lies before the end, both between 2000 and 2200.")
    if (query.end - query.start).days > MOST_DAYS:
        raise Unanswerable(f"Choose at most {MOST_DAYS:,} days.")
    _check_filters(query)
    if values_of(query):
        _check_values(query)


def values_of(query: Query) -> frozenset[Dimension]:
    """Which of END_USER and TAG the query speaks of."""
    return VALUES & {query.by, *query.filters}


def _check_filters(query: Query) -> None:
    for dimension, key in query.filters.items():
        if dimension in _FIELDS:
            raise Unanswerable(f"A {_words(dimension)} is no filter: choose it for the whole report.")
        if dimension in NUMBERS and key and not (key.isascii() and key.isdecimal() and len(key) < _DIGITS):
            raise Unanswerable(f"{key!r} is no number of an {_words(dimension)}.")
        if "\0" in key:
            raise Unanswerable("Leave out the character with the code 0.")


def _check_values(query: Query) -> None:
    dimensions = {query.by, *query.filters} - {Dimension.DAY, Dimension.APPLICATION}
    value = next(iter(values_of(query)))
    if query.tenant_id is None:
        raise Unanswerable(f"Choose a tenant: a {_words(value)} means nothing outside of its own.")
    if rest := sorted(dimensions - {value}):
        raise Unanswerable(f"Leave out the {_words(rest[0])}: usage by {_words(value)} is not kept by it.")
    if value == Dimension.TAG and (not query.tag or "\0" in query.tag):
        raise Unanswerable("Choose the tag.")


def _words(dimension: Dimension) -> str:
    return {Dimension.API_KEY: "API key"}.get(dimension, dimension.replace("_", " "))
