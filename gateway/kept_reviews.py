"""Purging what was put up for review, with what reviewers wrote: when the decisions go that it came from."""

from compliance.purgers import Line, Purger, Scope, Steps, Work, register
from compliance.purging.sources import Source, delete_slices
from compliance.registry import Class

REVIEWS = Source(
    table="gateway_reviewitem",
    at="at",
    values="NULL, t.api_key_id, t.model, t.application_id, t.environment, t.at, NULL",
    keeps=Class.METADATA,
)


def register_purger() -> None:
    """Has nightly runs remove what is due."""
    register(Purger(name=REVIEWS.table, title="reviews", keeps=Class.METADATA, plan=plan, steps=steps))


def plan(scope: Scope) -> list[Line]:
    """Which reviews are due, by tenant."""
    return REVIEWS.plan(scope)


def steps(work: Work) -> Steps:
    """Removes what was planned."""
    for pk, before in REVIEWS.cutoffs(Scope(as_of=work.as_of)).items():
        yield from delete_slices(REVIEWS, REVIEWS.table, pk, before=before, work=work)
