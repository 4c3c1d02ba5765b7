"""What a policy says of each guard: a line for every guard that there is, inside the policy's own page."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from compliance.admin.base import GovernedInline, Verbs
from compliance.admin.forms import GovernedForm
from gateway.actions import guard_policies
from gateway.admin import guard_settings
from gateway.guards import registry, settings
from gateway.guards.base import Action, Direction, Guard, Role
from gateway.guards.settings import WrongSetting
from gateway.models import GuardDictionary, GuardPattern, GuardPolicy, GuardRule

ROLES = {
    Role.SYSTEM: "System and developer messages",
    Role.USER: "User messages",
    Role.ASSISTANT: "Answers, earlier ones included",
    Role.TOOL: "Results of tools",
    Role.DEFINITION: "Definitions of tools, schemas, unknown fields",
    Role.METADATA: "Metadata",
}


class RuleForm(GovernedForm):
    """One guard's line. What the guard cannot do is not offered."""

    guard = forms.CharField(widget=forms.HiddenInput)
    action = forms.TypedChoiceField(coerce=int, widget=UnfoldAdminSelectWidget)
    direction = forms.ChoiceField(label="Looks at", widget=UnfoldAdminSelectWidget)
    roles = forms.MultipleChoiceField(
        label="Whose texts",
        choices=[(role.value, title) for role, title in ROLES.items()],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None chosen: everybody's.",
    )
    rules = forms.MultipleChoiceField(
        label="What it looks for",
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="None chosen: everything.",
    )
    threshold = forms.FloatField(
        min_value=0,
        max_value=1,
        widget=UnfoldAdminTextInputWidget,
        help_text="How sure it must be, from 0 to 1.",
    )
    on_error = forms.ChoiceField(
        label="When it fails",
        choices=[(value, label.capitalize()) for value, label in GuardRule.OnError.choices],
        widget=UnfoldAdminSelectWidget,
        help_text="Or has no time left.",
    )
    replacement = forms.ChoiceField(
        label="Redacted to",
        choices=[(value, label[:1].upper() + label[1:]) for value, label in GuardRule.Replacement.choices],
        widget=UnfoldAdminSelectWidget,
    )

    class Meta:
        model = GuardRule
        fields = ("guard", "action", "direction", "roles", "rules", "threshold", "on_error", "replacement")

    def __init__(self, *args: Any, own: Mapping[str, Sequence[str]] | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.own = own or {}
        """Names of the tenant's own, by the guard that looks for them."""
        name = self.instance.guard or (self.initial or {}).get("guard", "")
        self.about: Guard | None = registry.guards().get(name)
        if self.about is not None:
            self._fit(self.about)

    def _fit(self, guard: Guard) -> None:
        """Leaves the choices that this guard has."""
        offered: Any = self.fields
        possible = (Action.OFF, *(each for each in guard.actions if each))
        offered["action"].choices = [(int(each), GuardRule.Action(each).label.capitalize()) for each in possible]
        offered["direction"].choices = _directions(guard)
        if Action.REDACT not in guard.actions:
            del self.fields["replacement"]
        self.fields |= guard_settings.fields_of(guard.settings)
        self._fit_rules(guard)
        self.initial = {**(self.initial or {}), **guard_settings.initial_of(self.instance.settings)}

    def _fit_rules(self, guard: Guard) -> None:
        """Asks once what the guard looks for; a second time only where somebody has narrowed that down by the API."""
        offered: Any = self.fields
        if guard.kinds:
            offered[guard_settings.PREFIX + guard.kinds].label = offered["rules"].label
            offered["rules"].label, offered["rules"].help_text = "Of that counts", "None chosen: all of it."
        names = dict.fromkeys((*guard.rule_names, *self.own.get(guard.name, ()), *self.instance.rules))
        if not names or (guard.kinds and not self.instance.rules):
            del self.fields["rules"]
        else:
            offered["rules"].choices = [(each, each) for each in names]

    @property
    def own_fields(self) -> list[forms.BoundField]:
        """Those that only this guard has, but for `kinds_field`."""
        own = [name for name in self.fields if name.startswith(guard_settings.PREFIX)]
        return [self[name] for name in own if name != self._kinds]

    @property
    def kinds_field(self) -> forms.BoundField | None:
        """What the guard looks for, where that is a setting of its own."""
        return self[self._kinds] if self._kinds in self.fields else None

    @property
    def _kinds(self) -> str:
        return guard_settings.PREFIX + self.about.kinds if self.about is not None else ""

    @property
    def wrong(self) -> list[tuple[str, str]]:
        """What is wrong: each field by its label, with the words for it."""
        return [
            (str(self[name].label) if name in self.fields else "", str(text))
            for name, texts in self.errors.items()
            for text in texts
        ]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.about is not None:
            given = guard_settings.given_in(self.cleaned_data)
            try:
                self.instance.settings = settings.checked(self.about, given)
            except WrongSetting as error:
                self.instance.settings = {}
                self.add_error(guard_settings.PREFIX + error.name, str(error))
            self.instance.rules = self.cleaned_data.get("rules", [])
        return cleaned

    def has_changed(self) -> bool:
        """A guard without a line is off; so one that is not off is kept, even as it was offered."""
        if self.instance.pk is None and self.is_bound:
            return str(self.data.get(self.add_prefix("action"), "")) not in ("", str(int(Action.OFF)))
        return super().has_changed()


class RuleFormSet(forms.BaseInlineFormSet[GuardRule, GuardPolicy, RuleForm]):
    """A form for every guard: of those with a rule that, of the others as it is usual, or off."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.form_kwargs["own"] = _own_names(self.instance)
        known = {rule.guard for rule in self.get_queryset()}
        is_new = self.instance.pk is None
        self.initial_extra = [_usual(guard, is_new) for guard in registry.guards().values() if guard.name not in known]
        self.extra = len(self.initial_extra)

    def get_queryset(self) -> Any:
        """Not of guards that are there no more: nothing can be said of them, and they do nothing."""
        return super().get_queryset().filter(guard__in=registry.guards()).order_by("guard")

    @property
    def in_order(self) -> list[RuleForm]:
        """The forms in the order of the registry."""
        places = {name: place for place, name in enumerate(registry.guards())}
        return sorted(self.forms, key=lambda form: places.get(form.about.name if form.about else "", 0))


class RuleInline(GovernedInline):
    verbs = Verbs(
        noun="rule",
        create=guard_policies.add_rule,
        change=guard_policies.change_rule,
        remove=guard_policies.remove_rule,
    )
    model = GuardRule
    form = RuleForm
    formset = RuleFormSet  # type: ignore[assignment]
    template = "gateway/guard_rules.html"
    verbose_name_plural = "guards"
    can_delete = False
    max_num = None

    # A rule is a part of its policy: who may change the one may change the other.

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("gateway.view_guardpolicy") or self.has_change_permission(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_change_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        right = "change" if obj is not None and obj.pk else "add"
        return bool(request.user.has_perm(f"gateway.{right}_guardpolicy"))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _own_names(policy: GuardPolicy) -> dict[str, list[str]]:
    """What the policy's tenant has of its own to look for; a policy of the platform looks for all of each tenant's."""
    own: dict[str, type[GuardDictionary] | type[GuardPattern]] = {
        "dictionaries": GuardDictionary,
        "patterns": GuardPattern,
    }
    return {
        guard: list(rows.objects.filter(tenant=policy.tenant_id).values_list("name", flat=True))
        if policy.tenant_id
        else []
        for guard, rows in own.items()
    }


def _directions(guard: Guard) -> list[tuple[str, str]]:
    found = [
        (value.value, value.label.capitalize())
        for value in (GuardRule.Direction.PROMPT, GuardRule.Direction.ANSWER)
        if Direction(value.value) in guard.directions
    ]
    both = GuardRule.Direction.BOTH
    return [(both.value, both.label.capitalize()), *found] if len(found) > 1 else found


def _usual(guard: Guard, is_new: bool) -> dict[str, Any]:
    """What a guard's line begins with: in a new policy as it is usual, in one that leaves it out as what that means."""
    action = guard.default if is_new else Action.OFF
    rule = GuardRule(guard=guard.name, action=int(action), direction=_directions(guard)[0][0])
    return {name: getattr(rule, name) for name in RuleForm.Meta.fields}
