"""Purging the records of what was stored and why not: months whole where they can be, days of them otherwise."""

from functools import partial

from compliance.purgers import Line, Scope, Steps, Work
from compliance.purging import partitions
from compliance.purging.sources import Source, delete_slices, leaves
from compliance.registry import Class

# Which key, application, model and outcome they were is not on record there: any hold on such covers them.
DECISIONS = Source(
    table="content_decision", at="at", values="t.surrogate, NULL, NULL, NULL, NULL, t.at, NULL", keeps=Class.METADATA
)
REST = "content_decision_rest"


def plan(scope: Scope) -> list[Line]:
    """Which decisions are due, by tenant."""
    return DECISIONS.plan(scope)


def steps(work: Work) -> Steps:
    """Removes what was planned."""
    cutoffs = DECISIONS.cutoffs(Scope(as_of=work.as_of))
    for leaf in leaves(DECISIONS.table):
        tenants = DECISIONS.tenants(leaf)
        if tenants and leaf != REST and partitions.is_all_due(DECISIONS, leaf, cutoffs):
            yield partial(partitions.drop, DECISIONS, parent=DECISIONS.table, leaf=leaf, cutoffs=cutoffs, work=work)
    for leaf in leaves(DECISIONS.table):
        for pk in DECISIONS.tenants(leaf):
            yield from delete_slices(DECISIONS, leaf, pk, before=cutoffs[pk], work=work)
