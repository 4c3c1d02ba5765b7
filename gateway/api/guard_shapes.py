"""What the endpoints of guards take and give."""

from typing import Any

from rest_framework import serializers

from accounts.tokens import ENVIRONMENTS
from compliance.api.access import Strict
from gateway.actions.guard_dictionaries import WORDS_MOST
from gateway.guard_gaps import gaps
from gateway.guards.base import BUDGET_MS, Action, Direction, Kind, OnError, Replacement, Role
from gateway.models import GuardDictionary, GuardPattern, GuardPolicy, GuardRule
from gateway.models.guards import BUDGET_LEAST_MS, BUDGET_MOST_MS, PLACEHOLDER_TTL_MOST_HOURS

ACTIONS = {action.name.lower(): action for action in Action}
DIRECTIONS = ["both", *(each.value for each in Direction)]
ENVIRONMENT = ["", *ENVIRONMENTS]
TEXT_MOST = 20_000
MOST_RULES = 50


class GuardSettingOut(serializers.Serializer[Any]):
    """One setting that only this guard has."""

    name = serializers.CharField()
    title = serializers.CharField()
    help = serializers.CharField(allow_blank=True)
    kind = serializers.ChoiceField([kind.value for kind in Kind])
    choices = serializers.ListField(child=serializers.CharField())
    default = serializers.JSONField(help_text="What holds where nothing is set; null: nothing.")
    least = serializers.FloatField(allow_null=True, help_text="Of a number; null: unbounded.")
    most = serializers.FloatField(
        allow_null=True, help_text="Of a number; of a text its characters, of lines how many."
    )


class GuardOut(serializers.Serializer[Any]):
    """A guard, and what a policy can say of it."""

    name = serializers.CharField()
    title = serializers.CharField()
    help = serializers.CharField()
    actions = serializers.ListField(child=serializers.ChoiceField(list(ACTIONS)))
    directions = serializers.ListField(child=serializers.ChoiceField([each.value for each in Direction]))
    rules = serializers.ListField(child=serializers.CharField(), help_text="What `rules` of a policy may name.")
    settings = GuardSettingOut(many=True)


class GuardListOut(serializers.Serializer[Any]):
    """All guards."""

    guards = GuardOut(many=True)


class GuardRuleShape(Strict):
    """What a policy says of one guard. A guard that it does not name is off."""

    guard = serializers.CharField(max_length=40)
    action = serializers.ChoiceField(list(ACTIONS))
    direction = serializers.ChoiceField(DIRECTIONS, default="both")
    roles = serializers.ListField(
        child=serializers.ChoiceField([role.value for role in Role]), default=list, help_text="None: everybody's texts."
    )
    rules = serializers.ListField(
        child=serializers.CharField(max_length=60), default=list, max_length=500, help_text="None: all of them."
    )
    threshold = serializers.FloatField(min_value=0, max_value=1, default=0.5)
    on_error = serializers.ChoiceField([each.value for each in OnError], default=OnError.BLOCK.value)
    replacement = serializers.ChoiceField([each.value for each in Replacement], default=Replacement.LABEL.value)
    settings = serializers.DictField(child=serializers.JSONField(), default=dict)


class GuardPolicyIn(Strict):
    """A policy of the tenant. It replaces what was there as a whole."""

    name = serializers.CharField(max_length=100)
    application = serializers.SlugField(
        required=False, allow_null=True, default=None, help_text="Its short name; null: all of the tenant's."
    )
    environment = serializers.ChoiceField(ENVIRONMENT, default="", help_text="Empty: all.")
    active = serializers.BooleanField(default=True)
    budget_ms = serializers.IntegerField(min_value=BUDGET_LEAST_MS, max_value=BUDGET_MOST_MS, default=BUDGET_MS)
    restore_placeholders = serializers.BooleanField(default=True)
    placeholder_ttl_hours = serializers.IntegerField(min_value=0, max_value=PLACEHOLDER_TTL_MOST_HOURS, default=0)
    rules = GuardRuleShape(many=True, default=list, max_length=MOST_RULES)  # type: ignore[call-arg]  # of the list


