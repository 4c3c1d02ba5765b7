"""Subject requests: the queue, and for each request how far it is, until when it is due, and what can be done now."""

from collections.abc import Collection, Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RelatedDropdownFilter

from compliance.actions import exports, requests
from compliance.admin import refusals
from compliance.admin.base import GovernedAdmin, Step, Verbs
from compliance.admin.forms import ReasonForm
from compliance.admin.links import link, list_url
from compliance.admin.names import Names
from compliance.admin.request_forms import RequestForm
from compliance.admin.request_steps import STEPS
from compliance.admin.theme import button, column
from compliance.admin.transcripts import READ, may_read_all
from compliance.errors import ComplianceError
from compliance.exports.download import download
from compliance.models import SubjectRequest
from compliance.request_states import NEXT, State
from compliance.requests import actor_of
from compliance.selectors_requests import days_left, erasure_of, repeated_by

COLOURS = {
    **{State(state).label: "info" for state in State},
    "Fulfilled": "success",
    "Failed": "danger",
    "On hold": "warning",
    "Clarification requested": "warning",
    "Extended": "warning",
    "Refused": "default",
    "Duplicate": "default",
    "Withdrawn": "default",
}
NEAR = 7
"""Days left from which a deadline is marked."""

BUTTONS_OF: dict[str, tuple[State, ...]] = {
    "acknowledge": (State.ACKNOWLEDGED,),
    "vouch": (State.IDENTITY_VERIFIED,),
    "review": (State.IN_REVIEW,),
    "approve": (State.APPROVED,),
    "approve_partially": (State.PARTIALLY_APPROVED,),
    "refuse": (State.REFUSED,),
    "ask_back": (State.CLARIFICATION_REQUESTED,),
    "extend": (State.EXTENDED,),
    "hold": (State.ON_HOLD,),
    "duplicate": (State.DUPLICATE,),
    "withdraw": (State.WITHDRAWN,),
}
"""Buttons, and the states that they lead to; each is offered where the table of states has that way."""


