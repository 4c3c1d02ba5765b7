"""Frozen values that the gateway charges by."""

from dataclasses import dataclass, field
from enum import IntEnum

SECOND_NS = 1_000_000_000


class MeterKind(IntEnum):
    """As in `ledger/sql/admission.sql`."""

    BUDGET = 1
    REQUESTS = 2
    TOKENS = 3
    CONCURRENCY = 4
    INPUT_TOKENS = 5
    OUTPUT_TOKENS = 6


TOKEN_KINDS = frozenset({MeterKind.TOKENS, MeterKind.INPUT_TOKENS, MeterKind.OUTPUT_TOKENS})


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSpec:
    """One limit that a request is charged to. `limit` is in nano-dollars, requests, tokens or requests at once.

    A name with a `#` is that of a separate meter: one of at most `most` that the tenant may have. `soft`: it counts and
    never refuses. `downgrade_to`: the model to answer with instead, where it would refuse.
    """

    tenant_id: int
    name: str
    label: str
    kind: MeterKind
    limit: int
    window_ns: int = 0
    period: str = "total"
    zone: str = "UTC"
    soft: bool = False
    downgrade_to: str = ""
    most: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class MeterSet:
    """The meters that a request is charged to. One value per combination, so that it can be known by its identity."""

    specs: tuple[MeterSpec, ...]
    columns: tuple[tuple[str, ...], ...] = field(init=False, repr=False)
    """Of each spec what the ledger is told of it, as texts."""

    requests: tuple[int, ...] = field(init=False, repr=False)
    """Which of the specs are rates of requests; `tokens` those of tokens, `hard_budgets` the budgets that refuse, and
    `soft_budgets` those that do not."""
    tokens: tuple[int, ...] = field(init=False, repr=False)
    hard_budgets: tuple[int, ...] = field(init=False, repr=False)
    soft_budgets: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        specs = list(enumerate(self.specs))
        known = {
            "columns": tuple(_columns(spec) for spec in self.specs),
            "requests": tuple(n for n, spec in specs if spec.kind == MeterKind.REQUESTS),
            "tokens": tuple(n for n, spec in specs if spec.kind in TOKEN_KINDS),
            "hard_budgets": tuple(n for n, spec in specs if spec.kind == MeterKind.BUDGET and not spec.soft),
            "soft_budgets": tuple(n for n, spec in specs if spec.kind == MeterKind.BUDGET and spec.soft),
        }
        for name, value in known.items():
            object.__setattr__(self, name, value)


def _columns(spec: MeterSpec) -> tuple[str, ...]:
    numbers = (spec.kind.value, spec.limit, spec.window_ns)
    return (str(spec.tenant_id), spec.name, *map(str, numbers), spec.period, spec.zone, str(spec.most))


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLimits:
    """What one request may contain, by tier."""

    output_tokens_cap: int
    max_messages: int
    max_message_chars: int
    max_prompt_chars: int
