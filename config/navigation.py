"""The admin's sidebar and what stands around its pages."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse

GROUPS: dict[str, tuple[tuple[str, ...], ...]] = {
    "Access": (
        ("Tenants", "domain", "accounts.tenant"),
        ("Applications", "apps", "accounts.application"),
        ("API keys", "key", "accounts.apikey"),
        ("Users", "person", "accounts.user"),
        ("Memberships", "badge", "accounts.membership"),
        ("Groups", "groups", "auth.group"),
    ),
    "Cost": (
        ("Reports", "bar_chart", "billing.usagerecord", "reports"),
        ("Statements", "request_quote", "billing.usagerecord", "statements"),
        ("Budgets", "savings", "billing.budget"),
        ("Attribution tags", "label", "billing.attributiontag"),
        ("Tiers", "stacks", "billing.tier"),
        ("Subscriptions", "card_membership", "billing.subscription"),
        ("Prices", "sell", "billing.price"),
        ("Adjustments", "exposure", "billing.adjustment"),
        ("Reconciliations", "compare_arrows", "billing.reconciliation"),
    ),
    "Alerts": (
        ("Alert log", "notifications", "billing.alert"),
        ("Alert rules", "rule", "billing.alertrule"),
        ("Webhook endpoints", "webhook", "billing.webhookendpoint"),
    ),
    "Routing": (
        ("Models", "neurology", "gateway.model"),
        ("Deployments", "alt_route", "gateway.deployment"),
        ("Providers", "cloud", "gateway.provider"),
    ),
    "Evidence": (
        ("Usage", "receipt_long", "billing.usagerecord"),
        ("Ledger health", "monitor_heart", "billing.usagerecord", "ledger-health"),
        ("Audit log", "history", "compliance.auditevent"),
    ),
}
"""Group → its pages: title, icon, table; and the name of the page where it is not the list of the table."""


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups of pages, each page for those who may see it."""
    overview = {"title": "Overview", "icon": "monitoring", "link": reverse("admin:index")}
    groups = [{"title": title, "items": _pages(request, pages)} for title, pages in GROUPS.items()]
    return [{"items": [overview]}, *(group for group in groups if group["items"])]


def _pages(request: HttpRequest, pages: tuple[tuple[str, ...], ...]) -> list[dict[str, Any]]:
    return [
        {"title": title, "icon": icon, "link": reverse(view[0] if view else _list_of(table))}
        for title, icon, table, *view in pages
        if _may_see(request, table)
    ]


def _list_of(table: str) -> str:
    return f"admin:{table.replace('.', '_')}_changelist"


def _may_see(request: HttpRequest, table: str) -> bool:
    app, _, model = table.partition(".")
    user = request.user
    return bool(user.has_perm(f"{app}.view_{model}") or user.has_perm(f"{app}.change_{model}"))


def clock(request: HttpRequest) -> list[str]:
    """The label at the top of every page: which time zone its times are in."""
    return ["UTC", "info"]


def logo(request: HttpRequest) -> str:
    return static("portcullis/logo.svg")


def stylesheet(request: HttpRequest) -> str:
    return static("portcullis/admin.css")
