from billing.admin import budgets, prices, tags, tiers, usage

__all__ = ["budgets", "prices", "tags", "tiers", "usage"]
