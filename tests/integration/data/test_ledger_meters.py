"""Meters come with their first use and go when they say nothing; fixed dates go on or begin anew; rates of a kind."""

import asyncio
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from billing.contracts import MeterKind, MeterSpec
from gateway.ledger import Ledger, Standing
from tests.integration.data.ledger_story import (
    Params,
    a_budget,
    a_rate,
    a_request,
    in_ledger,
    query,
    settled,
    state,
    tenant_ids,
)


def separate(tenant: int, value: str, *, most: int, limit: int = 100) -> MeterSpec:
    """The meter of one end user, or with `value` empty that of all whom no meter of their own is left for."""
    return replace(a_budget(tenant, limit, name=f"each#{value}"), most=most)


def names_of(params: Params, tenant: int) -> set[str]:
    return {row[0] for row in query(params, "SELECT name FROM meter WHERE tenant_id = %s", tenant)}


# --- separate meters -----------------------------------------------------------------------------------------------


def test_a_separate_meter_that_would_be_one_too_many_is_not_made(params: Params, tenant: int) -> None:
    whole = a_budget(tenant, 1000)

    async def story(ledger: Ledger) -> None:
        for value in "ab":
            assert (await ledger.admit(a_request(whole, separate(tenant, value, most=2)))).no_room_for is None
        standing = await ledger.admit(a_request(whole, separate(tenant, "c", most=2)))
        assert standing.no_room_for == separate(tenant, "c", most=2)
        assert standing.refused_by is None
        known = await ledger.admit(a_request(whole, separate(tenant, "a", most=2)))
        assert known.no_room_for is None
        assert known.remaining == (970, 80)

    in_ledger(params, story)
    assert names_of(params, tenant) == {"budget/b", "budget/each#a", "budget/each#b"}
    assert state(params, whole) == (0, 30), "nothing is held for whom there was no room"


def test_the_bound_holds_within_a_batch(params: Params, tenant: int) -> None:
    async def story(ledger: Ledger) -> list[Standing]:
        requests = [a_request(separate(tenant, str(number), most=5)) for number in range(20)]
        return await asyncio.gather(*map(ledger.admit, requests))

    standings = in_ledger(params, story)
    assert sum(standing.no_room_for is None for standing in standings) == 5
    assert len(names_of(params, tenant)) == 5


def test_the_bound_is_each_tenants_own(params: Params, tenant: int) -> None:
    rival = next(tenant_ids)

    async def story(ledger: Ledger) -> None:
        mine, theirs = a_request(separate(tenant, "a", most=1)), a_request(separate(rival, "a", most=1))
        standings = await asyncio.gather(ledger.admit(mine), ledger.admit(theirs))
        assert [standing.no_room_for for standing in standings] == [None, None]

    in_ledger(params, story)


def test_the_meter_for_all_others_is_always_made(params: Params, tenant: int) -> None:
    async def story(ledger: Ledger) -> None:
        for _ in range(2):
            standing = await ledger.admit(a_request(separate(tenant, "", most=0), cost=40))
            assert standing.no_room_for is None
        assert (await ledger.admit(a_request(separate(tenant, "", most=0), cost=40))).refused_by

    in_ledger(params, story)
    assert state(params, separate(tenant, "", most=0)) == (0, 80)


def test_each_value_has_the_whole_limit(params: Params, tenant: int) -> None:
    async def story(ledger: Ledger) -> None:
        requests = [a_request(separate(tenant, value, most=9), cost=100) for value in "abab"]
        standings = await asyncio.gather(*map(ledger.admit, requests))
        assert [standing.refused_by is None for standing in standings] == [True, True, False, False]

    in_ledger(params, story)


# --- many ----------------------------------------------------------------------------------------------------------


