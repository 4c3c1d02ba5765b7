"""One request and its answer, on their way through the stages. Each field is written by one stage."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct, field

from billing.contracts import MeterSet
from billing.money import Tokens
from gateway.content import Passed
from gateway.guards.budget import Budget
from gateway.guards.placeholders import Placeholders
from gateway.guards.replacing import Replacer
from gateway.guards.streams import Stream
from gateway.guards.verdicts import Outcome
from gateway.ledger import Standing
from gateway.principal import Principal
from gateway.produced import Produced
from gateway.routing import ModelRoutes, Route
from gateway.upstream import UpstreamAnswer
from gateway.wire.chat import ChatRequest
from gateway.wire.prompt import Prompt

NO_METERS = MeterSet(())
NO_TOKENS = Tokens()


class Call(Struct, frozen=True):
    """What an earlier call of an exchange took, and in which service tier."""

    tokens: Tokens
    service_tier: str = ""
    estimated: bool = False


class Exchange(Struct, kw_only=True):
    """Times are those of `time.perf_counter`.

    `input_estimate` is about what the prompt takes, `input_tokens` what is held for it. Of the output, `output_limit`
    is what one choice may have, `output_most` all choices together, and `output_tokens` what is held for so far.
    """

    # as it came in
    request_id: str
    principal: Principal
    body: bytes
    gpc: bool = False
    is_chat: bool = True  # or a moderation, for which nothing is written
    started: float = field(default_factory=time.perf_counter)

    # validate
    payload: Mapping[str, Any] = field(default_factory=dict)
    chat: ChatRequest | None = None
    prompt: Prompt | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    # identify: a surrogate
    end_user: str = ""

    # guard: of the prompt; inspect and relay: of the answer. Where the prompt was redacted, `guard` writes `payload`,
    # `prompt` and `tags` anew. `guard_s`: how long they took
    guard_outcomes: list[Outcome] = field(default_factory=list)
    guard_s: float = 0.0
    guard_streams: list[Stream] = field(default_factory=list)
    guard_budget: Budget | None = None  # of the answer
    replace: Replacer | None = None
    placeholders: Placeholders | None = None
    redacted: bool = False
    system: tuple[str, ...] = ()
    canaries: tuple[str, ...] = ()

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
    calls_held: int = 1
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

    # conform: where the model was asked a second time
    earlier: Call | None = None
    again_at: float | None = None

    # conform: of a stream, whether all of it is in `first_events` before any of it goes out; or `events`, which relay
    # fills, where it is looked at when it has ended
    kept_back: bool = False
    events: list[bytes] | None = None

    # inspect: a whole answer as guards let it pass; restore: what of it the client gets
    outgoing: bytes = b""
    given: bytes = b""

    # pipeline, of a streamed one that may be stored
    passed: Passed | None = None

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
    def counted(self) -> Tokens:
        """What a call took that did not say so itself: as counted here."""
        return Tokens(input=self.input_estimate, output=self.produced.tokens())

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
        meters, remaining = self.standing.meters, self.standing.remaining
        for number in meters.soft_budgets:
            if remaining[number] + self.hold_nano < cost_nano:
                return meters.specs[number].label
        return ""

    @property
    def streamed(self) -> bool:
        return bool(self.chat and self.chat.stream)
