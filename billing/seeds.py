"""The tiers and alert rules that an installation can start with."""

from typing import Any

FREE: dict[str, Any] = {
    "slug": "free",
    "name": "Free",
    "requests_per_minute": 10,
    "requests_per_hour": 100,
    "requests_per_day": 1_000,
    "tokens_per_minute": 20_000,
    "concurrency": 5,
    "output_tokens_cap": 1_024,
}
PREMIUM: dict[str, Any] = {
    "slug": "premium",
    "name": "Premium",
    "requests_per_minute": 60,
    "requests_per_hour": 1_000,
    "requests_per_day": 50_000,
    "tokens_per_minute": 200_000,
    "concurrency": 20,
    "output_tokens_cap": 4_096,
}
ENTERPRISE: dict[str, Any] = {
    "slug": "enterprise",
    "name": "Enterprise",
    "requests_per_minute": 600,
    "requests_per_hour": 10_000,
    "requests_per_day": 1_000_000,
    "tokens_per_minute": 2_000_000,
    "concurrency": 300,
    "output_tokens_cap": 16_384,
}
TIERS = (FREE, PREMIUM, ENTERPRISE)

ALERT_RULES: tuple[dict[str, Any], ...] = (
    {"kind": "budget_threshold", "name": "Budgets at 50, 80 and 100 %", "levels": [50, 80, 100], "notify_owners": True},
    {"kind": "soft_budget_exceeded", "name": "Soft budgets exceeded", "notify_owners": True},
    {"kind": "projected_spend", "name": "Budgets likely to be exceeded", "levels": [100], "notify_owners": True},
    {"kind": "unusual_spend", "name": "Unusual spend", "notify_owners": True},
    {"kind": "rate_limit_approached", "name": "Rate limits at 90 %", "levels": [90], "notify_owners": True},
)
"""The platform-wide rules that an installation can start with; there is no usual amount for a day or a week."""
