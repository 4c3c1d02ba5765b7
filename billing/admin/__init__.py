from billing.admin import alerts, budgets, prices, tags, tiers, usage, webhooks

__all__ = ["alerts", "budgets", "prices", "tags", "tiers", "usage", "webhooks"]
