"""Turns the rows of a guard policy into the frozen values that guards read: for gateways, and to try a policy out."""

import hashlib
from collections.abc import Iterable, Sequence

from gateway.guards.base import Action, Custom, Guarding, OnError, Replacement, Role, Terms, WordList
from gateway.models import GuardPattern, GuardPolicy, GuardRule
from gateway.models.guards import directions_of

_PERSON = b"guards"
"""Sets what guards derive apart from what else is derived of a tenant's salt."""


def guarding_of(
    policy: GuardPolicy,
    rules: Iterable[GuardRule],
    *,
    key: bytes = b"",
    dictionaries: Sequence[WordList] = (),
    patterns: Iterable[GuardPattern] = (),
) -> Guarding:
    """A policy with its rules, as guards read it. Rules that are off are left out."""
    return Guarding(
        policy_id=policy.pk or 0,
        terms=tuple(terms_of(rule) for rule in rules if rule.action),
        budget_ms=policy.budget_ms,
        key=key,
        restore=policy.restore_placeholders,
        placeholder_ttl_s=policy.placeholder_ttl_hours * 3600,
        dictionaries=tuple(dictionaries),
        patterns=tuple(Custom(name=each.name, expression=each.expression) for each in patterns),
    )


def terms_of(rule: GuardRule) -> Terms:
    """What a rule says."""
    return Terms(
        guard=rule.guard,
        action=Action(rule.action),
        directions=directions_of(rule),
        roles=frozenset(Role(role) for role in rule.roles),
        rules=frozenset(rule.rules),
        threshold=rule.threshold,
        on_error=OnError(rule.on_error),
        replacement=Replacement(rule.replacement),
        settings=rule.settings,
    )


def key_of(salt: bytes) -> bytes:
    """What hashes, placeholders and canaries of a tenant are derived from. `salt`: as `Principal.pseudonym_salt`."""
    return hashlib.blake2b(b"", key=salt[:64], person=_PERSON, digest_size=32).digest()
