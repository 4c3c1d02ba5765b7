from billing.models.budgets import Budget
from billing.models.prices import Price
from billing.models.tiers import Subscription, Tier
from billing.models.usage import UsageRecord

__all__ = ["Budget", "Price", "Subscription", "Tier", "UsageRecord"]
