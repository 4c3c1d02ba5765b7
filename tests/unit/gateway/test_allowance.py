"""A stream is held for before it is passed on: more is asked for in good time, and waited for only when it must be."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import psycopg
import pytest

from billing.contracts import MeterKind, MeterSet, MeterSpec
from gateway.allowance import RESERVE_TOKENS, SLICE_TOKENS, Allowance
from gateway.errors import Unavailable
from gateway.exchange import Exchange
from gateway.ledger import Extension, Ledger
from gateway.produced import Produced
from tests.unit.gateway.test_pricing import a_chat, a_route

MOST = 5 * SLICE_TOKENS // 2
HARD = MeterSpec(tenant_id=1, name="hard", label="", kind=MeterKind.BUDGET, limit=1)
SOFT = MeterSpec(tenant_id=1, name="soft", label="", kind=MeterKind.BUDGET, limit=1, soft=True)
RATE = MeterSpec(tenant_id=1, name="rate", label="", kind=MeterKind.OUTPUT_TOKENS, limit=1, window_ns=1)


class Answers:
    """A ledger that answers extensions when it is told to."""

    def __init__(self) -> None:
        self.asked: list[Extension] = []
        self.open: list[asyncio.Future[bool]] = []

    def extend(self, extension: Extension) -> "asyncio.Future[bool]":
        self.asked.append(extension)
        self.open.append(asyncio.get_running_loop().create_future())
        return self.open[-1]

    def grant(self) -> None:
        self.open.pop(0).set_result(True)

    def refuse(self) -> None:
        self.open.pop(0).set_result(False)

    def fail(self) -> None:
        self.open.pop(0).set_exception(psycopg.OperationalError("the ledger did not answer in time"))


class Stream:
    """A stream at a model of which each byte may be a token, and what is held for it."""

    def __init__(self, *, most: int = MOST, **fields: Any) -> None:
        self.ledger = Answers()
        self.exchange = Exchange(request_id="r", principal=cast(Any, None), body=b"")
        self.exchange.chat = a_chat(stream=True, **fields)
        self.exchange.route = a_route()
        self.exchange.meters = MeterSet((HARD, SOFT, RATE))
        self.exchange.produced = Produced()
        choices = fields.get("n", 1)
        self.exchange.output_most = most * choices
        self.exchange.output_tokens = min(SLICE_TOKENS * choices, self.exchange.output_most)
        self.allowance = Allowance(self.exchange, cast(Ledger, self.ledger))

    async def writes(self, tokens: int) -> bool:
        self.exchange.produced.add("x" * tokens)
        return await self.allowance.covers()


def told(story: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(5):
            await story()

    asyncio.run(within())


def test_it_works() -> None:
    async def story() -> None:
        stream = Stream()
        assert await stream.writes(SLICE_TOKENS - RESERVE_TOKENS - 1)
        assert stream.ledger.asked == [], "there is enough"
        assert await stream.writes(1)
        (asked,) = stream.ledger.asked
        assert (asked.request_id, asked.output_tokens, asked.cost_nano) == ("r", SLICE_TOKENS, SLICE_TOKENS * 5_000)
        assert list(asked.budgets) == [HARD], "soft ones and rates do not refuse it"
        assert await stream.writes(1), "it goes on meanwhile"
        assert len(stream.ledger.asked) == 1, "one at a time"
        stream.ledger.grant()
        assert await stream.writes(1)
        assert stream.exchange.output_tokens == 2 * SLICE_TOKENS

    told(story)


def test_nothing_is_passed_on_that_is_not_held_for() -> None:
    async def story() -> None:
        stream = Stream()
        waiting = asyncio.ensure_future(stream.writes(SLICE_TOKENS + 1))
        while not stream.ledger.open:
            await asyncio.sleep(0)
        assert not waiting.done()
        stream.ledger.grant()
        assert await waiting

    told(story)


def test_to_the_last_token_nobody_waits() -> None:
    async def story() -> None:
        stream = Stream()
        assert await stream.writes(SLICE_TOKENS)
        assert len(stream.ledger.open) == 1

    told(story)


def test_one_piece_may_need_several_slices_and_the_last_one_is_what_is_left() -> None:
    async def story() -> None:
        stream = Stream()
        waiting = asyncio.ensure_future(stream.writes(MOST))
        for _ in range(2):
            while not stream.ledger.open:
                await asyncio.sleep(0)
            stream.ledger.grant()
        assert await waiting
        assert [asked.output_tokens for asked in stream.ledger.asked] == [SLICE_TOKENS, SLICE_TOKENS // 2]
        assert stream.exchange.output_tokens == MOST

    told(story)


def test_when_all_that_it_may_write_is_held_for_nothing_is_asked() -> None:
    async def story() -> None:
        stream = Stream(most=SLICE_TOKENS)
        assert await stream.writes(SLICE_TOKENS)
        assert await stream.writes(1), "the upstream has the last word on how it counts"
        assert stream.ledger.asked == []

    told(story)


def test_a_refusal_ends_it_when_the_slice_is_used_up_and_not_before() -> None:
    async def story() -> None:
        stream = Stream()
        assert await stream.writes(SLICE_TOKENS - 10)
        stream.ledger.refuse()
        assert await stream.writes(10)
        assert not await stream.writes(1)
        assert len(stream.ledger.asked) == 1, "it is not asked again"
        assert stream.exchange.output_tokens == SLICE_TOKENS

    told(story)


def test_a_failure_is_asked_again_as_long_as_there_is_room() -> None:
    async def story() -> None:
        stream = Stream()
        assert await stream.writes(SLICE_TOKENS - 10)
        stream.ledger.fail()
        assert await stream.writes(1)
        assert len(stream.ledger.asked) == 2
        stream.ledger.grant()
        assert await stream.writes(100)

    told(story)


def test_a_failure_when_nothing_is_left_ends_it() -> None:
    async def story() -> None:
        stream = Stream()
        waiting = asyncio.ensure_future(stream.writes(SLICE_TOKENS + 1))
        while not stream.ledger.open:
            await asyncio.sleep(0)
        stream.ledger.fail()
        with pytest.raises(Unavailable):
            await waiting

    told(story)


def test_each_choice_has_its_slice() -> None:
    async def story() -> None:
        stream = Stream(n=3)
        assert await stream.writes(3 * SLICE_TOKENS)
        (asked,) = stream.ledger.asked
        assert asked.output_tokens == 3 * SLICE_TOKENS

    told(story)
