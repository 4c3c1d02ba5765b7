from billing.admin import budgets, prices, tiers, usage

__all__ = ["budgets", "prices", "tiers", "usage"]
