"""Consents: what people decided, with their whole history. Records follow one another; none is changed here."""

import json
from collections.abc import Collection, Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from compliance import consent_import, consent_states, selectors
from compliance.actions import consent_imports, consents
from compliance.admin import refusals
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.consent_forms import ImportForm
from compliance.admin.filters import SinceFilter, ValueFilter
from compliance.admin.links import link, list_url
from compliance.admin.theme import button, column
from compliance.contracts import Actor
from compliance.models import ConsentRecord, Purpose
from compliance.requests import actor_of

COLOURS = {
    "Given": "success",
    "Re-affirmed": "success",
    "Requested": "info",
    "Refused": "warning",
    "Withdrawn": "warning",
    "Expired": "warning",
    "Terminated": "danger",
    "Invalidated": "danger",
}


def _withdraw(*, consent: ConsentRecord, by: Actor, reason: str) -> None:
    consents.withdraw(subject=consent.subject, purpose=consent.purpose, by=by, reason=reason)


def _terminate(*, consent: ConsentRecord, by: Actor, reason: str) -> None:
    consents.end(record=consent, state=ConsentRecord.State.TERMINATED, by=by, reason=reason)


def _invalidate(*, consent: ConsentRecord, by: Actor, reason: str) -> None:
    consents.end(record=consent, state=ConsentRecord.State.INVALIDATED, by=by, reason=reason)


class PurposeFilter(ValueFilter):
    title, parameter_name = "purpose", "purpose"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in Purpose.objects.order_by("slug").values_list("slug", flat=True).distinct()]


