"""Guard `patterns`: the tenants' own patterns. Pure; `custom.py` knows what a pattern is."""

from collections.abc import Sequence

from gateway.guards import custom
from gateway.guards.base import Action, Guard, Guarding, Rule, Terms


def rules(guarding: Guarding, terms: Terms) -> Sequence[Rule]:
    """One for each pattern of the tenant, or for those that the policy names."""
    return [custom.rule(each) for each in guarding.patterns if not terms.rules or each.name in terms.rules]


GUARD = Guard(
    name=custom.NAME,
    title="Patterns",
    help="The tenant's own expressions, as for numbers of employees or contracts. Those that count are chosen by name.",
    actions=tuple(Action),
    rules=rules,
)