class OpenFilter(DropdownFilter):  # type: ignore[misc]
    """The queue is what is open, unless something else is asked for."""

    title = "open"
    parameter_name = "open"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.all_option = ["", "Open"]

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("closed", "Closed"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen == "all" or request.GET.get("q") or request.GET.get("state__exact"):
            return queryset
        return queryset.filter(closed_at__isnull=chosen != "closed")


@admin.register(SubjectRequest)
class SubjectRequestAdmin(GovernedAdmin):
    verbs = Verbs(noun="request", create=requests.receive)
    form = RequestForm
    steps: ClassVar[dict[str, Step]] = STEPS
    actions_detail = (*STEPS, "read", "take_export")
    ordering = ("due_at", "pk")
    show_full_result_count = False
    empty_hint = "Requests come through the API, or are filed here when they came by letter. Open ones are shown."
    list_display = ("named", "tenant_name", "state_name", "left", "due", "received")
    list_filter = (
        OpenFilter,
        ("tenant", RelatedDropdownFilter),
        ("right", ChoicesDropdownFilter),
        ("state", ChoicesDropdownFilter),
    )
    list_select_related = ("tenant", "subject")
    search_fields = ("=public_id", "subject__surrogate__exact", "tenant__slug", "tenant__name")
    search_help_text = "The request's id, a surrogate, or tenant"
    autocomplete_fields = ("tenant",)
    add_fieldsets = (
        (None, {"fields": ("tenant", "person", "right", "purpose", "words")}),
        ("When", {"fields": ("received_at", "regime")}),
    )
    fieldsets = (
        (None, {"fields": ("title", "tenant_name", "person", "state_name", "public_id", "about")}),
        ("Deadline", {"fields": ("left", "due", "how", "acknowledged", "extension")}),
        ("Identity and decision", {"fields": ("proof", "decision")}),
        ("What is done", {"fields": ("work", "outcome")}),
        ("What happened", {"fields": ("history",)}),
    )
    readonly_fields = (
        *("title", "tenant_name", "person", "state_name", "public_id", "about", "left", "due", "how"),
        *("acknowledged", "extension", "proof", "decision", "work", "outcome", "history"),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: SubjectRequest | None = None) -> tuple[str, ...]:
        return self.readonly_fields if obj else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[SubjectRequest]:
        rows: QuerySet[SubjectRequest] = super().get_queryset(request).defer("code_hash")
        return rows

    def may_take(self, request: HttpRequest, step: str) -> bool:
        return bool(request.user.has_perm("compliance.change_subjectrequest"))

    def has_step_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return self.may_take(request, "")

    def has_export_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        """An export shows what reading does, and more."""
        may_read = request.user.has_perm(READ) or may_read_all(request)
        return self.has_step_permission(request) and bool(may_read)

    @staticmethod
    def title_of(row: SubjectRequest) -> str:
        return f"{row.get_right_display()} request {row.pk}"

    # --- filing --------------------------------------------------------------------------------------------------

    def create_row(self, request: HttpRequest, row: SubjectRequest, form: RequestForm) -> None:
        made = requests.receive(subject=form.subject, asked=form.asked(), by=actor_of(request))
        row.pk, row.right = made.pk, made.right

    # --- buttons -------------------------------------------------------------------------------------------------

    def offers(self, row: SubjectRequest) -> Collection[str]:
        ways = NEXT[State(row.state)]
        offered = {name for name, leads_to in BUTTONS_OF.items() if set(leads_to) & set(ways)}
        if row.state == State.ON_HOLD:
            offered.add("resume")
        if row.state == State.FAILED:
            offered.add("retry")
        if not row.identity_verified_at:
            offered -= {"review", "hold"}
        elif row.state not in (State.ACKNOWLEDGED, State.IDENTITY_PENDING):
            offered.discard("vouch")
        if row.state == State.ON_HOLD:
            offered.discard("review")
        if row.extended_at or "extend" not in offered or not row.terms.get("extension"):
            offered.discard("extend")
        if repeated_by(row) is None:
            offered.discard("duplicate")
        if row.details:
            offered.add("read")
        if _has_export(row):
            offered.add("take_export")
        return offered

    @button("Acknowledge", icon="mark_email_read", permissions=["step"])
    def acknowledge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("acknowledge", request, object_id)

    @button("Identity is proved", icon="badge", permissions=["step"])
    def vouch(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("vouch", request, object_id)

    @button("Review", icon="rate_review", permissions=["step"])
    def review(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("review", request, object_id)

    @button("Approve", icon="check_circle", permissions=["step"])
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("approve", request, object_id)

    @button("Approve in part", icon="rule", permissions=["step"])
    def approve_partially(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("approve_partially", request, object_id)

    @button("Refuse", icon="cancel", permissions=["step"])
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("refuse", request, object_id)

    @button("Ask back", icon="contact_support", permissions=["step"])
    def ask_back(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("ask_back", request, object_id)

    @button("Extend", icon="more_time", permissions=["step"])
    def extend(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("extend", request, object_id)

    @button("Put on hold", icon="pause_circle", permissions=["step"])
    def hold(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("hold", request, object_id)

    @button("Resume", icon="play_circle", permissions=["step"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("resume", request, object_id)

    @button("Duplicate", icon="content_copy", permissions=["step"])
    def duplicate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("duplicate", request, object_id)

    @button("Taken back", icon="undo", permissions=["step"])
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("withdraw", request, object_id)

    @button("Try again", icon="refresh", permissions=["step"])
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.take("retry", request, object_id)

    @button("Their words", icon="format_quote", permissions=["step"])
    def read(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks why, then shows what the person wrote: in the answer to a POST, so that no cache has it."""
        row, form = self._for_reading(request, object_id), ReasonForm(request.POST or None, required=True)
        shown = None
        if request.method == "POST" and form.is_valid():
            try:
                shown = requests.read_details(request=row, by=actor_of(request), reason=form.cleaned_data["reason"])
            except (*refusals.REFUSALS, ComplianceError) as error:
                form.add_error(None, refusals.explain(error))
        context = {
            **self.admin_site.each_context(request),
            "title": f"What was written with {self.title_of(row).lower()}",
            "opts": self.opts,
            "original": row,
            "form": form,
            "shown": shown,
            "back": self.page_of(object_id),
        }
        response = TemplateResponse(request, "compliance/request_words.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @button("Download export", icon="download", permissions=["export"])
    def take_export(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Asks why, then sends the file; each download is on record."""
        row, form = self._for_reading(request, object_id), ReasonForm(request.POST or None, required=True)
        if not self.has_export_permission(request):
            raise PermissionDenied
        if request.method == "POST" and form.is_valid():
            try:
                pieces = exports.download(
                    request=row,
                    reason=form.cleaned_data["reason"],
                    may_read_restricted=may_read_all(request),
                    by=actor_of(request),
                )
            except (*refusals.REFUSALS, ComplianceError, OSError) as error:
                messages.error(request, refusals.explain(error))
                return self.to_page_of(object_id)
            return download(pieces, name=f"{row.right}-{row.public_id}.zip", content_type="application/zip")
        return self._confirmation(request, row, TAKE_EXPORT, form)

    def _for_reading(self, request: HttpRequest, object_id: str) -> SubjectRequest:
        row = self.get_object(request, object_id)
        if not isinstance(row, SubjectRequest):
            raise Http404
        if not self.has_step_permission(request):
            raise PermissionDenied
        return row

    # --- columns -------------------------------------------------------------------------------------------------

    @column("Request", header=True, ordering="right")
    def named(self, row: SubjectRequest) -> tuple[str, str]:
        return self.title_of(row), row.subject.surrogate

    @column("Request")
    def title(self, row: SubjectRequest) -> str:
        return self.title_of(row)

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, row: SubjectRequest) -> str:
        return row.tenant.name

    @column("Person")
    def person(self, row: SubjectRequest) -> SafeString:
        return link(list_url("compliance_subject", q=row.subject.surrogate), row.subject.surrogate)

    @column("State", label=COLOURS, ordering="state")
    def state_name(self, row: SubjectRequest) -> str:
        return State(row.state).label

    @column("Days left", ordering="due_at")
    def left(self, row: SubjectRequest) -> SafeString | str:
        if not row.is_open:
            return "–"
        days = days_left(row)
        words = f"{-days} over" if days < 0 else "Today" if days == 0 else str(days)
        tone = "pcl-over" if days < 0 else "pcl-near" if days <= NEAR else ""
        stands = " (clock stands still)" if row.paused_since else ""
        return format_html('<span class="{}"><strong>{}</strong>{}</span>', tone, words, stands)

    @column("Due", ordering="due_at")
    def due(self, row: SubjectRequest) -> str:
        return f"{row.due_on} ({row.zone})"

    @column("Received (UTC)", ordering="received_at")
    def received(self, row: SubjectRequest) -> str:
        return f"{row.received_at:%Y-%m-%d %H:%M}"

    @column("About")
    def about(self, row: SubjectRequest) -> str:
        return f"The purpose {row.purpose}" if row.purpose else "–"

    @column("How it was found")
    def how(self, row: SubjectRequest) -> SafeString:
        return render_to_string("compliance/request_because.html", {"lines": row.because})

    @column("Acknowledged (UTC)")
    def acknowledged(self, row: SubjectRequest) -> str:
        if row.acknowledged_at:
            return f"{row.acknowledged_at:%Y-%m-%d %H:%M}"
        return f"Not yet; by {row.acknowledge_by}" if row.acknowledge_by else "Not yet"

    @column("Extension")
    def extension(self, row: SubjectRequest) -> str:
        return f"{row.extended_at:%Y-%m-%d}: {row.extension_reason}" if row.extended_at else "–"

    @column("Identity")
    def proof(self, row: SubjectRequest) -> str:
        if row.identity_verified_at:
            return f"{row.get_identity_display()}, {row.identity_verified_at:%Y-%m-%d %H:%M} UTC"
        return f"Not proved; {row.codes_made} codes made" if row.codes_made else "Not proved"

    @column("Decision")
    def decision(self, row: SubjectRequest) -> str:
        if not row.decided_at:
            return "–"
        return f"{row.decided_at:%Y-%m-%d %H:%M} UTC by {_who(row.decided_by)}. {row.decision_reason}".strip()

    @column("Steps")
    def work(self, row: SubjectRequest) -> SafeString:
        return render_to_string("compliance/request_steps.html", {"steps": row.steps.order_by("position")})

    @column("Outcome")
    def outcome(self, row: SubjectRequest) -> SafeString | str:
        if _has_export(row):
            export = row.export
            lacking = f", {export.unreadable:,} of them could not be decrypted" if export.unreadable else ""
            return (
                f"{export.records:,} records{lacking}; downloaded {export.downloads} times; "
                f"deleted on {export.expires_on}"
            )
        if row.right == "erasure" and (erasure := erasure_of(row)):
            url = reverse("admin:compliance_erasure_change", args=(erasure.pk,))
            return link(url, f"Erasure: {erasure.get_state_display()}")
        return "–"

    @column("History")
    def history(self, row: SubjectRequest) -> SafeString:
        events = [(event, _who(event.by)) for event in row.events.all()]
        return render_to_string("compliance/request_history.html", {"events": events})


def _has_export(row: SubjectRequest) -> bool:
    return hasattr(row, "export") and row.export.deleted_at is None


def _who(actor: str) -> str:
    """An actor by name where it is one of the people, else as it calls itself."""
    kind, _, key = actor.partition(" ")
    known = {"user": "user", "key": "apikey"}.get(kind)
    return str(Names([(known, key)]).of(known, key)) if known else f"{kind} {key}"


TAKE_EXPORT = Step(
    action=exports.download,
    title="Download the export of {}?",
    text="The file holds everything stored about the person, in clear. Give it to them, and keep no copy. Who vouched "
    "for their identity may not take it.",
    verb="Download",
    done="",
    grave=True,
)
