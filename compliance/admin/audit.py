"""The audit log, to be read: the list, and one event with its place in its log."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from compliance import selectors_audit
from compliance.admin import audit_choices, audit_timeline, diffs
from compliance.admin.audit_names import actor_of, names_of
from compliance.admin.base import ReadOnlyAdmin
from compliance.admin.filters import ReferenceFilter, SinceFilter, SpanFilter, ValueFilter
from compliance.admin.links import clipped
from compliance.admin.names import Names
from compliance.admin.paginator import LimitedPaginator
from compliance.admin.theme import column
from compliance.models import AuditEvent
from compliance.selectors_audit import ProofMissing

PLATFORM = "platform"
KINDS = {
    "user": "People",
    "key": "API keys",
    "command": "Commands",
    "task": "Scheduled tasks",
    "system": "The system itself",
    "anonymous": "Nobody known",
}
OUTCOMES = {"success": "Done", "refused": "Refused", "failure": "Failed"}
COLOURS = {"success": "success", "refused": "warning", "failure": "danger"}
SURROGATE = "eu_"


class TenantFilter(ReferenceFilter):
    title, parameter_name, kind = "tenant", "tenant_id", "tenant"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        return [(PLATFORM, "None: of the platform"), *super().lookups(request, model_admin)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == PLATFORM:
            return queryset.filter(tenant_id=None)
        return super().queryset(request, queryset)


class PersonFilter(ReferenceFilter):
    title, parameter_name, kind = "person", "actor_id", "user"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        rows = super().queryset(request, queryset)
        return rows.filter(actor_kind="user") if self.value() else rows


class ActorKindFilter(ValueFilter):
    title, parameter_name = "kind of actor", "actor_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        return KINDS.items()


class OutcomeFilter(ValueFilter):
    title, parameter_name = "outcome", "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        return OUTCOMES.items()


class ActionFilter(ValueFilter):
    title, parameter_name = "action", "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        return audit_choices.actions()


class ObjectKindFilter(ValueFilter):
    title, parameter_name = "kind of object", "target_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        return audit_choices.objects()


class ObjectFilter(ValueFilter):
    """Chosen by links from a row's page; shown so that it can be cleared."""

    title, parameter_name = "object's number", "target_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        chosen = request.GET.get("target_id", "")
        return [(chosen, chosen)] if chosen else [("", "choose by a row's history")]


