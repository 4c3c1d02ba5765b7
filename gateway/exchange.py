"""One request and its answer, on their way through the stages. Each field is written by one stage."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from billing.contracts import MeterKind, MeterSet
from billing.money import Tokens
from gateway.ledger import Standing
from gateway.principal import Principal
from gateway.produced import Produced
from gateway.routing import ModelRoutes, Route
from gateway.upstream import UpstreamAnswer
from gateway.wire.chat import ChatRequest
from gateway.wire.prompt import Prompt

NO_METERS = MeterSet(())
NO_TOKENS = Tokens()


class Exchange(Struct, kw_only=True):
    """Times are those of `time.perf_counter`.

    `input_estimate` is about what the prompt takes, `input_tokens` what is held for it. Of the output, `output_limit`
    is what one choice may have, `output_most` all choices together, and `output_tokens` what is held for so far.
    """

    # as it came in
    request_id: str
    principal: Principal
    body: bytes
    started: float = field(default_factory=time.perf_counter)

    # validate
    payload: Mapping[str, Any] = field(default_factory=dict)
    chat: ChatRequest | None = None
    prompt: Prompt | None = None
    end_user: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    # route; admit, where a budget has it answered by a cheaper model
    model: ModelRoutes | None = None
    routes: tuple[Route, ...] = ()

    # admit; of the hold and its output tokens also `Allowance`, which extends them while a stream goes on
    meters: MeterSet = NO_METERS
    input_estimate: int = 0
    input_tokens: int = 0
    output_limit: int = 0
    output_tokens: int = 0
    output_most: int = 0
    hold_nano: int = 0
    lease_s: int = 0
    standing: Standing | None = None
    admitted: bool = False
    over_budget: str = ""

    # call
    route: Route | None = None
    sent_at: float | None = None
    answered_at: float | None = None
    upstream: UpstreamAnswer | None = None
    first_events: Sequence[bytes] = ()
    answer: bytes = b""

    # call, of a whole answer; relay, of a streamed one
    produced: Produced = field(default_factory=Produced)
    reported: Tokens | None = None
    service_tier: str = ""
    finished: bool = False

    # settle
    tokens: Tokens = NO_TOKENS
    cost_nano: int = 0
    estimated: bool = False

    # pipeline: how it ended, for the record
    outcome: str = ""
    code: str = ""
    status: int = 200
    may_be_billed: bool = False
    overhead_s: float = 0.0

    @property
    def request(self) -> ChatRequest:
        """The validated request."""
        assert self.chat is not None
        return self.chat

    @property
    def unbounded(self) -> bool:
        """Whether its input cannot be counted: files, or what a web search finds."""
        return bool(self.prompt and self.prompt.opaque_bytes) or self.request.searches

    @property
    def served(self) -> ModelRoutes:
        """The model that answers."""
        assert self.model is not None
        return self.model

    @property
    def downgraded(self) -> bool:
        """Whether another model answers than the one that was asked for."""
        return self.model is not None and self.model.name != self.request.model

    def exceeded(self, *, cost_nano: int) -> str:
        """The label of the first soft budget that is exceeded if the request costs that; empty if none is."""
        if self.standing is None:
            return ""
        states = zip(self.standing.meters.specs, self.standing.remaining, strict=True)
        soft = ((spec, left) for spec, left in states if spec.kind == MeterKind.BUDGET and spec.soft)
        return next((spec.label for spec, left in soft if left + self.hold_nano < cost_nano), "")

    @property
    def streamed(self) -> bool:
        return bool(self.chat and self.chat.stream)