class PersonFilter(ValueFilter):
    """Chosen by links from a person's page; shown so that it can be cleared."""

    title, parameter_name = "person", "subject__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = request.GET.get("subject__id__exact", "")
        return [(chosen, "the one chosen")] if chosen else [("", "choose by a person's page")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.value() or ""
        is_number = chosen.isdecimal() and len(chosen) < 19
        return queryset.filter(subject_id=chosen) if is_number else queryset.none() if chosen else queryset


class NoticeFilter(PersonFilter):
    """Chosen by links from a notice's page."""

    title, parameter_name = "notice", "notice__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = request.GET.get("notice__id__exact", "")
        return [(chosen, "the one chosen")] if chosen else [("", "choose by a notice's page")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.value() or ""
        is_number = chosen.isdecimal() and len(chosen) < 19
        return queryset.filter(notice_id=chosen) if is_number else queryset.none() if chosen else queryset


class LiveFilter(ValueFilter):
    """The last word on each purpose, or what came before it."""

    title, parameter_name = "latest", "live"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("1", "The latest"), ("0", "What was followed by another")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        chosen = self.value()
        return queryset.filter(live=chosen == "1") if chosen in ("0", "1") else queryset


class DecidedFilter(SinceFilter):
    field = "event_at"


@admin.register(ConsentRecord)
class ConsentAdmin(GovernedAdmin):
    verbs = Verbs(noun="consent")
    steps = {
        "withdraw": Step(
            action=_withdraw,
            title="Withdraw {}?",
            text="For a person who asked for it. The very next write stores nothing, and what was stored with this "
            "consent is erased, unless the tenant's content policy or a legal hold keeps it.",
            verb="Withdraw",
            done="{} is withdrawn.",
            grave=True,
        ),
        "terminate": Step(
            action=_terminate,
            title="Terminate {}?",
            text="As the purpose is given up. It allows nothing from now on; what was stored stays until it is due.",
            verb="Terminate",
            done="{} is terminated.",
            grave=True,
        ),
        "invalidate": Step(
            action=_invalidate,
            title="Invalidate {}?",
            text="As it never was valid, for instance because the notice was wrong. It allows nothing from now on, and "
            "what was stored with it is erased as after a withdrawal.",
            verb="Invalidate",
            done="{} is invalidated.",
            grave=True,
        ),
    }
    actions_list = ("bring_in",)
    actions_detail = ("withdraw", "terminate", "invalidate")
    show_full_result_count = False
    empty_hint = "Applications record consents through the API; those collected elsewhere can be imported from CSV."
    list_display = (
        "named",
        "who",
        "tenant_name",
        "state_name",
        "allows",
        "latest",
        "notice_seen",
        "decided",
        "expires",
    )
    list_filter = (
        LiveFilter,
        ("tenant", RelatedDropdownFilter),
        PurposeFilter,
        ("state", ChoicesDropdownFilter),
        DecidedFilter,
        PersonFilter,
        NoticeFilter,
    )
    list_select_related = ("tenant", "subject", "notice")
    search_fields = ("subject__surrogate__exact", "receipt_id__iexact")
    search_help_text = "Surrogate (eu_…) or receipt. By the id that applications use: Subjects, Find a person"
    ordering = ("-pk",)
    readonly_fields = (
        *("named", "who", "tenant_name", "state_name", "allows", "latest", "notice_seen", "decided", "expires"),
        *("gpc", "history", "signed_receipt", "record_id", "receipt_id", "collection_method", "jurisdiction"),
        "recorded_by",
    )
    fieldsets = (
        (None, {"fields": ("named", "who", "tenant_name", "state_name", "allows", "latest", "notice_seen")}),
        ("The decision", {"fields": ("decided", "expires", "collection_method", "jurisdiction", "gpc", "recorded_by")}),
        ("History", {"fields": ("history",)}),
        ("Receipt", {"fields": ("record_id", "receipt_id", "signed_receipt")}),
    )

    def prepare(self, rows: Sequence[ConsentRecord]) -> None:
        allowing = set(selectors.allowing().filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
        for row in rows:
            row.is_allowing = row.pk in allowing  # type: ignore[attr-defined]

    # --- who may -------------------------------------------------------------------------------------------------

    def may_take(self, request: HttpRequest, step: str) -> bool:
        return bool(request.user.has_perm("compliance.change_consentrecord"))

    def has_take_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_take(request, "")

    def has_import_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("compliance.add_consentrecord"))

    # --- buttons -------------------------------------------------------------------------------------------------

    def offers(self, row: ConsentRecord) -> Collection[str]:
        if not row.live:
            return ()
        after = consent_states.FOLLOWS[row.state]
        steps = {"withdraw": "withdrawn", "terminate": "terminated", "invalidate": "invalidated"}
        return [step for step, state in steps.items() if state in after]

    @button("Withdraw", icon="undo", permissions=["take"])
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("withdraw", request, object_id)

    @button("Terminate", icon="stop_circle", permissions=["take"])
    def terminate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("terminate", request, object_id)

    @button("Invalidate", icon="gpp_bad", permissions=["take"])
    def invalidate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("invalidate", request, object_id)

    @button("Import", icon="upload_file", permissions=["import"])
    def bring_in(self, request: HttpRequest) -> HttpResponse:
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = ImportForm(request.POST or None, request.FILES or None)
        refused: list[consent_import.Refusal] = []
        if request.method == "POST" and form.is_valid():
            done = self._brought_in(request, form)
            if done is not None and not done.refused:
                return HttpResponseRedirect(reverse("admin:compliance_consentrecord_changelist"))
            refused = list(done.refused) if done else []
        context = {
            **self.admin_site.each_context(request),
            "title": "Import consents",
            "opts": self.opts,
            "form": form,
            "refused": refused,
            "columns": consent_import.COLUMNS,
            "back": list_url("compliance_consentrecord"),
        }
        return TemplateResponse(request, "compliance/import_consents.html", context)

    def _brought_in(self, request: HttpRequest, form: ImportForm) -> consent_imports.Imported | None:
        try:
            done = consent_imports.run(
                tenant_id=form.cleaned_data["tenant"].pk,
                text=form.cleaned_data["text"],
                partly=form.cleaned_data["partly"],
                by=actor_of(request),
            )
        except refusals.REFUSALS as error:
            refusals.show(error, form)
            return None
        if done.recorded:
            messages.success(request, f"{done.recorded:,} decisions were recorded.")
        if done.refused:
            messages.warning(request, f"{len(done.refused):,} lines were refused, for the reasons below.")
        return done

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Consent", ordering="purpose")
    def named(self, record: ConsentRecord) -> str:
        return record.purpose

    @column("Person")
    def who(self, record: ConsentRecord) -> SafeString:
        url = reverse("admin:compliance_subject_change", args=(record.subject_id,))
        return link(url, record.subject.surrogate)

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, record: ConsentRecord) -> str:
        return record.tenant.name

    @column("State", label=COLOURS, ordering="state")
    def state_name(self, record: ConsentRecord) -> str:
        return record.get_state_display()

    @column("Allows", label={"Yes": "success", "No: terms changed": "warning", "No: expired": "warning"})
    def allows(self, record: ConsentRecord) -> str:
        """Whether it allows the purpose now; the database decides, this only finds words."""
        found: bool | None = getattr(record, "is_allowing", None)
        is_allowing = selectors.allowing().filter(pk=record.pk).exists() if found is None else found
        return "Yes" if is_allowing else f"No: {_why_not(record)}"

    @column("Latest", ordering="live")
    def latest(self, record: ConsentRecord) -> str:
        return "Yes" if record.live else "Followed by another"

    @column("Notice")
    def notice_seen(self, record: ConsentRecord) -> SafeString:
        url = reverse("admin:compliance_consentnotice_change", args=(record.notice_id,))
        return link(url, f"{record.notice_version} ({record.notice.language})")

    @column("Decided (UTC)", ordering="event_at")
    def decided(self, record: ConsentRecord) -> str:
        return f"{record.event_at:%Y-%m-%d %H:%M}"

    @column("Expires (UTC)", ordering="expires_at")
    def expires(self, record: ConsentRecord) -> str:
        return f"{record.expires_at:%Y-%m-%d %H:%M}" if record.expires_at else "Never"

    @column("Sec-GPC")
    def gpc(self, record: ConsentRecord) -> str:
        return "Their browser opted out, which was honoured" if record.opted_out_by_gpc else "Made no difference"

    @column("Of this purpose")
    def history(self, record: ConsentRecord) -> SafeString:
        records = selectors.history(subject=record.subject, purpose=record.purpose)
        rows = [(self.page_of(str(each.pk)), each) for each in records[:100]]
        lines = [
            format_html("<li>{} {}</li>", f"{each.event_at:%Y-%m-%d %H:%M}", link(url, each.get_state_display()))
            for url, each in rows
        ]
        return format_html("<ol>{}</ol>", SafeString("".join(lines)))  # each line is escaped

    @column("Signed")
    def signed_receipt(self, record: ConsentRecord) -> SafeString:
        if record.receipt is None:
            return format_html("{}", "Not yet: the signing key was out of reach. It is signed within the hour.")
        return format_html('<pre class="pcl-json">{}</pre>', json.dumps(record.receipt, indent=2, ensure_ascii=False))

    def title_of(self, record: ConsentRecord) -> str:
        return f"{record.purpose}: {record.state}"


def _why_not(record: ConsentRecord) -> str:
    """Why a record that allows nothing does not."""
    if not record.live:
        return "followed by another"
    if record.state == ConsentRecord.State.REQUESTED:
        return "only asked for"
    if record.state not in ConsentRecord.ALLOWING:
        return record.get_state_display().lower()
    is_over = record.expires_at is not None and record.expires_at <= timezone.now()
    return "expired" if is_over else "terms changed"
