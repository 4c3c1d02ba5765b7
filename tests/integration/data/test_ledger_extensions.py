"""Holds grow while a stream goes on, as far as hard budgets have room, and never for a request that is over."""

import asyncio
from typing import Any

import pytest

from billing.contracts import MeterKind
from gateway.errors import Unavailable
from gateway.ledger import Admission, Extension, Ledger
from tests.integration.data.ledger_story import (
    Params,
    a_budget,
    a_rate,
    a_request,
    in_ledger,
    query,
    records_of,
    settled,
    state,
    sweep,
)


def more_for(request: Admission, *, cost: int = 10, output: int = 5) -> Extension:
    """As the gateway asks: with the budgets that may refuse it."""
    hard = [spec for spec in request.meters.specs if spec.kind == MeterKind.BUDGET and not spec.soft]
    return Extension(request_id=request.request_id, cost_nano=cost, output_tokens=output, budgets=hard)


def hold_of(params: Params, request: Admission) -> tuple[int, int]:
    """Its cost, and the output tokens that its record would tell of."""
    statement = "SELECT cost_nano, (context ->> 'output_tokens')::int FROM hold WHERE request_id = %s"
    (row,) = query(params, statement, request.request_id)
    return row[0], row[1]


def begin_the_next_day(params: Params, tenant: int) -> None:
    """What is held by now was admitted yesterday."""
    query(
        params,
        "UPDATE meter SET period_start = period_start - interval '1 day', period_end = period_end - interval '1 day'"
        " WHERE tenant_id = %s AND period_end BETWEEN now() AND now() + interval '1 day'",
        tenant,
    )
    query(params, "UPDATE hold SET marks[1] = marks[1] - 86400000000 WHERE tenant_id = %s", tenant)


def test_it_works(params: Params, tenant: int) -> None:
    budget, flagged = a_budget(tenant, 100), a_budget(tenant, 1, soft=True, name="flagged")
    request = a_request(budget, flagged)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(request)
        assert await ledger.extend(more_for(request, cost=15, output=7))
        assert await ledger.extend(more_for(request, cost=5, output=3))
        assert (state(params, budget), state(params, flagged)) == ((0, 30), (0, 30))
        assert hold_of(params, request) == (30, 10)
        assert await ledger.settle(settled(request, cost=22))

    in_ledger(params, story)
    assert (state(params, budget), state(params, flagged)) == ((22, 0), (22, 0))


def test_a_hard_budget_without_room_refuses_and_nothing_is_added(params: Params, tenant: int) -> None:
    wide, tight = a_budget(tenant, 1000, name="wide"), a_budget(tenant, 15, name="tight")
    request = a_request(wide, tight, cost=10)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(request)
        assert not await ledger.extend(more_for(request, cost=6))
        assert (state(params, wide), state(params, tight)) == ((0, 10), (0, 10))
        assert await ledger.extend(more_for(request, cost=5)), "to the last nano-dollar"

    in_ledger(params, story)
    assert state(params, tight) == (0, 15)


@pytest.mark.parametrize("over", ["settled", "swept", "never admitted"])
def test_a_request_that_is_over_gets_no_more(params: Params, tenant: int, over: str) -> None:
    budget = a_budget(tenant, 100)
    request = a_request(budget, lease_s=-1 if over == "swept" else 600)

    async def story(ledger: Ledger) -> None:
        if over != "never admitted":
            await ledger.admit(request)
        if over == "settled":
            await ledger.settle(settled(request))
        sweep(params)
        before = state(params, budget)
        assert not await ledger.extend(more_for(request))
        assert state(params, budget) == before

    in_ledger(params, story)


def test_of_two_for_the_last_room_one_gets_it(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 100)
    first, second = a_request(budget, cost=40), a_request(budget, cost=40)

    async def story(ledger: Ledger) -> list[bool]:
        other = Ledger(params)
        other.start()
        await asyncio.gather(ledger.admit(first), ledger.admit(second))
        granted = await asyncio.gather(ledger.extend(more_for(first, cost=20)), other.extend(more_for(second, cost=20)))
        await other.close()
        return list(granted)

    assert sorted(in_ledger(params, story)) == [False, True]
    assert state(params, budget) == (0, 100)


def test_of_two_in_one_batch_for_the_last_room_the_first_gets_it(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 100)
    first, second = a_request(budget, cost=40), a_request(budget, cost=40)

    async def story(ledger: Ledger) -> Any:
        await asyncio.gather(ledger.admit(first), ledger.admit(second))
        return await asyncio.gather(ledger.extend(more_for(second, cost=20)), ledger.extend(more_for(first, cost=20)))

    assert in_ledger(params, story) == [True, False]
    assert state(params, budget) == (0, 100)


def test_an_extension_and_an_admission_never_share_the_last_room(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 60)
    streaming = a_request(budget, cost=40)

    async def story(ledger: Ledger) -> int:
        await ledger.admit(streaming)
        granted, standing = await asyncio.gather(
            ledger.extend(more_for(streaming, cost=20)), ledger.admit(a_request(budget, cost=20))
        )
        return granted + (standing.refused_by is None)

    assert in_ledger(params, story) == 1
    assert state(params, budget) == (0, 60)


def test_after_midnight_only_the_budgets_that_go_on_are_asked_and_charged(params: Params, tenant: int) -> None:
    day, total = a_budget(tenant, 30, period="day", name="day"), a_budget(tenant, 1000, name="total")
    streaming = a_request(day, total, cost=20)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(streaming)
        begin_the_next_day(params, tenant)
        assert (await ledger.admit(a_request(day, cost=25))).refused_by is None
        assert await ledger.extend(more_for(streaming, cost=50)), "yesterday's day says nothing any more"
        assert (state(params, day), state(params, total)) == ((0, 25), (0, 70))
        await ledger.settle(settled(streaming, cost=60))

    in_ledger(params, story)
    assert (state(params, day), state(params, total)) == ((0, 25), (60, 0))


def test_a_lost_stream_is_charged_with_what_its_hold_had_grown_to(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 100)
    request = a_request(budget, lease_s=-1)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(request)
        assert await ledger.extend(more_for(request, cost=15, output=7))

    in_ledger(params, story)
    sweep(params)
    assert state(params, budget) == (25, 0)
    (record,) = records_of(params, request.request_id)
    assert (record["outcome"], record["cost_nano"], record["output_tokens"]) == ("swept", 25, 7)


def test_token_rates_are_corrected_once_to_what_an_extended_stream_took(params: Params, tenant: int) -> None:
    rate = a_rate(tenant, 1000, kind=MeterKind.OUTPUT_TOKENS, seconds=6_000)
    budget = a_budget(tenant, 1000)
    request = a_request(budget, rate, tokens=100, output=100)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(request)
        await ledger.extend(more_for(request, output=200))
        await ledger.settle(settled(request, tokens=150, output=150))
        (left,) = (await ledger.admit(a_request(rate, tokens=0))).remaining
        # A surcharge ends at ten minutes' worth, 100 tokens of this rate.
        assert left == 850

    in_ledger(params, story)


def test_what_the_ledger_cannot_be_asked_fails_and_is_let_go_of_at_settlement(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 100)
    request = a_request(budget)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(request)
        assert await ledger.extend(more_for(request))
        gone = Ledger({**params, "dbname": "no_such_database"})
        gone.start()
        with pytest.raises(Unavailable):
            await gone.ping()
        with pytest.raises(Exception, match="no_such_database"):
            await gone.extend(more_for(request))
        await gone.close()
        await ledger.settle(settled(request))

    in_ledger(params, story)
    assert state(params, budget) == (7, 0)
