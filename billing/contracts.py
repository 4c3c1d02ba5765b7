"""Frozen values that the gateway charges by."""

from dataclasses import dataclass
from enum import IntEnum

SECOND_NS = 1_000_000_000


class MeterKind(IntEnum):
    """As in `ledger/sql/admit.sql`."""

    BUDGET = 1
    REQUESTS = 2
    TOKENS = 3
    CONCURRENCY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSpec:
    """One limit that a request is charged to. `limit` is in nano-dollars, requests, tokens or requests at once."""

    tenant_id: int
    name: str
    label: str
    kind: MeterKind
    limit: int
    window_ns: int = 0
    period: str = "total"
    zone: str = "UTC"
    soft: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """What one request may contain, by tier."""

    output_tokens_cap: int
    max_messages: int
    max_message_chars: int
    max_prompt_chars: int
