"""The ledger's functions, through the gateway's client of them."""

import asyncio
from typing import Any

import psycopg
import pytest

from billing.contracts import MeterKind, MeterSpec
from gateway.errors import Unavailable
from gateway.ledger import Ledger, Settlement, Standing
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
    tenant_ids,
)


def test_it_works(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 100)
    request = a_request(budget)

    async def story(ledger: Ledger) -> Standing:
        standing = await ledger.admit(request)
        assert state(params, budget) == (0, 10)
        assert await ledger.settle(settled(request))
        return standing

    standing = in_ledger(params, story)
    assert standing.refused_by is None
    assert standing.remaining == (90,)
    assert state(params, budget) == (7, 0)
    (record,) = records_of(params, request.request_id)
    assert (record["cost_nano"], record["tenant_id"], record["outcome"]) == (7, tenant, "completed")
    assert query(params, "SELECT 1 FROM hold WHERE request_id = %s", request.request_id) == []


def test_the_eleventh_request_in_a_minute_is_refused_until_exactly_a_sixth_second(params: Params, tenant: int) -> None:
    rate = a_rate(tenant, 10)

    async def story(ledger: Ledger) -> list[Standing]:
        return [await ledger.admit(a_request(rate)) for _ in range(11)]

    *admitted, last = in_ledger(params, story)
    assert [standing.refused_by for standing in admitted] == [None] * 10
    assert [standing.remaining[0] for standing in admitted] == list(range(9, -1, -1))
    assert last.refused_by == rate
    assert 5_000 < last.wait_ms <= 6_000  # 60 s / 10, less the time since the first


def test_a_refused_request_is_admitted_after_its_wait_and_not_before(params: Params, tenant: int) -> None:
    rate = a_rate(tenant, 10, seconds=600)  # one each minute

    async def story(ledger: Ledger) -> None:
        standings = await asyncio.gather(*(ledger.admit(a_request(rate)) for _ in range(11)))
        wait_ms = next(standing.wait_ms for standing in standings if standing.refused_by)
        time_passes(params, rate, ms=wait_ms - 30_000)
        assert (await ledger.admit(a_request(rate))).refused_by
        time_passes(params, rate, ms=30_000)
        assert (await ledger.admit(a_request(rate))).refused_by is None
        assert (await ledger.admit(a_request(rate))).refused_by, "one was what had come free"

    in_ledger(params, story)


def time_passes(params: Params, rate: MeterSpec, *, ms: int) -> None:
    """For that rate alone."""
    statement = "UPDATE meter SET tat_ns = tat_ns - %s WHERE tenant_id = %s AND name = %s RETURNING id"
    assert len(query(params, statement, ms * 1_000_000, rate.tenant_id, rate.name)) == 1


def test_a_request_takes_from_all_of_its_meters_or_from_none(params: Params, tenant: int) -> None:
    rate, wide, tight = a_rate(tenant, 5), a_budget(tenant, 1000, name="wide"), a_budget(tenant, 5, name="tight")

    async def story(ledger: Ledger) -> None:
        refused = await ledger.admit(a_request(rate, wide, tight))
        assert refused.refused_by == tight
        after = await ledger.admit(a_request(rate, wide))
        assert after.remaining == (4, 990)

    in_ledger(params, story)
    assert state(params, tight) == (0, 0)


def test_a_batch_never_overspends(params: Params, tenant: int) -> None:
    budget, other = a_budget(tenant, 35), a_budget(tenant, 10_000, name="other")

    async def story(ledger: Ledger) -> list[Standing]:
        return await asyncio.gather(*(ledger.admit(a_request(budget, other)) for _ in range(50)))

    standings = in_ledger(params, story)
    assert sum(standing.refused_by is None for standing in standings) == 3
    assert state(params, budget) == (0, 30)
    assert state(params, other) == (0, 30)


def test_two_gateways_never_overspend(params: Params, tenant: int) -> None:
    budget, other = a_budget(tenant, 1000), a_budget(tenant, 10_000, name="other")

    async def burst(ledger: Ledger, meters: tuple[MeterSpec, ...]) -> int:
        standings = await asyncio.gather(*(ledger.admit(a_request(*meters)) for _ in range(150)))
        return sum(standing.refused_by is None for standing in standings)

    async def story(first: Ledger) -> int:
        second = Ledger(params)
        second.start()
        counts = await asyncio.gather(burst(first, (budget, other)), burst(second, (other, budget)))
        await second.close()
        return sum(counts)

    assert in_ledger(params, story) == 100
    assert state(params, budget) == (0, 1000)


