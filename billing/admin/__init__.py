from billing.admin import adjustments, alerts, budgets, prices, reconciliations, tags, tiers, usage, webhooks

__all__ = ["adjustments", "alerts", "budgets", "prices", "reconciliations", "tags", "tiers", "usage", "webhooks"]
