"""How much a stream may still write: its hold covers a slice of output at a time, and is extended while it streams."""

import asyncio

import psycopg

from billing.contracts import MeterKind
from gateway import pricing
from gateway.errors import Unavailable
from gateway.exchange import Exchange
from gateway.ledger import Extension, Ledger

SLICE_TOKENS = 1_024
"""Per choice. Large enough that few requests are extended at all, small enough not to keep others waiting for room."""

RESERVE_TOKENS = 512
"""What is left of a slice when the next one is asked for: the ledger answers long before it is used up."""


class Allowance:
    """Keeps the hold of a stream ahead of what it has produced."""

    def __init__(self, exchange: Exchange, ledger: Ledger) -> None:
        self._exchange = exchange
        self._ledger = ledger
        self._asked: asyncio.Future[bool] | None = None
        self._asked_tokens = 0
        self._refused = False

    async def covers(self) -> bool:
        """Whether the output that was read is held for, and may be passed on.

        Asks for more in good time, and waits only when nothing is left.

        Raises:
            Unavailable: the ledger does not answer, and nothing is left.
        """
        exchange = self._exchange
        if exchange.produced.at_most() < exchange.output_tokens - RESERVE_TOKENS:
            return True
        taken = exchange.produced.about()
        if self._asked is not None and self._asked.done():
            self._take(self._asked)
        if taken >= exchange.output_tokens - RESERVE_TOKENS:
            self._ask()
        while taken > exchange.output_tokens and self._asked is not None:
            await asyncio.wait({self._asked})
            self._take(self._asked)
            self._ask()
        return taken <= exchange.output_tokens or not self._limited

    @property
    def _limited(self) -> bool:
        return self._exchange.output_tokens < self._exchange.output_most

    def _ask(self) -> None:
        exchange = self._exchange
        if self._asked is not None or self._refused or not self._limited:
            return
        assert exchange.route is not None
        slice_tokens = SLICE_TOKENS * (exchange.request.n or 1)
        self._asked_tokens = min(slice_tokens, exchange.output_most - exchange.output_tokens)
        cost_nano = pricing.extension_nano(exchange.route, exchange.request, output_tokens=self._asked_tokens)
        hard = [spec for spec in exchange.meters.specs if spec.kind == MeterKind.BUDGET and not spec.soft]
        self._asked = self._ledger.extend(
            Extension(
                request_id=exchange.request_id, cost_nano=cost_nano, output_tokens=self._asked_tokens, budgets=hard
            )
        )

    def _take(self, answered: "asyncio.Future[bool]") -> None:
        self._asked = None
        try:
            granted = answered.result()
        except psycopg.Error as error:
            if self._exchange.produced.about() > self._exchange.output_tokens:
                raise Unavailable("The gateway cannot reach its ledger right now. Retry in a moment.") from error
            return  # asked again with the next piece
        if granted:
            self._exchange.output_tokens += self._asked_tokens
        else:
            self._refused = True