def test_two_tenants_never_share_a_meter(params: Params) -> None:
    acme, umbrella = a_rate(next(tenant_ids), 1), a_rate(next(tenant_ids), 1)

    async def story(ledger: Ledger) -> None:
        assert (await ledger.admit(a_request(acme))).refused_by is None
        assert (await ledger.admit(a_request(umbrella))).refused_by is None
        assert (await ledger.admit(a_request(acme))).refused_by == acme

    in_ledger(params, story)


def test_a_request_is_settled_once(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 100)
    request = a_request(budget)

    async def story(ledger: Ledger) -> list[bool]:
        await ledger.admit(request)
        return await asyncio.gather(*(ledger.settle(settled(request)) for _ in range(3)))

    assert sum(in_ledger(params, story)) == 1
    assert state(params, budget) == (7, 0)
    assert len(records_of(params, request.request_id)) == 1


def test_what_costs_more_than_its_hold_is_charged_in_full(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 100)
    request = a_request(budget, cost=10)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(request)
        await ledger.settle(settled(request, cost=25))

    in_ledger(params, story)
    assert state(params, budget) == (25, 0)


def test_token_rates_are_corrected_to_what_was_used(params: Params, tenant: int) -> None:
    rate = a_rate(tenant, 1000, kind=MeterKind.TOKENS, seconds=6_000)
    first = a_request(rate, tokens=900)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(first)
        assert (await ledger.admit(a_request(rate, tokens=200))).refused_by == rate
        await ledger.settle(settled(first, tokens=100))
        assert (await ledger.admit(a_request(rate, tokens=200))).remaining == (700,)

    in_ledger(params, story)


def test_what_can_never_fit_says_so(params: Params, tenant: int) -> None:
    rate = a_rate(tenant, 50, kind=MeterKind.TOKENS)

    async def story(ledger: Ledger) -> None:
        assert (await ledger.admit(a_request(rate, tokens=51))).wait_ms == -1
        assert (await ledger.admit(a_request(a_budget(tenant, 5)))).wait_ms == -1
        assert (await ledger.admit(a_request(a_budget(tenant, 0, name="zero", period="day")))).wait_ms == -1

    in_ledger(params, story)


def test_concurrency_ends_with_the_request(params: Params, tenant: int) -> None:
    meter = MeterSpec(tenant_id=tenant, name="concurrency", label="c", kind=MeterKind.CONCURRENCY, limit=2)
    first = a_request(meter)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(first)
        await ledger.admit(a_request(meter))
        assert (await ledger.admit(a_request(meter))).refused_by == meter
        await ledger.settle(settled(first))
        assert (await ledger.admit(a_request(meter))).refused_by is None

    in_ledger(params, story)


def test_a_soft_budget_counts_and_never_refuses(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 5, soft=True)

    async def story(ledger: Ledger) -> None:
        standing = await ledger.admit(a_request(budget))
        assert standing.refused_by is None
        assert standing.remaining == (-5,), "by how much it is exceeded"

    in_ledger(params, story)
    assert state(params, budget) == (0, 10)


def test_a_period_that_is_over_starts_anew_and_keeps_its_own_holds(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 30, period="day")
    before, midnight, after = a_request(budget), a_request(budget), a_request(budget, cost=30)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(before)
        await ledger.settle(settled(before))
        await ledger.admit(midnight)
        query(
            params,
            "UPDATE meter SET period_start = period_start - interval '1 day',"
            " period_end = period_end - interval '1 day' WHERE tenant_id = %s",
            tenant,
        )
        query(params, "UPDATE hold SET marks[1] = marks[1] - 86400000000 WHERE request_id = %s", midnight.request_id)
        assert (await ledger.admit(after)).refused_by is None
        await ledger.settle(settled(midnight))

    in_ledger(params, story)
    assert state(params, budget) == (0, 30)
    assert records_of(params, midnight.request_id)[0]["cost_nano"] == 7


def test_a_hold_whose_process_is_lost_is_charged_at_what_was_held(params: Params, tenant: int) -> None:
    budget, rate = a_budget(tenant, 100), a_rate(tenant, 100)
    lost, alive = a_request(budget, rate, lease_s=-1), a_request(budget, rate)

    async def story(ledger: Ledger) -> None:
        await ledger.admit(lost)
        await ledger.admit(alive)

    in_ledger(params, story)
    sweep(params)
    assert state(params, budget) == (10, 10)
    (record,) = records_of(params, lost.request_id)
    assert (record["outcome"], record["estimated"], record["cost_nano"]) == ("swept", True, 10)
    assert records_of(params, alive.request_id) == []

    async def late(ledger: Ledger) -> bool:
        return await ledger.settle(settled(lost))

    assert not in_ledger(params, late)
    assert state(params, budget) == (10, 10)


