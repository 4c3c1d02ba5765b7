"""Secrets: keys and tokens by their form, passwords by the words beside them. Pure."""

from functools import cache

from gateway.guards.base import Action, Guard, Guarding, Rule, Terms
from gateway.guards.secrets import assigned, connections, keys, providers

NAME = "secrets"


def rules(guarding: Guarding | None = None, terms: Terms | None = None) -> list[Rule]:
    """All of them, or those that `terms` names."""
    named = terms.rules if terms is not None else frozenset()
    return [rule for rule in _every() if not named or rule.name in named]


@cache
def _every() -> list[Rule]:
    """The same for all tenants, so that they are there once."""
    return [*keys.rules(NAME), *providers.rules(NAME), *connections.rules(NAME), *assigned.rules(NAME)]


GUARD = Guard(
    name=NAME,
    title="Secrets",
    help=(
        "API keys and tokens of the usual issuers, keys of this gateway, private keys, signed tokens, passwords in "
        "addresses, and passwords and keys beside the words for them."
    ),
    actions=tuple(Action),
    rules=rules,
    rule_names=tuple(dict.fromkeys(rule.name for rule in rules())),
    default=Action.REDACT,
)