class GuardPolicyOut(serializers.Serializer[Any]):
    """A policy as it holds."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    application = serializers.CharField(allow_null=True)
    environment = serializers.ChoiceField(ENVIRONMENT)
    active = serializers.BooleanField()
    budget_ms = serializers.IntegerField()
    restore_placeholders = serializers.BooleanField()
    placeholder_ttl_hours = serializers.IntegerField()
    rules = GuardRuleShape(many=True)
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="Guards that fail at every request as things stand, and what to do."
    )
    updated_at = serializers.DateTimeField()


class GuardPolicyPage(serializers.Serializer[Any]):
    """The tenant's policies. The platform's own, which may hold beside them, are not listed."""

    policies = GuardPolicyOut(many=True)


class TryIn(Strict):
    """A text to try a policy on. It is kept nowhere."""

    text = serializers.CharField(max_length=TEXT_MOST, trim_whitespace=False, allow_blank=True)
    direction = serializers.ChoiceField([each.value for each in Direction], default=Direction.PROMPT.value)
    role = serializers.ChoiceField([role.value for role in Role], default=Role.USER.value)


class OutcomeOut(serializers.Serializer[Any]):
    """What a guard found of one kind, or that it failed."""

    guard = serializers.CharField()
    rule = serializers.CharField(allow_blank=True)
    action = serializers.ChoiceField(list(ACTIONS))
    count = serializers.IntegerField()
    score = serializers.FloatField()
    error = serializers.CharField(allow_blank=True)


class TriedOut(serializers.Serializer[Any]):
    """What the policy makes of the text."""

    action = serializers.ChoiceField(list(ACTIONS), help_text="The gravest; `off`: nothing was found.")
    blocked_by = serializers.CharField(allow_blank=True)
    outcomes = OutcomeOut(many=True)
    outgoing = serializers.CharField(allow_null=True, allow_blank=True, help_text="What would go out; null: nothing.")
    unasked = serializers.CharField(
        allow_blank=True, help_text="Why moderation has said nothing, where the policy wants it asked."
    )


class DictionaryIn(Strict):
    """A dictionary, without its words."""

    name = serializers.CharField(max_length=60)
    prefixes = serializers.BooleanField(default=False, help_text="Whether words that begin with an entry count, too.")
    active = serializers.BooleanField(default=True)


class DictionaryOut(serializers.Serializer[Any]):
    """A dictionary. Its words are shown to nobody."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    prefixes = serializers.BooleanField()
    active = serializers.BooleanField()
    entries = serializers.IntegerField()
    version = serializers.IntegerField()
    compiling = serializers.BooleanField(source="waits", help_text="Until it is done the words of before hold.")
    problem = serializers.CharField(allow_blank=True, help_text="Of the last upload.")
    updated_at = serializers.DateTimeField()


class DictionaryPage(serializers.Serializer[Any]):
    """The tenant's dictionaries."""

    dictionaries = DictionaryOut(many=True)


class WordsIn(Strict):
    """Some words to add, and some to take out."""

    add = serializers.ListField(child=serializers.CharField(max_length=200), default=list, max_length=WORDS_MOST)
    remove = serializers.ListField(child=serializers.CharField(max_length=200), default=list, max_length=WORDS_MOST)


class PatternIn(Strict):
    """An expression that is not to pass."""

    name = serializers.CharField(max_length=40)
    expression = serializers.CharField(max_length=500, trim_whitespace=False)
    active = serializers.BooleanField(default=True)


class PatternOut(serializers.Serializer[Any]):
    """An expression, checked."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    expression = serializers.CharField()
    active = serializers.BooleanField()


class PatternPage(serializers.Serializer[Any]):
    """The tenant's expressions."""

    patterns = PatternOut(many=True)


def rule_of(sent: dict[str, Any]) -> GuardRule:
    """A rule as it was sent, unsaved."""
    return GuardRule(**{**sent, "action": int(ACTIONS[sent["action"]])})


def policy(row: GuardPolicy) -> dict[str, Any]:
    """A policy as it is given."""
    names = ("name", "environment", "active", "budget_ms", "restore_placeholders", "placeholder_ttl_hours")
    rules = list(row.rules.order_by("guard"))
    return {
        "id": row.pk,
        **{name: getattr(row, name) for name in names},
        "application": row.application.slug if row.application else None,
        "rules": [_rule(rule) for rule in rules],
        "warnings": [str(gap) for gap in gaps(rules)],
        "updated_at": row.updated_at,
    }


def _rule(rule: GuardRule) -> dict[str, Any]:
    names = ("guard", "direction", "roles", "rules", "threshold", "on_error", "replacement", "settings")
    return {**{name: getattr(rule, name) for name in names}, "action": Action(rule.action).name.lower()}


def dictionary(row: GuardDictionary) -> dict[str, Any]:
    """A dictionary as it is given."""
    return dict(DictionaryOut(row).data)


def pattern(row: GuardPattern) -> dict[str, Any]:
    """An expression as it is given."""
    return dict(PatternOut(row).data)
