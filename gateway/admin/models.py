"""Models, and the deployments that serve them."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import BooleanRadioFilter, RelatedDropdownFilter

from accounts.admin.key_forms import KeyForm
from billing.admin.budget_forms import BudgetForm
from billing.admin.prices import PriceAdmin
from billing.models import Price
from compliance.admin.base import GovernedAdmin, GovernedInline, Verbs
from compliance.admin.theme import column
from gateway import selectors
from gateway.actions import routes
from gateway.models import Deployment, Model


def _is_deployed(price: Price) -> bool:
    return Deployment.objects.filter(provider__slug=price.provider, upstream_model=price.model).exists()


KeyForm.model_names = staticmethod(selectors.model_names)
BudgetForm.model_names = staticmethod(selectors.model_names)
PriceAdmin.is_deployed = staticmethod(_is_deployed)

DEPLOYMENT_VERBS = Verbs(
    noun="deployment", create=routes.deploy, change=routes.change_deployment, remove=routes.withdraw
)
ON_OFF = {"Active": "success", "Off": "warning"}
NO_PRICE = "No price"


class DeploymentInline(GovernedInline):
    verbs = DEPLOYMENT_VERBS
    model = Deployment
    fields = ("provider", "upstream_model", "priority", "active")


@admin.register(Model)
class ModelAdmin(GovernedAdmin):
    verbs = Verbs(noun="model", create=routes.add_model, change=routes.change_model, remove=routes.remove_model)
    inlines = (DeploymentInline,)
    empty_hint = "Add a provider first, then the models that it serves."
    list_display = ("name", "served", "route", "owned_by", "counting", "added")
    list_filter = (("active", BooleanRadioFilter),)
    search_fields = ("name", "deployments__upstream_model")
    search_help_text = "Name, also at the provider"
    fieldsets = (
        (
            None,
            {
                "fields": ("name", "owned_by", "active"),
                "description": "Clients see it once it has an active deployment with a price.",
            },
        ),
        (
            "What is held before a request is sent",
            {"fields": ("tokenizer", "hidden_reasoning", ("image_tokens_most", "context_tokens"))},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Model]:
        ways = Deployment.objects.filter(active=True).select_related("provider").order_by("priority", "id")
        return super().get_queryset(request).prefetch_related(Prefetch("deployments", ways, to_attr="ways"))

    def prepare(self, rows: Sequence[Model]) -> None:
        priced = selectors.priced({way for model in rows for way in model.ways})  # type: ignore[attr-defined]
        for model in rows:
            model.priced = priced  # type: ignore[attr-defined]

    @column("Status", label={"Served": "success", "Off": "warning", "No deployment": "danger", NO_PRICE: "danger"})
    def served(self, model: Any) -> str:
        if not model.active:
            return "Off"
        usable = [way for way in model.ways if way.provider.active]
        if not usable:
            return "No deployment"
        return "Served" if any(way.pk in model.priced for way in usable) else NO_PRICE

    @column("Answered by, in this order")
    def route(self, model: Any) -> str:
        return " → ".join(str(way) for way in model.ways) or "–"

    @column("Tokenizer", ordering="tokenizer")
    def counting(self, model: Model) -> str:
        return f"{model.tokenizer}, hidden reasoning" if model.hidden_reasoning else model.tokenizer

    @column("Added (UTC)", ordering="created_at")
    def added(self, model: Model) -> str:
        return f"{model.created_at:%Y-%m-%d}"


@admin.register(Deployment)
class DeploymentAdmin(GovernedAdmin):
    verbs = DEPLOYMENT_VERBS
    empty_hint = "A deployment says which provider serves a model, under which name."
    list_display = ("model_name", "provider_name", "upstream_model", "priority", "state", "price")
    list_filter = (
        ("model", RelatedDropdownFilter),
        ("provider", RelatedDropdownFilter),
        ("active", BooleanRadioFilter),
    )
    list_select_related = ("model", "provider")
    search_fields = ("model__name", "provider__name", "upstream_model")
    search_help_text = "Model, provider, or the model's name there"
    autocomplete_fields = ("model", "provider")
    fieldsets = (
        (None, {"fields": ("model", "provider", "upstream_model")}),
        ("Use", {"fields": ("priority", "active")}),
    )

    def prepare(self, rows: Sequence[Deployment]) -> None:
        priced = selectors.priced(set(rows))
        for deployment in rows:
            deployment.priced = deployment.pk in priced  # type: ignore[attr-defined]

    @column("Model", ordering="model__name")
    def model_name(self, deployment: Deployment) -> str:
        return deployment.model.name

    @column("Provider", ordering="provider__name")
    def provider_name(self, deployment: Deployment) -> str:
        return deployment.provider.name

    @column("Status", label=ON_OFF, ordering="active")
    def state(self, deployment: Deployment) -> str:
        return "Active" if deployment.active else "Off"

    @column("Price", label={"In force": "success", NO_PRICE: "danger"})
    def price(self, deployment: Any) -> str:
        return "In force" if deployment.priced else NO_PRICE
