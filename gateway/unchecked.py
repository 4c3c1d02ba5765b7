"""Tells a refusal for what a guard found from one because it could not look: by what goes on record of the exchange."""

from gateway import guarded
from gateway.errors import ContentRefused, ContentUnchecked
from gateway.exchange import Exchange
from gateway.guards.base import Action


def told_apart(error: ContentRefused, exchange: Exchange) -> ContentRefused:
    """The refusal with the words for why there is one. Where the guard has found something as well, that is why."""
    guarded.conclude(exchange)
    blocking = [
        outcome
        for outcome in exchange.guard_outcomes
        if (outcome.guard, outcome.direction, outcome.action) == (error.guard, error.direction, Action.BLOCK)
    ]
    has_only_failed = blocking and all(outcome.error for outcome in blocking)
    return ContentUnchecked(error.guard, error.direction) if has_only_failed else error
