"""One request and its answer, on their way through the stages. Each field is written by one stage."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from billing.money import Tokens
from gateway.ledger import Standing
from gateway.principal import Principal
from gateway.routing import ModelRoutes, Route
from gateway.upstream import UpstreamAnswer
from gateway.wire.chat import ChatRequest
from gateway.wire.prompt import Prompt


@dataclass(slots=True, kw_only=True)
class Exchange:
    """Times are those of `time.perf_counter`."""

    # as it came in
    request_id: str
    principal: Principal
    body: bytes
    started: float = field(default_factory=time.perf_counter)

    # validate
    payload: Mapping[str, Any] = field(default_factory=dict)
    chat: ChatRequest | None = None
    prompt: Prompt | None = None

    # route
    model: ModelRoutes | None = None
    routes: tuple[Route, ...] = ()

    # admit
    input_estimate: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    hold_nano: int = 0
    lease_s: int = 0
    standing: Standing | None = None
    admitted: bool = False

    # call
    route: Route | None = None
    sent_at: float | None = None
    answered_at: float | None = None
    upstream: UpstreamAnswer | None = None
    first_events: list[bytes] = field(default_factory=list)
    answer: bytes = b""

    # call, of a whole answer; relay, of a streamed one
    produced: list[str] = field(default_factory=list)
    reported: Tokens | None = None
    finished: bool = False

    # settle
    tokens: Tokens = field(default_factory=Tokens)
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
    def streamed(self) -> bool:
        return bool(self.chat and self.chat.stream)
