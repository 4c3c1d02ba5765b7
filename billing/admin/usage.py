"""Usage records, to be read: every request, what it used and how it ended."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin.keys import ApiKeyAdmin
from billing import money, selectors, separate
from billing.models import Adjustment, Budget, UsageRecord
from billing.models.usage import Outcome
from compliance.admin.base import ReadOnlyAdmin
from compliance.admin.filters import ReferenceFilter, SinceFilter, SpanFilter, ValueFilter, days_ago
from compliance.admin.links import add_url, list_url, row_of_links
from compliance.admin.names import Names
from compliance.admin.paginator import LimitedPaginator
from compliance.admin.theme import column

ApiKeyAdmin.last_used = staticmethod(selectors.last_used)

OUTCOME_COLOURS = {
    "Completed": "success",
    "Client left": "info",
    "Refused": "warning",
    "Upstream cut the answer": "danger",
    "Upstream failed": "danger",
    "Failed here": "danger",
    "Process lost, charged at its hold": "danger",
}

HELP = {"end_user": "A surrogate, the same for each request of that end user. Who it is cannot be seen here."}
"""In words for people, where what the column says is for programmers."""


class TenantFilter(ReferenceFilter):
    title, parameter_name, kind = "tenant", "tenant_id", "tenant"


class ApplicationFilter(ReferenceFilter):
    title, parameter_name, kind = "application", "application_id", "application"


class KeyFilter(ReferenceFilter):
    title, parameter_name, kind = "API key", "api_key_id", "apikey"


class OutcomeFilter(ValueFilter):
    title, parameter_name = "outcome", "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        return [(str(value), str(label)) for value, label in Outcome.choices]


class ModelFilter(ValueFilter):
    title, parameter_name = "model", "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        return _values("model")


class CodeFilter(ValueFilter):
    title, parameter_name = "error code", "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        return _values("code")


class AtFilter(SinceFilter):
    field, default = "at", "week"


@admin.register(UsageRecord)
class UsageRecordAdmin(ReadOnlyAdmin):
    list_display = (
        "when",
        "tenant",
        "key",
        "model",
        "outcome_label",
        "code",
        "tokens",
        "cost",
        "latency",
        "first_token",
    )
    list_display_links = ("when",)
    list_filter = (
        AtFilter,
        ("at", SpanFilter),
        TenantFilter,
        ApplicationFilter,
        KeyFilter,
        ModelFilter,
        OutcomeFilter,
        CodeFilter,
    )
    search_fields = ("request_id",)
    search_help_text = "Request id, as the answer's header x-request-id names it"
    ordering = ("-at",)
    sortable_by = ()
    paginator = LimitedPaginator
    list_before_template = "billing/usage_note.html"
    fieldsets = (
        (None, {"fields": ("request_id", "when", "outcome_label", "code", "status", "requests")}),
        ("Whose", {"fields": ("tenant", "application", "key", "environment", "end_user", "tag_values")}),
        ("Where", {"fields": ("model", "served_model", "provider", "upstream_model", "service_tier", "way")}),
        (
            "What it used",
            {
                "fields": (
                    ("exact_cost", "budgets"),
                    ("input_tokens", "cached_input_tokens", "cache_write_tokens"),
                    ("output_tokens", "reasoning_tokens", "counted"),
                )
            },
        ),
        ("How long it took", {"fields": (("latency", "first_token", "overhead"),)}),
    )
    readonly_fields = (
        "when",
        "tenant",
        "application",
        "key",
        "outcome_label",
        "tag_values",
        "exact_cost",
        "budgets",
        "latency",
        "first_token",
        "overhead",
        "way",
        "counted",
        "adjusted",
    )
    empty_hint = (
        "The last 7 days are shown unless you choose another time. A request appears a second or two after it ends."
    )

    def get_fieldsets(self, request: HttpRequest, obj: UsageRecord | None = None) -> Any:
        shown = super().get_fieldsets(request, obj)
        if not request.user.has_perm("billing.view_adjustment"):
            return shown
        return (*shown, ("Adjustments", {"fields": ("adjusted",)}))

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change=change, help_texts=HELP, **kwargs)

    def prepare(self, rows: Sequence[UsageRecord]) -> None:
        names = _names_of(rows)
        for record in rows:
            record.names = names  # type: ignore[attr-defined]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the whole request id alone: only that has an index."""
        if not search_term:
            return queryset, False
        try:
            return queryset.filter(request_id=UUID(search_term.strip().removeprefix("req_"))), False
        except ValueError:
            return queryset.none(), False

    @column("Time (UTC)")
    def when(self, record: UsageRecord) -> str:
        return f"{record.at:%Y-%m-%d %H:%M:%S}"

    @column("Tenant")
    def tenant(self, record: UsageRecord) -> SafeString:
        return _names(record).of("tenant", record.tenant_id).link

    @column("Application")
    def application(self, record: UsageRecord) -> SafeString | None:
        return _names(record).of("application", record.application_id).link if record.application_id else None

    @column("API key")
    def key(self, record: UsageRecord) -> SafeString | None:
        return _names(record).of("apikey", record.api_key_id).link if record.api_key_id else None

    @column("Outcome", label=OUTCOME_COLOURS)
    def outcome_label(self, record: UsageRecord) -> str:
        return record.get_outcome_display()

    @column("Tokens in → out")
    def tokens(self, record: UsageRecord) -> str:
        if record.outcome == Outcome.REFUSED:
            return f"× {record.requests:,}" if record.requests > 1 else "–"
        return f"{record.input_tokens:,} → {record.output_tokens:,}"

    @column("Cost")
    def cost(self, record: UsageRecord) -> str:
        return money.show(record.cost_nano) if record.cost_nano else "–"

    @column("Cost")
    def exact_cost(self, record: UsageRecord) -> str:
        return money.in_full(record.cost_nano)

    @column("Adjusted by")
    def adjusted(self, record: UsageRecord) -> SafeString:
        of_request = {"request_id": str(record.request_id)}
        nano = Adjustment.objects.filter(tenant_id=record.tenant_id, **of_request).aggregate(nano=Sum("amount_nano"))
        links = [(add_url("billing_adjustment", tenant=record.tenant_id, **of_request), "Adjust")]
        if nano["nano"] is not None:
            links.insert(0, (list_url("billing_adjustment", q=of_request["request_id"]), money.in_full(nano["nano"])))
        return row_of_links(links)

    @column("Tags")
    def tag_values(self, record: UsageRecord) -> str:
        return ", ".join(f"{key}: {value}" for key, value in sorted(record.tags.items())) or "–"

    @column("Budgets")
    def budgets(self, record: UsageRecord) -> SafeString:
        charged = f"charged to {len(record.charged)}" if record.charged else "charged to none"
        words = f"{charged}, a soft one of them exceeded" if record.over_budget else charged
        named = (separate.charged(record) or ()) if record.charged else ()
        links = [(_budget_url(budget), f"{budget.name}, {whose}" if whose else budget.name) for budget, whose in named]
        return format_html("{} {}", words, row_of_links(links)) if links else format_html("{}", words)

    @column("Answer")
    def way(self, record: UsageRecord) -> str:
        return "Streamed" if record.streamed else "Whole"

    @column("Tokens counted")
    def counted(self, record: UsageRecord) -> str:
        return "here, as an estimate" if record.estimated else "by the provider"

    @column("Latency")
    def latency(self, record: UsageRecord) -> str:
        return duration(record.latency_ms)

    @column("First token")
    def first_token(self, record: UsageRecord) -> str:
        return duration(record.first_token_ms)

    @column("Spent here")
    def overhead(self, record: UsageRecord) -> str:
        return "–" if record.overhead_us is None else f"{record.overhead_us:,} µs"


def duration(ms: float | None) -> str:
    """Milliseconds for people: `840 ms`, `1.26 s`, `12.3 s`."""
    if ms is None:
        return "–"
    if ms < 1000:
        return f"{ms:.0f} ms"
    return f"{ms / 1000:.2f} s" if ms < 10_000 else f"{ms / 1000:,.1f} s"


def _budget_url(budget: Budget) -> str:
    return reverse("admin:billing_budget_change", args=[budget.pk])


def _names(record: UsageRecord) -> Names:
    names: Names | None = getattr(record, "names", None)
    return names if names is not None else _names_of([record])


def _names_of(records: Sequence[UsageRecord]) -> Names:
    return Names(
        reference
        for record in records
        for reference in (
            ("tenant", str(record.tenant_id)),
            ("application", str(record.application_id)),
            ("apikey", str(record.api_key_id)),
        )
    )


def _values(column: str) -> list[tuple[str, str]]:
    """The values of the newest records, for a filter; one more can be written into the address."""
    newest = UsageRecord.objects.filter(at__gte=days_ago(30)).order_by("-at").values(column)[:5000]
    return [(value, value) for value in sorted({row[column] for row in newest} - {""})]