def test_256_sets_in_one_batch_are_each_charged_to_their_own(params: Params, tenant: int) -> None:
    whole = a_budget(tenant, 10**6)
    own = [separate(tenant, f"{number:03d}", most=1000, limit=1000) for number in range(256)]
    requests = [a_request(whole, meter, cost=number + 1) for number, meter in enumerate(own)]

    async def story(ledger: Ledger) -> list[Standing]:
        standings = await asyncio.gather(*map(ledger.admit, requests))
        await asyncio.gather(*(ledger.settle(settled(request, cost=3)) for request in requests[:100]))
        return standings

    standings = in_ledger(params, story)
    assert {standing.refused_by for standing in standings} == {None}
    assert [standing.remaining[1] for standing in standings] == [1000 - number for number in range(1, 257)]
    held = dict(query(params, "SELECT name, held FROM meter WHERE tenant_id = %s AND strpos(name, '#') > 0", tenant))
    assert held == {meter.name: number + 1 if number >= 100 else 0 for number, meter in enumerate(own)}
    assert state(params, whole) == (300, sum(range(101, 257)))


# --- fixed dates ---------------------------------------------------------------------------------------------------


def dates(*, begin: int, end: int) -> str:
    """A period of whole days from now; the end is not part of it."""
    today = datetime.now(UTC).date()
    return f"dates/{today + timedelta(days=begin)}/{today + timedelta(days=end)}"


def test_fixed_dates_that_are_prolonged_go_on(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 100, period=dates(begin=-9, end=-1))  # over: as an admission that came too late finds it
    prolonged = replace(budget, period=dates(begin=-9, end=5))
    first, second = a_request(budget, cost=40), a_request(prolonged, cost=40)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(first)
        assert (await ledger.admit(second)).remaining == (20,)
        await ledger.settle(settled(first, cost=30))
        assert (await ledger.admit(a_request(prolonged, cost=40))).refused_by == prolonged

    in_ledger(params, story)
    assert state(params, budget) == (30, 40)
    ((ends,),) = query(params, "SELECT period_end > now() FROM meter WHERE tenant_id = %s", tenant)
    assert ends


def test_fixed_dates_with_another_start_begin_anew(params: Params, tenant: int) -> None:
    over = a_budget(tenant, 100, period=dates(begin=-9, end=-1))
    again = replace(over, period=dates(begin=-1, end=5))
    held = a_request(over, cost=100)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(held)
        assert (await ledger.admit(a_request(again, cost=60))).remaining == (40,)
        await ledger.settle(settled(held, cost=100))

    in_ledger(params, story)
    assert state(params, over) == (0, 60), "what was held for the old dates changes nothing of the new ones"


def test_fixed_dates_end_by_the_clocks_of_their_zone(params: Params) -> None:
    statement = "SELECT starts = %s::timestamptz, ends = %s::timestamptz FROM period_bounds(%s, %s, now())"
    period, zone = "dates/2026-03-29/2026-04-01", "Europe/Berlin"  # the clocks change on the first of them
    assert query(params, statement, "2026-03-28 23:00Z", "2026-03-31 22:00Z", period, zone) == [(True, True)]


# --- token rates of a kind -----------------------------------------------------------------------------------------


def test_input_and_output_have_rates_of_their_own(params: Params, tenant: int) -> None:
    reads = a_rate(tenant, 1000, kind=MeterKind.INPUT_TOKENS, seconds=60_000)
    writes = a_rate(tenant, 500, kind=MeterKind.OUTPUT_TOKENS, seconds=60_000)

    async def story(ledger: Ledger) -> None:
        standing = await ledger.admit(a_request(reads, writes, tokens=700, output=300))
        assert standing.remaining == (600, 200)
        assert (await ledger.admit(a_request(reads, writes, tokens=250, output=201))).refused_by == writes
        assert (await ledger.admit(a_request(reads, writes, tokens=601, output=0))).refused_by == reads
        assert (await ledger.admit(a_request(reads, writes, tokens=501, output=501))).wait_ms == -1

    in_ledger(params, story)


