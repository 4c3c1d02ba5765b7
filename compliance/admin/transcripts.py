"""Conversations: who may see that there are some, and who may read them, for a reason."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST
from unfold.contrib.filters.admin import BooleanRadioFilter
from unfold.widgets import UnfoldAdminExpandableTextareaWidget

from compliance import conversation, reasons
from compliance.actions import readings
from compliance.admin import refusals
from compliance.admin.base import ReadOnlyAdmin
from compliance.admin.filters import ReferenceFilter, SinceFilter, SpanFilter, ValueFilter
from compliance.admin.links import link, list_url, row_of_links
from compliance.admin.names import Names
from compliance.admin.paginator import LimitedPaginator
from compliance.admin.theme import button, column
from compliance.errors import ActionRefused, ComplianceError, KeyStoreUnavailable, NotReplayed
from compliance.models import Purpose, Subject, Transcript
from compliance.requests import actor_of
from compliance.selectors_transcripts import IS_HELD, state_of

READ = "compliance.read_transcript"
READ_RESTRICTED = "compliance.read_restricted_transcript"

OUTCOME_COLOURS = {"Completed": "success", "Client left": "info"}


class TenantFilter(ReferenceFilter):
    title, parameter_name, kind = "tenant", "tenant_id", "tenant"


class ApplicationFilter(ReferenceFilter):
    title, parameter_name, kind = "application", "application_id", "application"


class KeyFilter(ReferenceFilter):
    title, parameter_name, kind = "API key", "api_key_id", "apikey"


class ModelFilter(ValueFilter):
    title, parameter_name = "model", "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        newest = Transcript.objects.order_by("-created_at").values_list("model", flat=True)[:2000]
        return [(name, name) for name in sorted({*newest} - {""})]


class CreatedFilter(SinceFilter):
    field, default = "created_at", "week"


class ReadingForm(forms.Form):
    """Asks why somebody wants to read it."""

    reason = forms.CharField(
        min_length=reasons.LEAST,
        max_length=reasons.MOST,
        help_text="Kept in the audit log with your name. A ticket or a cause; nothing of the content.",
        widget=UnfoldAdminExpandableTextareaWidget(attrs={"rows": 2, "autofocus": True}),
    )


@admin.register(Transcript)
class TranscriptAdmin(ReadOnlyAdmin):
    list_display = ("when", "tenant", "person", "application", "model", "outcome_label", "size", "expires", "kept")
    list_display_links = ("when",)
    list_filter = (
        CreatedFilter,
        ("created_at", SpanFilter),
        TenantFilter,
        ApplicationFilter,
        KeyFilter,
        ModelFilter,
        ("held", BooleanRadioFilter),
    )
    search_fields = ("id",)
    search_help_text = "Request id, or a person's surrogate"
    ordering = ("-created_at",)
    sortable_by = ()
    paginator = LimitedPaginator
    list_before_template = "compliance/transcripts_note.html"
    actions_detail = ("read",)
    fieldsets = (
        (None, {"fields": ("id", "when", "outcome_label", "model", "way", "size", "content")}),
        ("Whose", {"fields": ("tenant", "person", "application", "key", "environment")}),
        ("Why it is kept, and until when", {"fields": ("purpose_name", "other_purposes", "expires", "kept")}),
        ("Elsewhere", {"fields": ("pages",)}),
    )
    readonly_fields = (
        "when",
        "tenant",
        "person",
        "application",
        "key",
        "outcome_label",
        "way",
        "size",
        "expires",
        "kept",
        "purpose_name",
        "other_purposes",
        "content",
        "pages",
    )
    empty_hint = (
        "The last 7 days are shown unless you choose another time. A conversation is stored where the tenant's content "
        "policy stores and the person consented."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Transcript]:
        rows: QuerySet[Transcript] = super().get_queryset(request).defer("sealed").annotate(is_held=IS_HELD)
        return rows

    def prepare(self, rows: Sequence[Transcript]) -> None:
        names, people = _names_of(rows), _people_of(rows)
        for row in rows:
            row.names, row.people = names, people  # type: ignore[attr-defined]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By a whole request id or a whole surrogate: only those have indexes."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=UUID(term.removeprefix("req_"))), False
        except ValueError:
            of = Subject.objects.filter(surrogate=term.replace("\0", "")).values_list("tenant_id", flat=True)
            return queryset.filter(tenant_id__in=list(of), surrogate=term.replace("\0", "")), False

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Time (UTC)")
    def when(self, row: Transcript) -> str:
        return f"{row.created_at:%Y-%m-%d %H:%M:%S}"

    @column("Tenant")
    def tenant(self, row: Transcript) -> SafeString:
        return _names(row).of("tenant", row.tenant_id).link

    @column("Person")
    def person(self, row: Transcript) -> SafeString:
        people: dict[str, SafeString] = getattr(row, "people", None) or _people_of([row])
        return people[row.surrogate]

    @column("Application")
    def application(self, row: Transcript) -> SafeString | None:
        return _names(row).of("application", row.application_id).link if row.application_id else None

    @column("API key")
    def key(self, row: Transcript) -> SafeString | None:
        return _names(row).of("apikey", row.api_key_id).link if row.api_key_id else None

    @column("Outcome", label=OUTCOME_COLOURS)
    def outcome_label(self, row: Transcript) -> str:
        return row.outcome.replace("_", " ").capitalize()

    @column("Answer")
    def way(self, row: Transcript) -> str:
        return "Streamed" if row.streamed else "Whole"

    @column("Size")
    def size(self, row: Transcript) -> str:
        return filesizeformat(row.plain_bytes)

    @column("Due on")
    def expires(self, row: Transcript) -> str:
        return f"{row.expires_on:%Y-%m-%d}"

    @column("Legal hold", label={"Held": "warning"})
    def kept(self, row: Transcript) -> str | None:
        return "Held" if getattr(row, "is_held", row.held) else None

    @column("Stored for")
    def purpose_name(self, row: Transcript) -> str:
        return _purposes([row.purpose])

    @column("Also allowed for")
    def other_purposes(self, row: Transcript) -> str:
        return _purposes(row.also_for) or "–"

    @column("Content")
    def content(self, row: Transcript) -> str:
        _, state = state_of(row)
        return state.unreadable or state.closed or "Encrypted. Reading it asks for a reason, which is recorded."

    @column("Pages")
    def pages(self, row: Transcript) -> SafeString:
        return row_of_links(
            (
                (list_url("billing_usagerecord", q=str(row.pk)), "Usage record"),
                (list_url("compliance_auditevent", target_kind="transcript", target_id=str(row.pk)), "Who read it"),
                (list_url("compliance_subjectrequest", q=row.surrogate), "Requests and exports of the person"),
            )
        )

    # --- reading -------------------------------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        taking = path(
            "<path:object_id>/download/",
            self.admin_site.admin_view(self.download),
            name="compliance_transcript_download",
        )
        return [taking, *super().get_urls()]

    def has_read_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return self.has_view_permission(request) and bool(request.user.has_perm(READ) or may_read_all(request))

    @button("Read the conversation", icon="visibility", permissions=["read"])
    @method_decorator(never_cache)
    @method_decorator(sensitive_variables())
    def read(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks why, then shows. What is shown is in this one answer, and nowhere else."""
        row = self._row(request, object_id)
        if not self.has_read_permission(request):
            raise PermissionDenied
        form = ReadingForm(request.POST or None)
        if request.method != "POST" or not form.is_valid():
            return self._page(request, row, form=form)
        try:
            found = readings.read(
                transcript=row,
                reason=form.cleaned_data["reason"],
                may_read_restricted=may_read_all(request),
                by=actor_of(request),
            )
        except (*refusals.REFUSALS, ComplianceError) as error:
            return self._page(request, row, problem=explain(error))
        shown = conversation.read(found.content)
        return self._page(request, row, shown=shown, corrections=found.corrections, reason=form.cleaned_data["reason"])

    @method_decorator(require_POST)
    @method_decorator(never_cache)
    @method_decorator(sensitive_variables())
    def download(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The whole content as a file, for those who may read everything."""
        row = self._row(request, object_id)
        if not (self.has_view_permission(request) and may_read_all(request)):
            raise PermissionDenied
        try:
            found = readings.download(transcript=row, reason=request.POST.get("reason", ""), by=actor_of(request))
        except (*refusals.REFUSALS, ComplianceError) as error:
            return self._page(request, row, problem=explain(error))
        answer = HttpResponse(conversation.as_file(found.content), content_type="application/json")
        answer["Content-Disposition"] = f'attachment; filename="transcript-{row.pk}.json"'
        return answer

    def _row(self, request: HttpRequest, object_id: str) -> Transcript:
        row = self.get_object(request, object_id)
        if not isinstance(row, Transcript):
            raise Http404
        return row

    def _page(self, request: HttpRequest, row: Transcript, **found: Any) -> TemplateResponse:
        _, state = state_of(row)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Conversation of {row.created_at:%Y-%m-%d %H:%M} UTC",
            "opts": self.opts,
            "original": row,
            "back": self.page_of(row),
            "refusal": state.refusal(may_read_restricted=may_read_all(request)),
            "closed": state.closed,
            "may_download": may_read_all(request),
            **found,
        }
        return TemplateResponse(request, "compliance/transcript_read.html", context)

    def page_of(self, row: Transcript) -> str:
        return f"{list_url('compliance_transcript')}{row.pk}/change/"


def may_read_all(request: HttpRequest) -> bool:
    """Whether somebody has the legal role, which also reads what is restricted or held."""
    return bool(request.user.has_perm(READ_RESTRICTED))


def explain(error: Exception) -> str:
    """What went wrong, for the person who wanted to read. Never anything of what was to be read."""
    match error:
        case NotReplayed():
            return "Nothing is decrypted until the erasures since a restore are replayed: manage.py replay_erasures."
        case KeyStoreUnavailable():
            return "The keys cannot be reached now. Try again later."
        case ValidationError() | ActionRefused():
            return refusals.explain(error)
        case ComplianceError():
            return "It cannot be decrypted: what is stored was altered, or belongs elsewhere. This was recorded."
        case _:
            return "It is gone: purged or erased meanwhile."


def _purposes(slugs: Sequence[str]) -> str:
    names = dict(Purpose.objects.filter(slug__in=slugs, tenant=None).values_list("slug", "name"))
    return ", ".join(names.get(slug, slug) for slug in slugs)


def _people_of(rows: Sequence[Transcript]) -> dict[str, SafeString]:
    """People by their surrogates, with links for where their page is."""
    of = {row.surrogate for row in rows}
    known = dict(Subject.objects.filter(surrogate__in=of).values_list("surrogate", "pk"))
    names = Names(("subject", str(pk)) for pk in known.values())
    return {each: _linked(each, names.of("subject", known.get(each)).url) for each in of}


def _linked(surrogate: str, url: str) -> SafeString:
    return link(url, surrogate) if url else format_html("{}", surrogate)


def _names(row: Transcript) -> Names:
    names: Names | None = getattr(row, "names", None)
    return names if names is not None else _names_of([row])


def _names_of(rows: Sequence[Transcript]) -> Names:
    return Names(
        reference
        for row in rows
        for reference in (
            ("tenant", str(row.tenant_id)),
            ("application", str(row.application_id)),
            ("apikey", str(row.api_key_id)),
        )
    )
