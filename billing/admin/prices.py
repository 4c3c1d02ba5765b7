"""Prices, in dollars per million tokens."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from billing.actions import prices
from billing.admin.dollars import DollarFields, per_million
from billing.admin.price_forms import PriceForm
from billing.models import Price
from compliance.admin.base import GovernedAdmin, Verbs
from compliance.admin.filters import ValueFilter
from compliance.admin.theme import column


class ProviderFilter(ValueFilter):
    title, parameter_name = "provider", "provider"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[Any, str]]:
        slugs = Price.objects.order_by("provider").values_list("provider", flat=True).distinct()
        return [(slug, slug) for slug in slugs]


@admin.register(Price)
class PriceAdmin(DollarFields, GovernedAdmin):
    verbs = Verbs(noun="price", create=prices.add, change=prices.change, remove=prices.remove)
    form = PriceForm
    empty_hint = "A model without a price is refused: add what its provider charges."
    list_display = (
        "named",
        "holds",
        "input",
        "cached",
        "written",
        "output",
        "further",
        "since",
        "source",
    )
    list_filter = (ProviderFilter,)
    search_fields = ("provider", "model", "service_tier")
    search_help_text = "Provider, model or service tier"
    readonly_fields = ("source",)
    add_fieldsets = (
        (None, {"fields": ("provider", "model", "service_tier", "valid_from")}),
        (
            "Dollars per million tokens",
            {
                "fields": (("input_nano", "output_nano"), ("cached_input_nano", "cache_write_nano"), "reasoning_nano"),
                "description": "To change a price from some time on, add one with that date; the one before stays on "
                "record. A model without a price is refused.",
            },
        ),
        ("Dollars per request", {"fields": (("request_nano", "search_nano"),)}),
    )
    fieldsets: ClassVar[Any] = (*add_fieldsets, ("Origin", {"fields": ("source",)}))

    is_deployed: Callable[[Price], bool] = staticmethod(lambda price: True)
    """Whether the provider serves a model of that name; the gateway sets it."""

    def create_row(self, request: HttpRequest, row: Price, form: Any) -> None:
        super().create_row(request, row, form)
        self._warn_of_a_name_that_none_has(request, row)

    def change_row(self, request: HttpRequest, row: Price, form: Any) -> None:
        super().change_row(request, row, form)
        self._warn_of_a_name_that_none_has(request, row)

    def _warn_of_a_name_that_none_has(self, request: HttpRequest, price: Price) -> None:
        if not self.is_deployed(price):
            messages.warning(
                request,
                f"No deployment at {price.provider} has the model {price.model} there: until one has, nothing is "
                "charged by this price. Compare the names.",
            )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Price]:
        newer = Price.objects.filter(
            provider=OuterRef("provider"),
            model=OuterRef("model"),
            service_tier=OuterRef("service_tier"),
            valid_from__gt=OuterRef("valid_from"),
            valid_from__lte=timezone.now(),
        )
        rows: QuerySet[Price] = super().get_queryset(request).annotate(is_replaced=Exists(newer))
        return rows

    @column("Model", header=True, ordering="model")
    def named(self, price: Price) -> tuple[str, str]:
        return price.model, " · ".join(filter(None, [price.provider, price.service_tier]))

    @column("State", label={"In force": "success", "Later": "info", "Replaced": None})
    def holds(self, price: Price) -> str:
        if price.valid_from > timezone.now():
            return "Later"
        return "Replaced" if getattr(price, "is_replaced", False) else "In force"

    @column("Input, per million tokens", ordering="input_nano")
    def input(self, price: Price) -> str:
        return per_million(price.input_nano)

    @column("Cached input, per million tokens", ordering="cached_input_nano")
    def cached(self, price: Price) -> str:
        return per_million(price.cached_input_nano)

    @column("Cache write, per million tokens", ordering="cache_write_nano")
    def written(self, price: Price) -> str:
        return per_million(price.cache_write_nano) if price.cache_write_nano else "–"

    @column("Output, per million tokens", ordering="output_nano")
    def output(self, price: Price) -> str:
        return per_million(price.output_nano)

    @column("Further")
    def further(self, price: Price) -> str:
        """What only some models cost, in words."""
        reasoning = f"reasoning {per_million(price.reasoning_nano)}" if price.reasoning_nano is not None else ""
        search = f"search {per_million(price.search_nano)} each" if price.search_nano is not None else ""
        request = f"{per_million(price.request_nano)} a request" if price.request_nano else ""
        return " · ".join(filter(None, [reasoning, search, request])) or "–"

    @column("From (UTC)", ordering="valid_from")
    def since(self, price: Price) -> str:
        return f"{price.valid_from:%Y-%m-%d %H:%M}"
