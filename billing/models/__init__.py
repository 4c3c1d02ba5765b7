from billing.models.budgets import Budget
from billing.models.limits import TierLimit
from billing.models.overrides import BudgetOverride
from billing.models.prices import Price
from billing.models.tags import AttributionTag
from billing.models.tiers import Subscription, Tier
from billing.models.usage import UsageRecord

__all__ = [
    "AttributionTag",
    "Budget",
    "BudgetOverride",
    "Price",
    "Subscription",
    "Tier",
    "TierLimit",
    "UsageRecord",
]
