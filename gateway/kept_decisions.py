"""Purging what guards decided: months whole where they can be, days of them otherwise."""

from functools import partial

from compliance.purgers import Line, Purger, Scope, Steps, Work, register
from compliance.purging import partitions
from compliance.purging.sources import Source, delete_slices, leaves
from compliance.registry import Class

DECISIONS = Source(
    table="guard_decision",
    at="at",
    values="t.surrogate, t.api_key_id, t.model, t.application_id, t.environment, t.at, NULL",
    keeps=Class.METADATA,
)
REST = "guard_decision_rest"


def register_purger() -> None:
    """Has nightly runs remove what is due."""
    register(Purger(name=DECISIONS.table, title="guard decisions", keeps=Class.METADATA, plan=plan, steps=steps))


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
