"""The audit log, to be read."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

from compliance.admin.base import ReadOnlyAdmin
from compliance.admin.filters import ReferenceFilter, SinceFilter, ValueFilter
from compliance.admin.names import Names
from compliance.admin.paginator import LimitedPaginator
from compliance.admin.theme import column
from compliance.models import AuditEvent


class TenantFilter(ReferenceFilter):
    title, parameter_name, kind = "tenant", "tenant_id", "tenant"


class PersonFilter(ReferenceFilter):
    title, parameter_name, kind = "person", "actor_id", "user"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        rows = super().queryset(request, queryset)
        return rows.filter(actor_kind="user") if self.value() else rows


class ActionFilter(ValueFilter):
    title, parameter_name = "action", "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        recent = AuditEvent.objects.order_by("-id").values("action")[:5000]
        return [(action, action) for action in sorted({row["action"] for row in recent})]


class ObjectKindFilter(ValueFilter):
    title, parameter_name = "kind of object", "target_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        models = {model._meta.model_name: str(model._meta.verbose_name) for model in admin.site._registry}
        return sorted(((kind, name) for kind, name in models.items() if kind), key=lambda choice: choice[1])


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
    list_display = ("when", "action_done", "object", "tenant", "actor", "summary", "reason")
    list_display_links = ("when",)
    list_filter = (OccurredFilter, TenantFilter, PersonFilter, ActionFilter, ObjectKindFilter, ObjectFilter)
    search_fields = ("request_id__exact", "target_id__exact", "action__startswith", "reason__icontains")
    search_help_text = "Request id, number of an object, action, or words of a reason"
    paginator = LimitedPaginator
    fieldsets = (
        (None, {"fields": ("when", "action_done", "object", "tenant", "reason", "outcome")}),
        ("What changed", {"fields": ("changes",)}),
        ("Who, from where", {"fields": ("actor", "ip", "user_agent", "request_id")}),
    )
    readonly_fields = ("when", "action_done", "object", "tenant", "actor", "changes")

    def prepare(self, rows: Sequence[AuditEvent]) -> None:
        names = _names_of(rows)
        for event in rows:
            event.names = names  # type: ignore[attr-defined]

    @column("Time (UTC)", ordering="id")
    def when(self, event: AuditEvent) -> str:
        return f"{event.occurred_at:%Y-%m-%d %H:%M:%S}"

    @column("Action", label=True)
    def action_done(self, event: AuditEvent) -> str:
        return event.action

    @column("Object")
    def object(self, event: AuditEvent) -> SafeString:
        return _names(event).of(event.target_kind, event.target_id).link

    @column("Tenant")
    def tenant(self, event: AuditEvent) -> SafeString | None:
        return _names(event).of("tenant", event.tenant_id).link if event.tenant_id else None

    @column("By")
    def actor(self, event: AuditEvent) -> SafeString | str:
        if event.actor_kind == "user":
            return _names(event).of("user", event.actor_id).link
        return event.actor_id if event.actor_kind == event.actor_id else f"{event.actor_kind} {event.actor_id}"

    @column("Changed")
    def summary(self, event: AuditEvent) -> str:
        if event.action.endswith((".created", ".deleted")):
            return ""
        fields = [name.removesuffix("_id") for name in event.after]
        return ", ".join(fields[:4]) + (f" and {len(fields) - 4} more" if len(fields) > 4 else "")

    @column("Before and after")
    def changes(self, event: AuditEvent) -> SafeString:
        rows = [
            {"name": name, "before": _text(event.before.get(name)), "after": _text(event.after.get(name))}
            for name in sorted({*event.before, *event.after})
        ]
        context = {"rows": rows, "had_before": bool(event.before), "has_after": bool(event.after)}
        return mark_safe(render_to_string("compliance/changes.html", context))  # noqa: S308 - an escaping template


def _text(value: Any) -> str:
    """A field's value for people."""
    match value:
        case None | "" | []:
            return "–"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)


def _names(event: AuditEvent) -> Names:
    names: Names | None = getattr(event, "names", None)
    return names if names is not None else _names_of([event])


def _names_of(events: Sequence[AuditEvent]) -> Names:
    return Names(
        reference
        for event in events
        for reference in (
            (event.target_kind, event.target_id),
            ("tenant", str(event.tenant_id)),
            (event.actor_kind, event.actor_id),
        )
    )
