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
        ("Peppers", "grain", "accounts.apikey", "peppers"),
        ("Leaked keys", "key_off", "gateway.leak"),
        ("Scanning keys", "verified_user", "gateway.scanningkey"),
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
        ("Credentials", "password", "gateway.providercredential"),
    ),
    "Guards": (
        ("Reviews", "rate_review", "gateway.reviewitem"),
        ("Guard policies", "shield", "gateway.guardpolicy"),
        ("Dictionaries", "dictionary", "gateway.guarddictionary"),
        ("Patterns", "regular_expression", "gateway.guardpattern"),
        ("Guard decisions", "policy_alert", "gateway.guarddecision"),
    ),
    "Privacy": (
        ("Subject requests", "contact_mail", "compliance.subjectrequest"),
        ("Subjects", "groups_2", "compliance.subject"),
        ("Consents", "handshake", "compliance.consentrecord"),
        ("Notices", "campaign", "compliance.consentnotice"),
        ("Purposes", "flag", "compliance.purpose"),
        ("Conversations", "forum", "compliance.transcript"),
        ("Content policies", "policy", "compliance.contentpolicy"),
        ("Retention policies", "hourglass", "compliance.retentionpolicy"),
        ("What is due", "auto_delete", "compliance.purgerun", "retention"),
        ("Legal holds", "gavel", "compliance.legalhold"),
        ("Purge runs", "delete_sweep", "compliance.purgerun"),
        ("Erasures", "delete_forever", "compliance.erasure"),
        ("Processing records", "description", "compliance.erasure", "records-of-processing"),
        ("Regimes", "event_available", "compliance.regime"),
    ),
    "Evidence": (
        ("Usage", "receipt_long", "billing.usagerecord"),
        ("Ledger health", "monitor_heart", "billing.usagerecord", "ledger-health"),
        ("Approvals", "how_to_reg", "compliance.approval"),
        ("Tenant keys", "encrypted", "compliance.jobrun", "admin:keys_tenantkey_changelist"),
        ("Backups", "backup", "compliance.backuprun"),
        ("Restore drills", "restore", "compliance.restoredrill"),
        ("Jobs", "pending_actions", "compliance.jobrun"),
        ("Audit log", "history", "compliance.auditevent"),
        ("Verification", "fact_check", "compliance.auditevent", "audit-verification"),
        ("Audit logs", "account_tree", "compliance.auditlog"),
        ("Checkpoints", "verified", "compliance.auditcheckpoint"),
        ("Signing keys", "signature", "compliance.auditlog", "admin:keys_signingkey_changelist"),
        ("SIEM streams", "stream", "compliance.siemstream"),
        ("Checklist", "checklist", "compliance.controlstatement", "checklist"),
        ("Evidence packs", "folder_zip", "compliance.evidencepack"),
        ("Audit exports", "inventory_2", "compliance.auditexport"),
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
