"""Tiers, and which tenant has which."""

from collections.abc import Sequence

from django.contrib import admin, messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import RelatedDropdownFilter

from accounts.admin.tenants import OpenTenantForm
from accounts.models import Tenant
from billing import words
from billing.actions import tiers
from billing.models import Subscription, Tier, TierLimit
from compliance.admin.base import GovernedAdmin, GovernedInline, Verbs
from compliance.admin.links import link, list_url
from compliance.admin.theme import column
from compliance.contracts import Actor


def _subscribe(tenant: Tenant, tier_id: int, by: Actor) -> None:
    tiers.subscribe(subscription=Subscription(tenant=tenant, tier_id=tier_id), by=by)


OpenTenantForm.tiers = staticmethod(lambda: list(Tier.objects.values_list("pk", "name")))
OpenTenantForm.subscribe = staticmethod(_subscribe)


class LimitInline(GovernedInline):
    verbs = Verbs(noun="limit", create=tiers.add_limit, change=tiers.change_limit, remove=tiers.remove_limit)
    model = TierLimit
    fields = ("scope", "limit", "measure", "per")
    verbose_name_plural = "further limits"


@admin.register(Tier)
class TierAdmin(GovernedAdmin):
    verbs = Verbs(noun="tier", create=tiers.add, change=tiers.change, remove=tiers.remove)
    inlines = (LimitInline,)
    empty_hint = "A tier is a set of limits; each tenant needs one."
    list_display = ("named", "requests", "tokens", "at_once", "output_cap", "further", "tenants")
    search_fields = ("slug", "name")
    fieldsets = (
        (None, {"fields": ("name", "slug")}),
        (
            "Limits of a tenant",
            {
                "fields": (
                    ("requests_per_minute", "requests_per_hour", "requests_per_day"),
                    ("tokens_per_minute", "concurrency"),
                ),
                "description": "A limit is a burst that refills evenly: 60 a minute is 60 at once, then one a second. "
                "A change holds for every tenant of the tier at once.",
            },
        ),
        (
            "Limits of one request",
            {"fields": ("output_tokens_cap", ("max_messages", "max_message_chars", "max_prompt_chars"))},
        ),
        ("Bounds", {"fields": ("separate_meters_most",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tier]:
        rows: QuerySet[Tier] = super().get_queryset(request).annotate(tenants_count=Count("subscriptions"))
        return rows.prefetch_related("limits")

    def get_prepopulated_fields(self, request: HttpRequest, obj: Tier | None = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def response_add(self, request: HttpRequest, obj: Tier, post_url_continue: str | None = None) -> HttpResponse:
        _warn_of_what_never_fits(request, obj)
        return super().response_add(request, obj, post_url_continue)

    def response_change(self, request: HttpRequest, obj: Tier) -> HttpResponse:
        _warn_of_what_never_fits(request, obj)
        return super().response_change(request, obj)

    @column("Tier", header=True, ordering="name")
    def named(self, tier: Tier) -> tuple[str, str]:
        return tier.name, tier.slug

    @column("Requests a minute, hour, day", ordering="requests_per_minute")
    def requests(self, tier: Tier) -> str:
        return f"{tier.requests_per_minute:,} · {tier.requests_per_hour:,} · {tier.requests_per_day:,}"

    @column("Tokens a minute", ordering="tokens_per_minute")
    def tokens(self, tier: Tier) -> str:
        return f"{tier.tokens_per_minute:,}"

    @column("At once", ordering="concurrency")
    def at_once(self, tier: Tier) -> str:
        return f"{tier.concurrency:,}"

    @column("Output cap, tokens", ordering="output_tokens_cap")
    def output_cap(self, tier: Tier) -> str:
        return f"{tier.output_tokens_cap:,}"

    @column("Further limits")
    def further(self, tier: Tier) -> SafeString | None:
        return format_html_join(mark_safe("<br>"), "{}", ((limit,) for limit in words.further_limits(tier))) or None

    @column("Tenants", ordering="tenants_count")
    def tenants(self, tier: Tier) -> SafeString:
        count = getattr(tier, "tenants_count", 0)
        return link(list_url("billing_subscription", tier__id__exact=tier.pk), count)


def _warn_of_what_never_fits(request: HttpRequest, tier: Tier) -> None:
    if limits := words.never_fits(tier):
        messages.warning(
            request,
            f"A request that names no limit of output counts with {tier.output_tokens_cap:,} tokens of it and is "
            f"refused by: {', '.join(limits)}.",
        )


@admin.register(Subscription)
class SubscriptionAdmin(GovernedAdmin):
    verbs = Verbs(noun="subscription", create=tiers.subscribe, change=tiers.resubscribe, remove=tiers.unsubscribe)
    empty_hint = "A tenant without a tier is served nothing: give it one here."
    list_display = ("tenant_name", "tier_name", "since_day")
    list_filter = (("tier", RelatedDropdownFilter),)
    list_select_related = ("tenant", "tier")
    search_fields = ("tenant__slug", "tenant__name", "tier__name")
    search_help_text = "Tenant or tier"
    autocomplete_fields = ("tenant",)
    ordering = ("tenant__name",)
    fieldsets = ((None, {"fields": ("tenant", "tier")}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> tuple[str, ...]:
        return ("tenant",) if obj else ()

    @column("Tenant", ordering="tenant__name")
    def tenant_name(self, subscription: Subscription) -> str:
        return subscription.tenant.name

    @column("Tier", label=True, ordering="tier__name")
    def tier_name(self, subscription: Subscription) -> str:
        return subscription.tier.name

    @column("Since (UTC)", ordering="since")
    def since_day(self, subscription: Subscription) -> str:
        return f"{subscription.since:%Y-%m-%d}"
