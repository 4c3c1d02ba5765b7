"""What guards decided, request by request. What they found is written nowhere."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from compliance.admin.base import ReadOnlyAdmin
from compliance.admin.filters import ReferenceFilter, SinceFilter, SpanFilter, ValueFilter
from compliance.admin.links import link, list_url
from compliance.admin.names import Names
from compliance.admin.paginator import LimitedPaginator
from compliance.admin.theme import column
from gateway.admin.request_ids import by_request
from gateway.guards import registry
from gateway.models import GuardDecision

COLOURS = {"Log": "default", "Flag": "info", "Redact": "warning", "Block": "danger"}


class AtFilter(SinceFilter):
    field, default = "at", "week"


class TenantFilter(ReferenceFilter):
    title, parameter_name, kind = "tenant", "tenant_id", "tenant"


class KeyFilter(ReferenceFilter):
    title, parameter_name, kind = "API key", "api_key_id", "apikey"


class GuardFilter(ValueFilter):
    title, parameter_name = "guard", "guard"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [(guard.name, guard.title) for guard in registry.guards().values()]


class FailureFilter(ValueFilter):
    title, parameter_name = "failure", "failed"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("any", "Any"), *GuardDecision.Error.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not (chosen := self.value()):
            return queryset
        return queryset.exclude(error="") if chosen == "any" else queryset.filter(error=chosen.replace("\0", ""))


@admin.register(GuardDecision)
class GuardDecisionAdmin(ReadOnlyAdmin):
    list_display = ("when", "tenant", "key", "guard_title", "rule", "done", "where", "count", "sureness", "failure")
    list_display_links = ("when",)
    list_filter = (
        AtFilter,
        ("at", SpanFilter),
        TenantFilter,
        KeyFilter,
        GuardFilter,
        ("action", ChoicesDropdownFilter),
        ("direction", ChoicesDropdownFilter),
        FailureFilter,
    )
    search_fields = ("request_id",)
    search_help_text = "Request id"
    ordering = ("-at",)
    sortable_by = ()
    paginator = LimitedPaginator
    empty_hint = "The last 7 days are shown unless you choose another time. Only what guards find is written down."
    fields = (
        *("of_request", "when", "tenant", "key", "model", "guard_title", "rule", "done", "where", "count", "sureness"),
        "failure",
    )
    readonly_fields = fields

    def prepare(self, rows: Sequence[GuardDecision]) -> None:
        names = names_of(rows)
        for row in rows:
            row.names = names  # type: ignore[attr-defined]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return by_request(queryset, search_term), False

    @column("Time (UTC)")
    def when(self, row: GuardDecision) -> str:
        return f"{row.at:%Y-%m-%d %H:%M:%S}"

    @column("Request")
    def of_request(self, row: GuardDecision) -> SafeString:
        return link(list_url("billing_usagerecord", q=str(row.request_id)), row.request_id)

    @column("Tenant")
    def tenant(self, row: GuardDecision) -> SafeString:
        return _names(row).of("tenant", row.tenant_id).link

    @column("API key")
    def key(self, row: GuardDecision) -> SafeString:
        return _names(row).of("apikey", row.api_key_id).link

    @column("Guard")
    def guard_title(self, row: GuardDecision) -> str:
        return title_of_guard(row.guard)

    @column("Done", label=COLOURS)
    def done(self, row: GuardDecision) -> str:
        return row.get_action_display().capitalize()

    @column("Where")
    def where(self, row: GuardDecision) -> str:
        return row.where

    @column("Score")
    def sureness(self, row: GuardDecision) -> str:
        return f"{row.score:.2f}"

    @column("Failure", label={"The guard failed": "danger", "No time was left": "danger"})
    def failure(self, row: GuardDecision) -> str | None:
        return row.get_error_display() if row.error else None


def title_of_guard(name: str) -> str:
    """What a guard is called; its name where it is there no more."""
    guard = registry.guards().get(name)
    return guard.title if guard else name


def names_of(rows: Sequence[Any]) -> Names:
    """The names of tenants, applications and keys."""
    return Names(
        reference
        for row in rows
        for reference in (
            ("tenant", str(row.tenant_id)),
            ("application", str(row.application_id)),
            ("apikey", str(row.api_key_id)),
        )
    )


def _names(row: GuardDecision) -> Names:
    names: Names | None = getattr(row, "names", None)
    return names if names is not None else names_of([row])
