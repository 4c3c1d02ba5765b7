"""What guards do for whom: policies, with a rule for each guard."""

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q

from accounts.models import Application, Tenant
from accounts.tokens import ENVIRONMENTS
from gateway.guards import registry, settings
from gateway.guards.base import BUDGET_MS, Action, Direction, Guard, OnError, Replacement, Role
from gateway.guards.settings import WrongSetting

BUDGET_LEAST_MS, BUDGET_MOST_MS = 10, 10_000
PLACEHOLDER_TTL_MOST_HOURS = 24 * 365
_DIRECTIONS = ("both", *(each.value for each in Direction))


class GuardPolicy(models.Model):
    """What holds for the platform, a tenant, an application or an environment: for a key the narrowest that fits.

    Narrower is: an application before its tenant before the platform; of one of these, an environment before all.
    """

    name = models.CharField(max_length=100)
    tenant = models.ForeignKey(
        Tenant,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Empty: the platform's own.",
    )
    application = models.ForeignKey(
        Application, null=True, blank=True, on_delete=models.PROTECT, related_name="+", help_text="Empty: all of them."
    )
    environment = models.CharField(
        max_length=16, choices=[(each, each.capitalize()) for each in ENVIRONMENTS], blank=True, help_text="Empty: all."
    )
    active = models.BooleanField(default=True, help_text="An inactive one is passed over for the next wider one.")
    budget_ms = models.PositiveIntegerField(
        "time budget",
        default=BUDGET_MS,
        validators=[MinValueValidator(BUDGET_LEAST_MS), MaxValueValidator(BUDGET_MOST_MS)],
        help_text="Milliseconds of processor time for all guards of a request, and again of its answer.",
    )
    restore_placeholders = models.BooleanField(
        default=True, help_text="Whether the client gets its own values back where the answer holds placeholders."
    )
    placeholder_ttl_hours = models.PositiveIntegerField(
        "placeholders kept",
        default=0,
        validators=[MaxValueValidator(PLACEHOLDER_TTL_MOST_HOURS)],
        help_text="Hours in which later requests of the conversation can restore them; 0: not beyond the request.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "guard policy"
        verbose_name_plural = "guard policies"
        ordering = ("tenant", "application", "environment")
        constraints = [
            models.UniqueConstraint(
                fields=("tenant", "application", "environment"),
                nulls_distinct=False,
                name="guard_policy_once",
                violation_error_message="There is a policy for these already; change that one.",
            ),
            models.CheckConstraint(
                condition=Q(application=None) | ~Q(tenant=None),
                name="guard_policy_application_has_tenant",
                violation_error_message="Choose the tenant, too, whose application it is.",
            ),
            models.CheckConstraint(
                condition=Q(environment__in=("", *ENVIRONMENTS)), name="guard_policy_environment_known"
            ),
            models.CheckConstraint(
                condition=Q(budget_ms__range=(BUDGET_LEAST_MS, BUDGET_MOST_MS)), name="guard_policy_budget_bounded"
            ),
            models.CheckConstraint(
                condition=Q(placeholder_ttl_hours__lte=PLACEHOLDER_TTL_MOST_HOURS), name="guard_policy_ttl_bounded"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.application is not None and self.application.tenant_id != self.tenant_id:
            raise ValidationError({"application": "It is another tenant's application."})

    @property
    def reach(self) -> str:
        """For whom it holds, in words: `acme, all applications, production`."""
        who = [str(self.tenant) if self.tenant else "Everybody"]
        if self.tenant:
            who.append(str(self.application) if self.application else "all applications")
        return ", ".join([*who, self.environment or "all environments"])


class GuardRule(models.Model):
    """What a policy says of one guard; a guard without a rule is off."""

    class Action(models.IntegerChoices):
        OFF = Action.OFF, "off"
        LOG = Action.LOG, "log"
        FLAG = Action.FLAG, "flag for review"
        REDACT = Action.REDACT, "redact"
        BLOCK = Action.BLOCK, "block"

    class Direction(models.TextChoices):
        BOTH = "both", "prompts and answers"
        PROMPT = Direction.PROMPT, "prompts"
        ANSWER = Direction.ANSWER, "answers"

    class OnError(models.TextChoices):
        BLOCK = OnError.BLOCK, "block"
        ALLOW = OnError.ALLOW, "let it through"

    class Replacement(models.TextChoices):
        LABEL = Replacement.LABEL, "label: [EMAIL]"
        MASK = Replacement.MASK, "mask: ************1111"
        HASH = Replacement.HASH, "hash: [EMAIL:3f9a…]"
        PLACEHOLDER = Replacement.PLACEHOLDER, "placeholder that can be restored"

    policy = models.ForeignKey(GuardPolicy, on_delete=models.CASCADE, related_name="rules")
    guard = models.CharField(max_length=40, help_text="A guard's name, as in guards/registry.py.")
    action = models.SmallIntegerField(choices=Action, default=Action.LOG)
    direction = models.CharField(max_length=10, choices=Direction, default=Direction.BOTH)
    roles = ArrayField(
        models.CharField(max_length=12, choices=[(role.value, role.value) for role in Role]),
        default=list,
        blank=True,
        help_text="Whose texts it looks at; none: everybody's.",
    )
    rules = ArrayField(
        models.CharField(max_length=60), default=list, blank=True, help_text="Which of its rules count; none: all."
    )
    threshold = models.FloatField(
        default=0.5,
        validators=[MinValueValidator(0.0), MaxValueValidator(1.0)],
        help_text="How sure it must be, from 0 to 1.",
    )
    on_error = models.CharField(
        "when it fails", max_length=10, choices=OnError, default=OnError.BLOCK, help_text="Or has no time left."
    )
    replacement = models.CharField(max_length=12, choices=Replacement, default=Replacement.LABEL)
    settings = models.JSONField(default=dict, blank=True, help_text="What only this guard knows; see its help.")

    class Meta:
        verbose_name = "guard"
        ordering = ("policy_id", "guard")
        constraints = [
            models.UniqueConstraint(fields=("policy", "guard"), name="guard_rule_once"),
            # What a gateway reads must be of its words, whoever wrote the row: what it cannot read it cannot serve.
            models.CheckConstraint(
                condition=Q(action__in=[each.value for each in Action]), name="guard_rule_action_known"
            ),
            models.CheckConstraint(condition=Q(direction__in=_DIRECTIONS), name="guard_rule_direction_known"),
            models.CheckConstraint(
                condition=Q(roles__contained_by=[role.value for role in Role]), name="guard_rule_roles_known"
            ),
            models.CheckConstraint(condition=Q(threshold__gte=0, threshold__lte=1), name="guard_rule_threshold_share"),
            models.CheckConstraint(
                condition=Q(on_error__in=[each.value for each in OnError]), name="guard_rule_on_error_known"
            ),
            models.CheckConstraint(
                condition=Q(replacement__in=[each.value for each in Replacement]), name="guard_rule_replacement_known"
            ),
        ]

    def __str__(self) -> str:
        return self.guard

    @property
    def tenant_id(self) -> int | None:
        return self.policy.tenant_id

    def clean(self) -> None:
        guard = registry.guards().get(self.guard)
        if guard is None:
            raise ValidationError({"guard": f"There is no guard {self.guard!r}; there are: {', '.join(_names())}."})
        if errors := {name: text for name, text in _misfits(self, guard) if text}:
            raise ValidationError(errors)
        try:
            self.settings = settings.checked(guard, self.settings)
        except WrongSetting as error:
            raise ValidationError({"settings": ValidationError(str(error), params={"name": error.name})}) from error
        if unmet := unmet_by(self, guard):
            raise ValidationError({"action": f"{guard.title} cannot run here. {unmet} Until then choose off."})


OWN = ("dictionaries", "patterns")
"""Guards whose rules are the tenant's own, by their names: those of a policy may name some that are still to come."""


def directions_of(rule: GuardRule) -> frozenset[Direction]:
    """Where a rule looks."""
    both = rule.direction == GuardRule.Direction.BOTH
    return frozenset(Direction) if both else frozenset({Direction(rule.direction)})


def unmet_by(rule: GuardRule, guard: Guard) -> str:
    """What this installation lacks for a rule's guard to run as it is set, and what to do; empty where nothing."""
    if not rule.action or guard.needs is None:
        return ""
    try:
        guard.needs(rule.settings)
    except ValueError as error:
        return str(error)
    return ""


def _misfits(rule: GuardRule, guard: Guard) -> list[tuple[str, str]]:
    """Each field, and what of it the guard cannot do."""
    unknown = sorted(set(rule.rules) - set(guard.rule_names)) if guard.name not in OWN else []
    possible = [GuardRule.Action(each).label for each in guard.actions]
    return [
        ("action", "" if rule.action in (Action.OFF, *guard.actions) else f"{guard.title} can {', '.join(possible)}."),
        ("direction", "" if directions_of(rule) & guard.directions else f"{guard.title} does not look there."),
        ("roles", "" if _is_seen(rule, guard) else f"{guard.title} looks at answers only: choose answers, or none."),
        ("rules", f"{guard.title} does not know {', '.join(unknown)}." if unknown else ""),
    ]


def _is_seen(rule: GuardRule, guard: Guard) -> bool:
    """Whether the roles that are chosen, if any are, can occur where it looks: an answer is the model's."""
    is_answer = directions_of(rule) & guard.directions == {Direction.ANSWER}
    return not (is_answer and rule.roles) or Role.ASSISTANT in rule.roles


def _names() -> list[str]:
    return list(registry.guards())