def test_an_admission_whose_caller_left_is_given_back(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 100)

    async def story(ledger: Ledger) -> None:
        task = asyncio.ensure_future(ledger.admit(a_request(budget)))
        await asyncio.sleep(0)  # it is on its way
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    in_ledger(params, story)
    assert state(params, budget) == (0, 0)


UNACCEPTABLE: dict[str, Any] = {
    "nul": {"model": "nul \x00 byte"},
    "half of a pair": {"service_tier": "\ud800"},
    "nul in a tag": {"tags": {"feature": "\x00"}},
}


@pytest.mark.parametrize("words", UNACCEPTABLE.values(), ids=UNACCEPTABLE.keys())
def test_a_record_that_the_ledger_cannot_take_is_charged_without_its_words(
    params: Params, tenant: int, words: dict[str, Any]
) -> None:
    budget = a_budget(tenant, 100)
    bad, good = a_request(budget), a_request(budget)
    record = {"outcome": "completed", "output_tokens": 3, "estimated": True, "first_token_ms": None, **words}
    poison = Settlement(request_id=bad.request_id, cost_nano=1, input_tokens=1, output_tokens=0, record=record)

    async def story(ledger: Ledger) -> list[bool]:
        await asyncio.gather(ledger.admit(bad), ledger.admit(good))
        return list(await asyncio.gather(ledger.settle(poison), ledger.settle(settled(good))))

    assert in_ledger(params, story) == [True, True]
    assert state(params, budget) == (8, 0)
    (found,) = records_of(params, bad.request_id)
    assert (found["outcome"], found["output_tokens"], found["estimated"]) == ("completed", 3, True)
    assert (found["cost_nano"], found["code"]) == (1, "record_refused")
    assert not {"service_tier", "tags"} & found.keys()
    (found,) = records_of(params, good.request_id)
    assert found.get("code") != "record_refused", "who is not at fault keeps its words"


def test_a_settlement_that_the_ledger_never_takes_does_not_hold_up_the_others(params: Params, tenant: int) -> None:
    budget = a_budget(tenant, 100)
    bad, good = a_request(budget), a_request(budget)
    record = {"outcome": "completed"}
    poison = Settlement(request_id=bad.request_id, cost_nano=2**64, input_tokens=1, output_tokens=0, record=record)

    async def story(ledger: Ledger) -> tuple[Any, Any]:
        await asyncio.gather(ledger.admit(bad), ledger.admit(good))
        return await asyncio.gather(ledger.settle(poison), ledger.settle(settled(good)), return_exceptions=True)

    refused, done = in_ledger(params, story)
    assert isinstance(refused, psycopg.Error)
    assert done is True
    assert state(params, budget) == (7, 10)  # the poisoned one stays held, until it is swept


def test_a_lost_connection_is_made_anew_and_no_settlement_is_lost(params: Params, tenant: int) -> None:
    name = f"ledger of {tenant}"
    params = {**params, "application_name": name}
    budget = a_budget(tenant, 100)
    request = a_request(budget)

    def cut() -> None:
        query(
            params,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = %s AND pid <> pg_backend_pid()",
            name,
        )

    async def story(ledger: Ledger) -> None:
        await ledger.admit(request)
        await ledger.settle(settled(a_request(budget)))  # both connections are open now
        cut()
        assert await ledger.settle(settled(request))
        with pytest.raises(Unavailable):
            await ledger.admit(a_request(budget))
        assert (await ledger.admit(a_request(budget))).refused_by is None

    in_ledger(params, story)
    assert state(params, budget) == (7, 10)


