"""What billing keeps in the main database; `billing/ledger/models.py` has what the ledger keeps in its own."""

from billing.models.adjustments import Adjustment
from billing.models.alerts import Alert, AlertDelivery, AlertKind, AlertRule
from billing.models.budgets import Budget
from billing.models.limits import TierLimit
from billing.models.overrides import BudgetOverride
from billing.models.prices import Price
from billing.models.reconciliations import Reconciliation, ReconciliationLine
from billing.models.rollups import DroppedMonth, MeterBalance, UsageDay, UsageHour, UsageLatency, UsageValue
from billing.models.tags import AttributionTag
from billing.models.tiers import Subscription, Tier
from billing.models.usage import UsageRecord
from billing.models.webhooks import WebhookEndpoint, WebhookSecret

__all__ = [
    "Adjustment",
    "Alert",
    "AlertDelivery",
    "AlertKind",
    "AlertRule",
    "AttributionTag",
    "Budget",
    "BudgetOverride",
    "DroppedMonth",
    "MeterBalance",
    "Price",
    "Reconciliation",
    "ReconciliationLine",
    "Subscription",
    "Tier",
    "TierLimit",
    "UsageDay",
    "UsageHour",
    "UsageLatency",
    "UsageRecord",
    "UsageValue",
    "WebhookEndpoint",
    "WebhookSecret",
]
