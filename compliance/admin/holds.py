"""Legal holds: ask for one, ask to lift one. Another person decides, under Approvals."""

from collections.abc import Collection, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import (
    UnfoldAdminExpandableTextareaWidget,
    UnfoldAdminSelect2Widget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from compliance import selectors
from compliance.actions import holds
from compliance.actions.subjects import LONGEST
from compliance.admin import names
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.forms import GovernedForm
from compliance.admin.links import link, list_url
from compliance.admin.names import Names
from compliance.admin.people import links_of as people_links
from compliance.admin.theme import button, column
from compliance.holds import MOST_COUNTED, count_covered
from compliance.models import LegalHold, Subject

COLOURS = {
    "Waits for approval": "info",
    "Active": "success",
    "Active, release requested": "warning",
    "Released": "default",
    "Refused": "danger",
}

NEEDED: dict[str, tuple[tuple[str, ...], str]] = {
    LegalHold.Scope.SUBJECT: (("person",), "Name the person, or choose another scope."),
    LegalHold.Scope.KEY: (("api_key_id",), "Choose the key, or another scope."),
    LegalHold.Scope.PERIOD: (("since", "until"), "Say from when or until when, or choose another scope."),
    LegalHold.Scope.QUERY: (
        ("application_id", "environment", "model", "outcome"),
        "Say which application, environment, model or outcome.",
    ),
}
"""Scope → the fields of which it needs one, and what to say where none is filled in."""
COUNTING = (
    *("__all__", "tenant", "scope", "person", "api_key_id", "since", "until"),
    *("application_id", "environment", "model", "outcome"),
)


class HoldForm(GovernedForm):
    """Finds the person by the tenant's own id, which is not kept, and offers keys and applications by name."""

    person = forms.CharField(
        required=False,
        max_length=LONGEST,
        strip=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="As the tenant's application names them, or their surrogate (eu_…). Only the surrogate is kept.",
    )
    reason = forms.CharField(
        widget=UnfoldAdminExpandableTextareaWidget(attrs={"rows": 2}),
        help_text="Why it must be kept. No personal data.",
    )
    api_key_id = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, label="API key", widget=UnfoldAdminSelect2Widget
    )
    application_id = forms.TypedChoiceField(
        required=False, coerce=int, empty_value=None, label="Application", widget=UnfoldAdminSelect2Widget
    )

    environment = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    outcome = forms.ChoiceField(required=False, widget=UnfoldAdminSelectWidget)
    model = forms.CharField(
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget(attrs={"list": "hold-models", "autocomplete": "off"}),
        help_text="As requests name it.",
    )

    class Meta:
        model = LegalHold
        fields = (
            *("tenant", "title", "matter", "reason", "scope", "api_key_id", "since", "until"),
            *("application_id", "environment", "model", "outcome"),
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field, kind in (("api_key_id", "apikey"), ("application_id", "application")):
            if field in self.fields:
                self.fields[field].choices = [("", "Any"), *names.choices(kind)]  # type: ignore[attr-defined]
        for field, kind in (("environment", "apikey"), ("outcome", "usagerecord")):
            if field in self.fields:
                self.fields[field].choices = [("", "Any"), *names.values(kind, field)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        tenant, person = self.cleaned_data.get("tenant"), self.cleaned_data.get("person")
        if tenant and person:
            subject = _find(tenant.pk, person)
            if subject is None:
                raise ValidationError({"person": "The tenant has nobody who is known by this."})
            self.instance.surrogate = subject.surrogate
        fields, problem = NEEDED.get(self.cleaned_data.get("scope", ""), ((), ""))
        if problem and not any(self.cleaned_data.get(field) for field in fields):
            self.add_error(fields[0], problem)
        return cleaned

    def _get_validation_exclusions(self) -> set[str]:
        """Where a field says already what its scope lacks, the table's constraint need not say it again."""
        excluded: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        fields, _ = NEEDED.get(self.cleaned_data.get("scope", ""), ((), ""))
        return excluded | ({"scope"} if any(field in self.errors for field in fields) else set())


@admin.register(LegalHold)
class LegalHoldAdmin(GovernedAdmin):
    verbs = Verbs(noun="hold", create=holds.request)
    form = HoldForm
    change_form_after_template = "compliance/hold_preview.html"
    steps = {
        "release": Step(
            action=holds.request_release,
            title="Ask to release {}?",
            text="It goes on to keep what it covers until another person approves. Then what is due goes with the next "
            "purge, and erasures that waited for it begin.",
            verb="Ask for the release",
            done="{}: the release waits for another person's approval.",
            grave=True,
        ),
    }
    actions_detail = ("release",)
    empty_hint = "A hold keeps what it covers from every purge and every erasure. Two people place it, and two lift it."
    list_display = ("named", "tenant_name", "scope_name", "covers", "state_name", "asked")
    list_filter = (
        ("tenant", RelatedDropdownFilter),
        ("state", ChoicesDropdownFilter),
        ("scope", ChoicesDropdownFilter),
    )
    list_select_related = ("tenant",)
    search_fields = ("title", "matter", "reason", "surrogate__exact", "tenant__slug", "tenant__name")
    search_help_text = "Title, matter, words of the reason, surrogate or tenant"
    autocomplete_fields = ("tenant",)
    add_fieldsets = (
        (None, {"fields": ("tenant", "title", "matter", "reason")}),
        (
            "What it covers",
            {
                "fields": ("scope", "person", "api_key_id", "since", "until"),
                "description": "All that is filled in must match. It can never be changed; place another one instead.",
            },
        ),
        ("Of a query", {"fields": ("application_id", "environment", "model", "outcome")}),
    )
    fieldsets = (
        (None, {"fields": ("title", "matter", "tenant_name", "reason", "state_name", "decisions")}),
        ("What it covers", {"fields": ("scope_name", "covers")}),
        ("When (UTC)", {"fields": ("asked", "active_since", "set_apart", "released")}),
    )
    readonly_fields = (
        *("title", "matter", "tenant_name", "reason", "state_name", "scope_name", "covers"),
        *("asked", "active_since", "set_apart", "released", "decisions"),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: LegalHold | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def prepare(self, rows: Sequence[LegalHold]) -> None:
        found = Names(reference for row in rows for reference in _references(row))
        people = people_links([row.surrogate for row in rows if row.surrogate])
        for row in rows:
            row.names, row.people = found, people  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: LegalHold, post_url_continue: str | None = None) -> HttpResponse:
        messages.warning(request, f"{obj.title} keeps nothing yet: another person has to approve it, under Approvals.")
        return super().response_add(request, obj, post_url_continue)

    # --- a look at what it would cover ---------------------------------------------------------------------------

    @property
    def preview_url(self) -> str:
        return reverse("admin:compliance_legalhold_preview")

    @property
    def model_names(self) -> list[str]:
        """The names of models, as suggestions."""
        return [name for _, name in names.choices("model")]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.preview))
        return [path("preview/", view, name="compliance_legalhold_preview"), *super().get_urls()]

    def preview(self, request: HttpRequest) -> HttpResponse:
        """How many conversations the hold in the form would cover. Saves nothing."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self.get_form(request)(request.POST)
        form.is_valid()
        problems = [text for name in COUNTING for text in form.errors.get(name, ())]
        if not {"tenant", "scope"}.isdisjoint(form.errors):
            problems = ["Choose tenant and scope."]
        words = "" if problems else _covered_words(form.instance)
        context = {"problem": " ".join(map(str, problems)), "words": words}
        return render(request, "compliance/retention_counts.html", context)

    # --- buttons -------------------------------------------------------------------------------------------------

    def may_take(self, request: HttpRequest, step: str) -> bool:
        return bool(request.user.has_perm("compliance.change_legalhold"))

    def has_release_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_take(request, "release")

    def offers(self, row: LegalHold) -> Collection[str]:
        return ("release",) if row.state == LegalHold.State.ACTIVE else ()

    @button("Ask for release", icon="lock_open", permissions=["release"])
    def release(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("release", request, object_id)

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Hold", header=True, ordering="title")
    def named(self, hold: LegalHold) -> tuple[str, str]:
        return hold.title, hold.matter

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, hold: LegalHold) -> str:
        return hold.tenant.name

    @column("Scope", ordering="scope")
    def scope_name(self, hold: LegalHold) -> str:
        return hold.get_scope_display()

    @column("Covers")
    def covers(self, hold: LegalHold) -> SafeString:
        """The conditions in words."""
        if not hasattr(hold, "names"):
            self.prepare([hold])
        found: Names = hold.names  # type: ignore[attr-defined]
        words = [
            format_html("key {}", found.of("apikey", hold.api_key_id).link) if hold.api_key_id else "",
            format_html("application {}", found.of("application", hold.application_id).link)
            if hold.application_id
            else "",
            hold.people[hold.surrogate] if hold.surrogate else "",  # type: ignore[attr-defined]
            hold.environment,
            hold.model,
            hold.outcome,
            f"from {hold.since:%Y-%m-%d %H:%M} UTC" if hold.since else "",
            f"before {hold.until:%Y-%m-%d %H:%M} UTC" if hold.until else "",
        ]
        return format_html_join(", ", "{}", ((word,) for word in words if word)) or format_html("{}", "Everything")

    @column("State", label=COLOURS, ordering="state")
    def state_name(self, hold: LegalHold) -> str:
        return hold.get_state_display()

    @column("Asked for (UTC)", ordering="requested_at")
    def asked(self, hold: LegalHold) -> str:
        return _time(hold.requested_at)

    @column("In force since")
    def active_since(self, hold: LegalHold) -> str:
        return _time(hold.active_at)

    @column("All set apart")
    def set_apart(self, hold: LegalHold) -> str:
        return _time(hold.marked_at)

    @column("Released")
    def released(self, hold: LegalHold) -> str:
        return _time(hold.released_at)

    @column("Decisions")
    def decisions(self, hold: LegalHold) -> SafeString:
        return link(list_url("compliance_approval", target_kind="legalhold", target_id=str(hold.pk)), "Approvals")


def _covered_words(hold: LegalHold) -> str:
    count = count_covered(hold)
    many = f"{count:,} or more" if count == MOST_COUNTED else f"{count:,}"
    return f"This would cover {many} conversation{'' if count == 1 else 's'}."


def _find(tenant_id: int, person: str) -> Subject | None:
    by_surrogate = Subject.objects.filter(tenant_id=tenant_id, surrogate=person.strip()).first()
    return by_surrogate or selectors.find(tenant_id=tenant_id, external_id=person)


def _references(hold: LegalHold) -> list[tuple[str, str]]:
    pairs = (("apikey", hold.api_key_id), ("application", hold.application_id))
    return [(kind, str(pk)) for kind, pk in pairs if pk]


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "–"