@pytest.mark.parametrize(
    ("period", "zone", "at", "starts", "ends"),
    [
        pytest.param("day", "UTC", "2026-11-21 12:00Z", "2026-11-21 00:00Z", "2026-11-22 00:00Z", id="a plain day"),
        pytest.param(
            "day", "Europe/Berlin", "2026-03-29 12:00Z", "2026-03-28 23:00Z", "2026-03-29 22:00Z", id="23 hours"
        ),
        pytest.param(
            "day", "Europe/Berlin", "2026-10-25 12:00Z", "2026-10-24 22:00Z", "2026-10-25 23:00Z", id="25 hours"
        ),
        pytest.param(
            "day", "Asia/Kolkata", "2026-11-21 18:29Z", "2026-11-20 18:30Z", "2026-11-21 18:30Z", id="half an hour"
        ),
        pytest.param(
            "week", "UTC", "2027-01-01 00:00Z", "2026-12-28 00:00Z", "2027-01-04 00:00Z", id="ISO week over new year"
        ),
        pytest.param("month", "UTC", "2028-02-29 23:59Z", "2028-02-01 00:00Z", "2028-03-01 00:00Z", id="leap day"),
        pytest.param(
            "month",
            "America/New_York",
            "2026-11-01 03:59Z",
            "2026-10-01 04:00Z",
            "2026-11-01 04:00Z",
            id="still October there",
        ),
    ],
)
def test_periods_follow_the_calendar_of_the_tenant(
    params: Params, period: str, zone: str, at: str, starts: str, ends: str
) -> None:
    bounds = query(
        params,
        "SELECT starts = %s::timestamptz, ends = %s::timestamptz, starts, ends"
        " FROM period_bounds(%s, %s, %s::timestamptz)",
        starts,
        ends,
        period,
        zone,
        at,
    )
    assert bounds[0][:2] == (True, True), bounds


def test_what_requests_side_by_side_did_not_use_is_free_when_they_end(params: Params, tenant: int) -> None:
    rate = a_rate(tenant, 1000, kind=MeterKind.TOKENS)
    requests = [a_request(rate, tokens=100) for _ in range(10)]

    async def story(ledger: Ledger) -> Standing:
        for request in requests:
            assert (await ledger.admit(request)).refused_by is None
        full = await ledger.admit(a_request(rate, tokens=1))
        assert (full.refused_by, full.wait_ms) == (rate, 1000), "when somebody ends, nobody knows"
        await asyncio.gather(*(ledger.settle(settled(request, tokens=1)) for request in requests))
        return await ledger.admit(a_request(rate, tokens=1))

    assert 988 <= in_ledger(params, story).remaining[0] <= 989


def test_what_was_taken_beyond_the_hold_counts_in_full(params: Params, tenant: int) -> None:
    day = a_rate(tenant, 20_000, kind=MeterKind.OUTPUT_TOKENS, seconds=86_400)

    async def story(ledger: Ledger) -> list[Standing]:
        request = a_request(day, tokens=1_024, output=1_024)
        await ledger.admit(request)
        await ledger.settle(settled(request, tokens=15_000, output=15_000))
        return [await ledger.admit(a_request(day, tokens=n, output=n)) for n in (6_000, 4_999)]

    too_much, enough = in_ledger(params, story)
    assert too_much.refused_by == day
    assert enough.refused_by is None


def test_a_rate_that_a_running_request_owes_to_is_not_forgotten(params: Params, tenant: int) -> None:
    rate = a_rate(tenant, 1000, kind=MeterKind.TOKENS)
    request = a_request(rate, tokens=10)

    async def story(ledger: Ledger) -> Standing:
        await ledger.admit(request)
        query(params, "SELECT forget_meters(1000)")
        await ledger.settle(settled(request, tokens=900))
        return await ledger.admit(a_request(rate, tokens=200))

    assert in_ledger(params, story).refused_by == rate


@pytest.mark.parametrize(
    ("zone", "at"),
    [
        pytest.param("America/Havana", "2026-11-01 04:30+00", id="Havana"),
        pytest.param("Atlantic/Azores", "2026-10-25 00:30+00", id="Azores"),
    ],
)
def test_where_midnight_comes_twice_the_day_begins_with_the_second(params: Params, zone: str, at: str) -> None:
    statement = """
        SELECT now_.starts <= %(at)s::timestamptz, now_.ends > %(at)s::timestamptz, now_.ends = next.starts
        FROM period_bounds('day', %(zone)s, %(at)s) AS now_, period_bounds('day', %(zone)s, now_.ends) AS next
    """
    with psycopg.connect(**params) as connection:
        assert connection.execute(statement, {"zone": zone, "at": at}).fetchone() == (True, True, True)


def test_an_absurd_report_does_not_lock_a_tenant_out_for_good(params: Params, tenant: int) -> None:
    rate = a_rate(tenant, 10, kind=MeterKind.TOKENS)
    request = a_request(rate, tokens=5)

    async def story(ledger: Ledger) -> Standing:
        await ledger.admit(request)
        assert await ledger.settle(settled(request, tokens=10**8))
        return await ledger.admit(a_request(rate, tokens=5))

    assert 0 < in_ledger(params, story).wait_ms <= 60_000