@pytest.mark.parametrize(
    ("took", "left"),
    [
        pytest.param((100, 50), (900, 450), id="less of both"),
        pytest.param((400, 300), (600, 200), id="all of it"),
        pytest.param((405, 200), (595, 300), id="more input, less output"),
        pytest.param((0, 0), (1000, 500), id="nothing"),
    ],
)
def test_each_kind_is_corrected_to_what_was_taken_of_it(
    params: Params, tenant: int, took: tuple[int, int], left: tuple[int, int]
) -> None:
    reads = a_rate(tenant, 1000, kind=MeterKind.INPUT_TOKENS, seconds=60_000)
    writes = a_rate(tenant, 500, kind=MeterKind.OUTPUT_TOKENS, seconds=60_000)
    request = a_request(reads, writes, tokens=700, output=300)

    async def story(ledger: Ledger) -> tuple[int, ...]:
        await ledger.admit(request)
        await ledger.settle(settled(request, tokens=sum(took), output=took[1]))
        return (await ledger.admit(a_request(reads, writes, tokens=0))).remaining

    assert in_ledger(params, story) == left


# --- tidying -------------------------------------------------------------------------------------------------------


def test_only_what_says_nothing_is_forgotten(params: Params, tenant: int) -> None:
    busy = a_rate(tenant, 10, seconds=600)
    idle = a_rate(tenant, 1000, seconds=1, kind=MeterKind.TOKENS)
    held = MeterSpec(tenant_id=tenant, name="at_once", label="c", kind=MeterKind.CONCURRENCY, limit=5)
    free = replace(held, name="key/at_once")
    spent = a_budget(tenant, 100, period="day", name="spent")
    each, gone = separate(tenant, "a", most=9), replace(separate(tenant, "b", most=9), period="day")
    done, running = a_request(free, busy, idle, spent, each, gone, tokens=1), a_request(held)

    async def story(ledger: Ledger) -> None:
        await asyncio.gather(ledger.admit(done), ledger.admit(running))
        await ledger.settle(settled(done, tokens=1))
        statement = "UPDATE meter SET period_end = now() - interval '25 hours' WHERE tenant_id = %s AND name = ANY(%s)"
        query(params, statement, tenant, [spent.name, gone.name])
        await asyncio.sleep(0.01)  # its one token is back after a millisecond
        query(params, "SELECT forget_meters(1000000)")

    in_ledger(params, story)
    assert {busy.name, held.name, spent.name, each.name} <= names_of(params, tenant)
    assert not {idle.name, free.name, gone.name} & names_of(params, tenant)


def test_forgetting_never_waits_for_a_meter_in_use(params: Params, tenant: int) -> None:
    rate = a_rate(tenant, 1000, seconds=1)
    in_ledger(params, lambda ledger: ledger.admit(a_request(rate)))
    with psycopg.connect(**params) as other:
        other.execute("SELECT FROM meter WHERE tenant_id = %s FOR UPDATE", [tenant])
        query(params, "SET statement_timeout = 2000; SELECT forget_meters(1000000)")
        assert names_of(params, tenant) == {rate.name}


def test_admissions_go_on_while_meters_are_forgotten(params: Params, tenant: int) -> None:
    """Rates that are full again at once are forgotten between two admissions, and made anew."""
    rates = [a_rate(tenant, 10**9, seconds=1), a_rate(tenant, 10**9, seconds=1, kind=MeterKind.TOKENS)]
    budget = a_budget(tenant, 10**9)
    over = threading.Event()

    def forget() -> None:
        while not over.wait(0.002):  # or on a busy machine hardly anything else would happen
            query(params, "SELECT forget_meters(1000000)")

    async def story(ledger: Ledger) -> list[Standing]:
        forgetting = asyncio.ensure_future(asyncio.to_thread(forget))
        standings = []
        for _ in range(60):
            requests = [a_request(*rates, budget, tokens=1) for _ in range(4)]
            standings += await asyncio.gather(*map(ledger.admit, requests))
            await asyncio.gather(*(ledger.settle(settled(request, tokens=1)) for request in requests))
        over.set()
        await forgetting
        return standings

    standings = in_ledger(params, story)
    assert all(standing.refused_by is None for standing in standings)
    admitted = sum(standing.no_room_for is None for standing in standings)
    assert state(params, budget) == (7 * admitted, 0), "what found no meter holds nothing, and is asked again"
    assert admitted > 200
