"""What can be done with guard policies, and with what each says of each guard."""

from collections.abc import Iterable, Sequence

from django.core.exceptions import ValidationError
from django.db import transaction

from compliance import rows
from compliance.contracts import Actor
from gateway.models import GuardPolicy, GuardRule

RULE_FIELDS = ("action", "direction", "roles", "rules", "threshold", "on_error", "replacement", "settings")


@transaction.atomic
def add(*, policy: GuardPolicy, by: Actor, rules: Sequence[GuardRule] = ()) -> GuardPolicy:
    """Adds a policy. From then on it holds for its keys in place of a wider one: guards that it does not name are off.

    Raises:
        ValidationError: there is one for the same already, or a rule asks of a guard what it cannot do.
    """
    rows.create(policy, by=by)
    set_rules(policy=policy, rules=rules, by=by)
    return policy


def change(*, policy: GuardPolicy, by: Actor) -> GuardPolicy:
    """Changes a policy, for all of its keys at once.

    Raises:
        ValidationError: there is one for the same already.
    """
    return rows.change(policy, by=by)


@transaction.atomic
def replace(*, policy: GuardPolicy, rules: Sequence[GuardRule], by: Actor) -> GuardPolicy:
    """Changes a policy, and makes `rules` all that it says.

    Raises:
        ValidationError: as `add`.
    """
    rows.change(policy, by=by)
    set_rules(policy=policy, rules=rules, by=by)
    return policy


@transaction.atomic
def remove(*, policy: GuardPolicy, by: Actor, reason: str = "") -> None:
    """Deletes a policy and its rules; the next wider one holds from then on."""
    for rule in policy.rules.all():
        rows.delete(rule, by=by, reason=reason)
    rows.delete(policy, by=by, reason=reason)


@transaction.atomic
def set_rules(*, policy: GuardPolicy, rules: Sequence[GuardRule], by: Actor) -> None:
    """Makes `rules` all that a policy says.

    Raises:
        ValidationError: two are of the same guard, or one asks of a guard what it cannot do.
    """
    wanted = {rule.guard: rule for rule in rules}
    if len(wanted) < len(rules):
        raise ValidationError("A policy has one rule for each guard; send each guard once.")
    stored = {rule.guard: rule for rule in _locked(policy)}
    for guard in stored.keys() - wanted.keys():
        remove_rule(rule=stored[guard], by=by)
    for guard, rule in wanted.items():
        _put(rule, stored.get(guard), policy, by=by)


def add_rule(*, rule: GuardRule, by: Actor) -> GuardRule:
    """Says what a guard does for a policy.

    Raises:
        ValidationError: the policy says it already, or it asks of the guard what that cannot do.
    """
    return rows.create(rule, by=by)


def change_rule(*, rule: GuardRule, by: Actor) -> GuardRule:
    """Changes what a guard does for a policy.

    Raises:
        ValidationError: it asks of the guard what that cannot do.
    """
    return rows.change(rule, by=by)


def remove_rule(*, rule: GuardRule, by: Actor, reason: str = "") -> None:
    """Takes a guard out of a policy: it is off from then on."""
    rows.delete(rule, by=by, reason=reason)


def _locked(policy: GuardPolicy) -> Iterable[GuardRule]:
    return GuardRule.objects.select_for_update().filter(policy=policy).order_by("guard")


def _put(rule: GuardRule, stored: GuardRule | None, policy: GuardPolicy, *, by: Actor) -> None:
    rule.policy = policy
    if stored is None:
        add_rule(rule=rule, by=by)
        return
    for name in RULE_FIELDS:
        setattr(stored, name, getattr(rule, name))
    change_rule(rule=stored, by=by)
