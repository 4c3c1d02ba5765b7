"""The tiers that a new installation starts with."""

from typing import Any

from billing.actions import tiers
from billing.models import Tier
from compliance.contracts import Actor

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


def seed(*, by: Actor) -> None:
    """Adds those of the three that are missing."""
    known = set(Tier.objects.values_list("slug", flat=True))
    for fields in (FREE, PREMIUM, ENTERPRISE):
        if fields["slug"] not in known:
            tiers.add(tier=Tier(**fields), by=by)
