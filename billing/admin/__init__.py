from billing.admin import adjustments, alerts, budgets, key_usage, prices, reconciliations, tags, tiers, usage, webhooks

__all__ = [
    "adjustments",
    "alerts",
    "budgets",
    "key_usage",
    "prices",
    "reconciliations",
    "tags",
    "tiers",
    "usage",
    "webhooks",
]
