"""Notices: what people are told before they decide. Drafted, published for good, followed by new versions."""

from collections.abc import Collection
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.widgets import (
    UnfoldAdminExpandableTextareaWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
)

from compliance import selectors
from compliance.actions import notices
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.fields import LinesField
from compliance.admin.forms import GovernedForm
from compliance.admin.links import link, list_url
from compliance.admin.theme import button, column
from compliance.models import ConsentNotice, Purpose

TOLD = (
    *("title", "text", "controller", "lawful_basis", "personal_data", "recipients", "storage_location"),
    *("jurisdiction", "retention", "withdrawal_method", "authority", "rights"),
)
ADD = "admin:compliance_consentnotice_add"
COPIED = ("tenant", "purpose", "language", *TOLD)


def _lines(placeholder: str, help_text: str, *, required: bool = False) -> LinesField:
    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3, "placeholder": placeholder})
    return LinesField(required=required, widget=widget, help_text=f"{help_text} One a line.")


class NoticeForm(GovernedForm):
    """A draft."""

    purpose = forms.ChoiceField(widget=UnfoldAdminSelectWidget, help_text="What people are asked about.")
    version = forms.IntegerField(
        required=False,
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Leave empty for the next one. The same number again is the same version in another language.",
    )
    text = forms.CharField(
        widget=UnfoldAdminExpandableTextareaWidget(attrs={"rows": 12}), help_text="As people are shown it, whole."
    )
    personal_data = _lines("prompts\nanswers", "Which data this is about.", required=True)
    recipients = _lines("", "Who else gets the data.")
    rights = _lines("access\nerasure", "What people may ask for.")

    class Meta:
        model = ConsentNotice
        fields = ("tenant", "purpose", "version", "language", "material_change", *TOLD)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "purpose" in self.fields:
            names = Purpose.objects.order_by("slug").values_list("slug", flat=True).distinct()
            self.fields["purpose"].choices = [("", "Choose one"), *((name, name) for name in names)]  # type: ignore[attr-defined]