class OccurredFilter(SinceFilter):
    field = "occurred_at"


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ("when", "actor_shown", "action_done", "outcome_shown", "object", "tenant_shown", "summary")
    list_display_links = ("when",)
    list_filter = (
        OccurredFilter,
        ("occurred_at", SpanFilter),
        TenantFilter,
        ActorKindFilter,
        PersonFilter,
        ActionFilter,
        ObjectKindFilter,
        ObjectFilter,
        OutcomeFilter,
    )
    search_fields = ("request_id",)
    search_help_text = "Request id, or a person's surrogate (eu_…)"
    paginator = LimitedPaginator
    list_before_template = "compliance/audit_export_link.html"
    sortable_by = ("when",)
    fieldsets = (
        (None, {"fields": ("when", "action_done", "outcome_shown", "object", "tenant", "reason_shown")}),
        ("What changed", {"fields": ("changes",)}),
        ("Who, from where", {"fields": ("actor", "address", "user_agent", "request_id")}),
        ("Its place in the log", {"fields": ("log", "position", "proof")}),
    )
    readonly_fields = (
        *("when", "action_done", "outcome_shown", "object", "tenant", "reason_shown", "actor", "address", "changes"),
        *("log", "position", "proof"),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.timeline)
        return [path("timeline/", view, name="compliance_auditevent_timeline"), *super().get_urls()]

    def timeline(self, request: HttpRequest) -> HttpResponse:
        """What happened to one object; the link "History" of every object's page."""
        return audit_timeline.page(request, self)

    def has_history(self, request: HttpRequest) -> bool:
        return False

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By what has an index, and by nothing else: the table has millions of rows."""
        term = search_term.strip().replace("\0", "")
        if not term:
            return queryset, False
        if term.startswith(SURROGATE):
            return queryset.exclude(subjects=[]).filter(subjects__contains=[term[:27]]), False
        return queryset.filter(request_id=term), False

    def prepare(self, rows: Sequence[AuditEvent]) -> None:
        names = names_of(rows)
        for event in rows:
            event.names = names  # type: ignore[attr-defined]

    @column("Time (UTC)", ordering="id")
    def when(self, event: AuditEvent) -> str:
        return f"{event.occurred_at:%Y-%m-%d %H:%M:%S}"

    @column("Action")
    def action_done(self, event: AuditEvent) -> SafeString:
        noun, _, verb = event.action.partition(".")
        return format_html("<span>{}.<wbr>{}</span>", noun, verb)

    @column("Outcome", label={OUTCOMES[outcome]: colour for outcome, colour in COLOURS.items()})
    def outcome_shown(self, event: AuditEvent) -> str:
        return OUTCOMES.get(event.outcome, event.outcome)

    @column("Object")
    def object(self, event: AuditEvent) -> SafeString:
        name = _names(event).of(event.target_kind, event.target_id)
        return clipped(name.label, url=audit_timeline.url_of(event.target_kind, event.target_id))

    @column("Tenant")
    def tenant(self, event: AuditEvent) -> SafeString | None:
        return _names(event).of("tenant", event.tenant_id).link if event.tenant_id else None

    @column("By")
    def actor(self, event: AuditEvent) -> SafeString | str:
        return actor_of(event, _names(event))

    # What may be long is cut off in the list, so that it fits the page; the whole of it shows on hovering.
    @column("By")
    def actor_shown(self, event: AuditEvent) -> SafeString:
        return clipped(self.actor(event))

    @column("Tenant")
    def tenant_shown(self, event: AuditEvent) -> SafeString | None:
        name = self.tenant(event)
        return clipped(name) if name else None

    @column("IP address")
    def address(self, event: AuditEvent) -> str | None:
        return event.ip

    @column("Reason")
    def reason_shown(self, event: AuditEvent) -> str:
        return "erased" if "reason" in event.redacted else event.reason

    @column("Changed, and why")
    def summary(self, event: AuditEvent) -> SafeString | str:
        lines = [clipped(text) for text in (_changed(event), self.reason_shown(event)) if text]
        return format_html("<div>{}</div>", format_html_join("", "{}", ((line,) for line in lines))) if lines else "–"

    @column("Before and after")
    def changes(self, event: AuditEvent) -> SafeString:
        text = render_to_string("compliance/changes.html", {"lines": diffs.lines_of(event)})
        return mark_safe(text)  # noqa: S308 - an escaping template

    # --- its place -----------------------------------------------------------------------------------------------

    @column("Log")
    def log(self, event: AuditEvent) -> str:
        place = selectors_audit.place_of(event.pk)
        return place.log.origin if place else "–"

    @column("Index")
    def position(self, event: AuditEvent) -> str:
        place = selectors_audit.place_of(event.pk)
        return f"{place.index:,}" if place else "–"

    @column("Proof")
    def proof(self, event: AuditEvent) -> SafeString | str:
        """What this computer finds now; whoever trusts nobody takes the proof from the API and verifies it there."""
        try:
            found = selectors_audit.proof_of(event)
        except ProofMissing:
            return BROKEN
        if found is None:
            return "Waits for the next checkpoint, which is signed within a minute."
        if not found.holds:
            return BROKEN
        signed = found.checkpoint
        return format_html(
            "Proven by the checkpoint of {} UTC, over {} events.", f"{signed.signed_at:%Y-%m-%d %H:%M:%S}", signed.size
        )


BROKEN = mark_safe(
    "<strong>It does not match its checkpoint: the log was altered. Run <code>manage.py verify_audit</code>.</strong>"
)


def _changed(event: AuditEvent) -> str:
    """The fields that changed, in short; of what was counted how often."""
    if event.action.endswith((".created", ".deleted")):
        return ""
    if count := event.after.get("count"):
        return "once" if count == 1 else f"{count} times"
    fields = [diffs.named(name) for name in event.after]
    return ", ".join(fields[:2]) + (f" and {len(fields) - 2} more" if len(fields) > 2 else "")


def _names(event: AuditEvent) -> Names:
    names: Names | None = getattr(event, "names", None)
    return names if names is not None else names_of([event])