@admin.register(ConsentNotice)
class NoticeAdmin(GovernedAdmin):
    verbs = Verbs(noun="notice", create=notices.draft, change=notices.change, remove=notices.remove)
    steps = {
        "publish": Step(
            action=notices.publish,
            title="Publish {}?",
            text="From then on it stays as it is, and applications show it. If the terms changed, consent to earlier "
            "versions allows nothing from this moment: nothing more is stored until people consent again.",
            verb="Publish",
            done="{} is published.",
        ),
    }
    actions_detail = ("publish", "new_version", "translate")
    form = NoticeForm
    empty_hint = "Draft one for each purpose that people are asked about; without one nobody can consent."
    list_display = ("named", "tenant_name", "version", "language", "state", "change", "published", "given")
    list_filter = (
        ("tenant", RelatedDropdownFilter),
        ("status", ChoicesDropdownFilter),
        ("material_change", BooleanRadioFilter),
    )
    list_select_related = ("tenant",)
    search_fields = ("purpose", "title", "tenant__slug", "tenant__name", "text_sha256__exact")
    search_help_text = "Purpose, title, tenant, or the hash that a receipt names"
    autocomplete_fields = ("tenant",)
    readonly_fields = ("state", "published", "text_sha256", "given")
    what_people_read: Any = ("What people are shown", {"fields": ("title", "text")})
    terms: Any = (
        "What receipts say",
        {
            "fields": (
                *("controller", "lawful_basis", "personal_data", "recipients", ("storage_location", "retention")),
                *(("jurisdiction", "authority"), "withdrawal_method", "rights"),
            )
        },
    )
    change_of_terms: Any = (
        "Change of terms",
        {
            "fields": ("material_change",),
            "description": "Tick it where people who agreed before must be asked again. A corrected spelling is no "
            "such change; another purpose, recipient, kind of data or a longer time is one.",
        },
    )
    add_fieldsets = (
        (None, {"fields": ("tenant", ("purpose", "language"), "version")}),
        change_of_terms,
        what_people_read,
        terms,
    )
    fieldsets = (
        (None, {"fields": ("tenant", ("purpose", "language"), "version", "state", "published", "given")}),
        change_of_terms,
        what_people_read,
        ("Its hash", {"fields": ("text_sha256",)}),
        terms,
    )

    def get_readonly_fields(self, request: HttpRequest, obj: ConsentNotice | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "tenant") if obj else self.readonly_fields

    def has_change_permission(self, request: HttpRequest, obj: ConsentNotice | None = None) -> bool:
        return super().has_change_permission(request, obj) and (obj is None or _is_draft(obj))

    def has_delete_permission(self, request: HttpRequest, obj: ConsentNotice | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or _is_draft(obj))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """With `from`, what the notice of that number says, to be changed into a new version or translated."""
        source = request.GET.get("from", "")
        row = ConsentNotice.objects.filter(pk=source).first() if source.isdecimal() and len(source) < 19 else None
        if row is None:
            return dict(super().get_changeform_initial_data(request))
        copied = {name: getattr(row, name) for name in COPIED}
        return copied | ({"version": row.version, "language": ""} if "translate" in request.GET else {})

    # --- what comes next -----------------------------------------------------------------------------------------

    def response_add(
        self, request: HttpRequest, obj: ConsentNotice, post_url_continue: str | None = None
    ) -> HttpResponse:
        _tell_draft(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: ConsentNotice) -> HttpResponse:
        _tell_draft(request, obj)
        return super().response_change(request, obj)

    def called(self, row: ConsentNotice) -> str:
        return self.title_of(row)

    def means(self, step: str, row: ConsentNotice) -> str:
        told = [f"The terms changed: {_asked_again(row)}."] if row.material_change and row.version > 1 else []
        if lost := selectors.languages_lost(row):
            told.append(f"The version before is also in {', '.join(lost)}; this one is not, until you add it.")
        return " ".join(told)

    def _perform_step(self, step: Step, request: HttpRequest, row: ConsentNotice, reason: str) -> None:
        super()._perform_step(step, request, row, reason)
        if ConsentNotice.objects.filter(pk=row.pk, status=ConsentNotice.Status.PUBLISHED).exists():
            _tell_published(request, row)

    # --- buttons -------------------------------------------------------------------------------------------------

    def offers(self, row: ConsentNotice) -> Collection[str]:
        return ("publish",) if _is_draft(row) else ("new_version", "translate")

    def has_draft_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.has_add_permission(request)

    def has_publish_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return super().has_change_permission(request)

    @button("Publish", icon="publish", permissions=["publish"])
    def publish(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("publish", request, object_id)

    @button("New version", icon="content_copy", permissions=["draft"])
    def new_version(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse(ADD)}?from={quote(object_id)}")

    @button("Add a language", icon="translate", permissions=["draft"])
    def translate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(f"{reverse(ADD)}?from={quote(object_id)}&translate=1")

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Notice", header=True, ordering="title")
    def named(self, notice: ConsentNotice) -> tuple[str, str]:
        return notice.title, notice.purpose

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, notice: ConsentNotice) -> str:
        return notice.tenant.name

    @column("Status", label={"Published": "success", "Draft": "warning"}, ordering="status")
    def state(self, notice: ConsentNotice) -> str:
        return notice.get_status_display()

    @column("Terms", label={"Changed": "warning", "First": "info"}, ordering="material_change")
    def change(self, notice: ConsentNotice) -> str:
        if notice.version == 1:
            return "First"
        return "Changed" if notice.material_change else "As before"

    @column("Published (UTC)", ordering="published_at")
    def published(self, notice: ConsentNotice) -> str:
        return f"{notice.published_at:%Y-%m-%d %H:%M}" if notice.published_at else "–"

    @column("Decisions")
    def given(self, notice: ConsentNotice) -> SafeString:
        return link(list_url("compliance_consentrecord", notice__id__exact=notice.pk), "Who decided")

    def title_of(self, notice: ConsentNotice) -> str:
        return f"{notice} of {notice.tenant.name}"


def _tell_draft(request: HttpRequest, notice: ConsentNotice) -> None:
    publish = link(reverse("admin:compliance_consentnotice_publish", args=(notice.pk,)), "Publish it")
    messages.warning(request, format_html("It is a draft, which nobody is shown. {}.", publish))


def _tell_published(request: HttpRequest, notice: ConsentNotice) -> None:
    """What is left to do once a version is published."""
    if notice.material_change and notice.version > 1:
        messages.warning(request, f"The terms changed: {_asked_again(notice)}.")
    if lost := selectors.languages_lost(notice):
        add = link(f"{reverse(ADD)}?from={notice.pk}&translate=1", "Add a language")
        text = "The version before was also in {}, in which there is no notice any more. {}."
        messages.warning(request, format_html(text, ", ".join(lost), add))


def _asked_again(notice: ConsentNotice) -> str:
    people = selectors.must_be_asked(notice)
    return f"{people:,} {'person' if people == 1 else 'people'} must be asked again"


def _is_draft(notice: ConsentNotice) -> bool:
    return notice.status == ConsentNotice.Status.DRAFT
