"""The ledger does what a plain model of it does, step by step, whatever happens to it in whichever order."""

import asyncio
import copy
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing.contracts import SECOND_NS, MeterKind, MeterSet, MeterSpec
from config.asgi import libpq_params
from gateway.ids import new_id
from gateway.ledger import Admission, Extension, Ledger, Settlement, Standing
from tests.integration.data.ledger_model import MS_NS, NEVER, Ask, Model, Verdict

EXAMPLES = int(os.environ.get("LEDGER_MODEL_EXAMPLES", "60"))
"""More of them find more: some thousands, before a change of the ledger's functions."""

STEPS = 30
PHASES = (Phase.explicit, Phase.generate)
"""Without `Phase.shrink`: making a failure small takes minutes, and times out here. Add it to see a short story."""

DAYS_OVER = 3
_tenant_ids = itertools.count(2_000_000)

BUDGETS = {
    "total": "total",
    "day": "day",
    "dates": f"dates/{datetime.now(UTC).date() - timedelta(days=9)}/{datetime.now(UTC).date() + timedelta(days=9)}",
    "soft": "day",
    "sometimes_soft": "total",
    **{f"each#{value}": "total" for value in ("a", "b", "")},
    **{f"each_day#{value}": "day" for value in ("a", "b")},
}
RATES = {
    "requests": (MeterKind.REQUESTS, 60),
    "requests_long": (MeterKind.REQUESTS, 86_400),
    "tokens": (MeterKind.TOKENS, 60),
    "input": (MeterKind.INPUT_TOKENS, 3_600),
    "output": (MeterKind.OUTPUT_TOKENS, 60),
    "each_output#a": (MeterKind.OUTPUT_TOKENS, 60),
}
AT_ONCE = ("at_once", "each_at_once#a")
NAMES = (*BUDGETS, *RATES, *AT_ONCE)

amounts = st.integers(0, 60)
picks = st.integers(0, 60)
limits = st.sampled_from([200, 100, 60, 400, 20, 5, 0])
OTHER_LIMIT = 7
# Meters by their numbers; what the set's limits have more than those of other sets in the batch, as when policy changes
# between two requests; and whether a budget counts only that may do so.
meter_sets = st.tuples(st.sets(picks, min_size=1, max_size=4), st.sampled_from([0, 0, 0, OTHER_LIMIT]), st.booleans())
batches = st.tuples(
    st.lists(meter_sets, min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), amounts, amounts, amounts), min_size=1, max_size=6),
)


def picked(those: Sequence[str], picks: Sequence[int]) -> list[str]:
    """Those of them that the numbers mean; nothing, where there are none."""
    return [those[pick % len(those)] for pick in picks] if those else []


class World:
    """The ledger of the test databases, in an event loop of its own, and a connection to look at it."""

    def __init__(self) -> None:
        params = libpq_params("ledger")
        self._runner = asyncio.Runner()
        self._connection = psycopg.connect(**params, autocommit=True)
        self.ledger = self._runner.run(self._started(params))

    async def _started(self, params: Any) -> Ledger:
        ledger = Ledger(params)
        ledger.start()
        return ledger

    def close(self) -> None:
        self._runner.run(self.ledger.close())
        self._runner.close()
        self._connection.close()

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        cursor = self._connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []

    def now_ns(self) -> int:
        return int(self.query("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000")[0][0])

    def admit(self, tenant_id: int, asks: Sequence[Ask]) -> list[Standing]:
        """One batch."""

        async def story() -> list[Standing]:
            return await asyncio.gather(*(self.ledger.admit(_admission(tenant_id, ask)) for ask in asks))

        return self._runner.run(story())

    def extend(self, extensions: Sequence[Extension]) -> list[bool]:
        async def story() -> list[bool]:
            return await asyncio.gather(*map(self.ledger.extend, extensions))

        return self._runner.run(story())

    def settle(self, ends: Sequence[tuple[str, int, int, int]]) -> list[bool]:
        async def story() -> list[bool]:
            return await asyncio.gather(*(self.ledger.settle(_settlement(*end)) for end in ends))

        return self._runner.run(story())


def _admission(tenant_id: int, ask: Ask) -> Admission:
    return Admission(
        request_id=ask.id,
        tenant_id=tenant_id,
        cost_nano=ask.cost,
        input_tokens=ask.input,
        output_tokens=ask.output,
        lease_s=600,
        context={"model": "m", "output_tokens": ask.output},
        meters=ask.meters,
    )


def _settlement(request_id: str, cost: int, input_tokens: int, output_tokens: int) -> Settlement:
    return Settlement(
        request_id=request_id,
        cost_nano=cost,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        record={"outcome": "completed", "model": "m"},
    )


@pytest.fixture(scope="module")
def world(databases: None) -> Iterator[World]:
    world = World()
    yield world
    world.close()


def a_spec(tenant_id: int, name: str, *, limit: int, zone: str, most: int = 0, soft: bool = False) -> MeterSpec:
    common: dict[str, Any] = {"tenant_id": tenant_id, "name": name, "label": name, "limit": limit, "most": most}
    if name in BUDGETS:
        is_soft = name == "soft" or (soft and name == "sometimes_soft")
        return MeterSpec(kind=MeterKind.BUDGET, period=BUDGETS[name], zone=zone, soft=is_soft, **common)
    if name in RATES:
        kind, seconds = RATES[name]
        return MeterSpec(kind=kind, window_ns=seconds * SECOND_NS, **common)
    return MeterSpec(kind=MeterKind.CONCURRENCY, **common)


def zone_where_it_is_noon() -> str:
    """No day of it begins or ends while the test runs."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}"


class LedgerMachine(RuleBasedStateMachine):
    """Drives the ledger and the model alike. Every run has a tenant of its own."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.tenant_id = next(_tenant_ids)
        self.zone = zone_where_it_is_noon()
        self.model = Model()
        self.names: list[str] = []
        self.limits: dict[str, int] = {}
        self.highest: dict[str, int] = {}
        self.most = 3
        self.asked: dict[str, Ask] = {}
        self.above_hold = 0

    @initialize(limits=st.dictionaries(st.sampled_from(NAMES), limits, min_size=1, max_size=6))
    def begin(self, limits: dict[str, int]) -> None:
        """Few meters, so that they fill up."""
        self.names = list(limits)
        self.limits = dict(limits)
        self.highest = {name: limit + OTHER_LIMIT for name, limit in limits.items()}

    # --- what happens ----------------------------------------------------------------------------------------------

    @rule(batch=batches)
    def admit(self, batch: tuple[Any, Any]) -> None:
        self._admit(batch)

    def _admit(self, batch: tuple[Any, Any]) -> None:
        wanted_sets, requests = batch
        sets = [self._set(*wanted) for wanted in wanted_sets]
        asks = [
            Ask(new_id(), sets[number % len(sets)], cost, input, output) for number, cost, input, output in requests
        ]
        before_ns = self.world.now_ns()
        standings = self.world.admit(self.tenant_id, asks)
        at_ns = self._admitted_at(asks)
        # Without an admission the moment is not known: what is refused then, was also refused before.
        verdicts = self.model.admit(asks, at_ns=at_ns or before_ns)
        specs = self.model.latest_specs(asks)
        tolerance_ms = 0 if at_ns else (self.world.now_ns() - before_ns) // MS_NS + 1
        for ask, standing, verdict in zip(asks, standings, verdicts, strict=True):
            self._agree(standing, verdict, at_ns=at_ns or before_ns, tolerance_ms=tolerance_ms)
            self._stands(ask, standing, specs, at_ns=at_ns)
            if verdict.is_admitted:
                self.asked[ask.id] = ask

    # Whom it is about is drawn as a number, whoever is there by then: what is drawn must not depend on the clock.

    @rule(cost=amounts, output=amounts, picks=st.lists(picks, min_size=1, max_size=3))
    def extend(self, cost: int, output: int, picks: list[int]) -> None:
        """Also what is settled already, and one request several times at once."""
        ids = picked(list(self.asked), picks)
        budgets = {i: [s for s in self.asked[i].meters.specs if s.kind == MeterKind.BUDGET and not s.soft] for i in ids}
        extensions = [Extension(request_id=i, cost_nano=cost, output_tokens=output, budgets=budgets[i]) for i in ids]
        granted = self.world.extend(extensions)
        assert granted == [self.model.extend(i, cost=cost, output=output, budgets=budgets[i]) for i in ids]

    @rule(ends=st.lists(st.tuples(picks, amounts, amounts, amounts), min_size=1, max_size=5))
    def settle(self, ends: list[tuple[int, int, int, int]]) -> None:
        """Also what was settled before, and the same one several times at once."""
        ids = picked(list(self.asked), [pick for pick, *_ in ends])
        named = [(i, cost, input, output) for i, (_, cost, input, output) in zip(ids, ends, strict=False)]
        held = {i: hold.cost for i, hold in self.model.holds.items()}
        before_ns = self.world.now_ns()
        answers = self.world.settle(named)
        done = self._settled(lambda model, at_ns: model.settle(named, at_ns=at_ns), before_ns)
        assert answers == [i in done and i not in ids[:place] for place, i in enumerate(ids)]
        self.above_hold += sum(max(self.model.charges[i] - held[i], 0) for i in done)

    @rule(picks=st.lists(picks, min_size=1, max_size=3))
    def sweep(self, picks: list[int]) -> None:
        ids = set(picked(list(self.model.holds), picks))
        self.world.query("UPDATE hold SET expires_at = 'epoch' WHERE request_id = ANY(%s::uuid[])", list(ids))
        before_ns = self.world.now_ns()
        assert self.world.query("SELECT sweep(1000)")[0][0] >= len(ids)
        assert self._settled(lambda model, at_ns: model.sweep(ids, at_ns=at_ns), before_ns) == ids

    @rule(batches=st.tuples(batches, batches))
    def a_night_passes(self, batches: tuple[Any, Any]) -> None:
        """As far as budgets can tell; many are under way then, and the new day begins with others."""
        self._admit(batches[0])
        for name in self._ending():
            self.model.meters[name].is_over = True
            self._shift(name, starts=not BUDGETS[name].startswith("dates/"))
        self._admit(batches[1])

    @rule(seconds=st.sampled_from([1, 5, 40, 4_000]))
    def time_passes(self, seconds: int) -> None:
        """As far as rates can tell."""
        passed_ns = seconds * SECOND_NS
        self.world.query(
            "UPDATE meter SET tat_ns = tat_ns - %s WHERE tenant_id = %s AND tat_ns > 0", passed_ns, self.tenant_id
        )
        self.world.query(
            "UPDATE hold SET admitted_at = admitted_at - make_interval(secs => %s) WHERE tenant_id = %s",
            seconds,
            self.tenant_id,
        )
        for meter in self.model.meters.values():
            meter.tat_ns -= passed_ns if meter.tat_ns > 0 else 0
        for hold in self.model.holds.values():
            hold.admitted_ns -= passed_ns

    @rule(pick=picks, limit=limits)
    def limit_changes(self, pick: int, limit: int) -> None:
        (name,) = picked(self.names, [pick])
        self.limits[name] = limit
        self.highest[name] = max(self.highest[name], limit + OTHER_LIMIT)

    @rule(most=st.integers(0, 6))
    def most_separate_meters_change(self, most: int) -> None:
        self.most = most

    @rule()
    def forget(self) -> None:
        before_ns = self.world.now_ns()
        self.world.query("SELECT forget_meters(1000000)")
        there = self._rows()
        for name, meter in list(self.model.meters.items()):
            if name not in there and before_ns <= meter.tat_ns <= self.world.now_ns():
                meter.tat_ns = 0  # it became as if unused in that moment
        self.model.forget(at_ns=before_ns)

    # --- what must hold --------------------------------------------------------------------------------------------

    @invariant()
    def meters_are_those_of_the_model(self) -> None:
        expected = {name: (meter.used, meter.held, meter.tat_ns) for name, meter in self.model.meters.items()}
        assert self._rows() == expected

    @invariant()
    def holds_add_up_to_what_meters_hold(self) -> None:
        statement = """
            SELECT meter.name, meter.held, coalesce(sum(CASE
                WHEN cell.kind = 4 THEN 1
                WHEN cell.kind = 1 AND cell.mark = (extract(epoch FROM period_start) * 1000000)::bigint THEN cost_nano
                WHEN cell.kind = 3 THEN tokens
                WHEN cell.kind = 5 THEN tokens - output_tokens
                WHEN cell.kind = 6 THEN output_tokens
            END), 0)
            FROM meter
            LEFT JOIN (hold CROSS JOIN LATERAL unnest(meter_ids, kinds, marks) AS cell (meter_id, kind, mark))
                ON cell.meter_id = meter.id
            WHERE meter.tenant_id = %s GROUP BY meter.id
        """
        for name, held, of_holds in self.world.query(statement, self.tenant_id):
            assert held == of_holds, name

    @invariant()
    def every_charge_is_on_record_once(self) -> None:
        statement = (
            "SELECT record ->> 'request_id', (record ->> 'cost_nano')::bigint FROM usage_outbox"
            " WHERE (record ->> 'tenant_id')::bigint = %s"
        )
        assert sorted(self.world.query(statement, self.tenant_id)) == sorted(self.model.charges.items())

    @invariant()
    def no_hard_budget_is_overspent(self) -> None:
        """But by what was reported above holds, and by limits that were lowered since."""
        for name, (used, held, _) in self._rows().items():
            if name in BUDGETS and "soft" not in name:
                assert used + held <= self.highest[name] + self.above_hold

    # --- how that is looked at -------------------------------------------------------------------------------------

    def _ending(self) -> list[str]:
        """The budgets that have begun a period which can be over."""
        return [name for name, meter in self.model.meters.items() if meter.has_period and BUDGETS[name] != "total"]

    def _set(self, picks: set[int], more: int, soft: bool) -> MeterSet:
        names = sorted(set(picked(self.names, list(picks))))
        limits = {name: self.limits[name] + more for name in names}
        specs = (
            a_spec(self.tenant_id, name, limit=limit, zone=self.zone, most=self.most, soft=soft)
            for name, limit in limits.items()
        )
        return MeterSet(tuple(specs))

    def _agree(self, standing: Standing, verdict: Verdict, *, at_ns: int, tolerance_ms: int) -> None:
        no_room_for = standing.no_room_for.name if standing.no_room_for else ""
        assert no_room_for == verdict.missing
        if not verdict.waits_ms:
            assert standing.refused_by is None
            return
        assert standing.refused_by is not None
        waits_ms = {
            name: self._until_period_ends(name, at_ns) if w == 1 and name in BUDGETS else w
            for name, w in verdict.waits_ms.items()
        }
        longest_ms = NEVER if NEVER in waits_ms.values() else max(waits_ms.values())
        assert longest_ms - tolerance_ms <= standing.wait_ms <= longest_ms
        assert abs(waits_ms[standing.refused_by.name] - longest_ms) <= tolerance_ms

    def _until_period_ends(self, name: str, at_ns: int) -> int:
        end = "(extract(epoch FROM period_end) * 1000000)::bigint * 1000"
        statement = f"SELECT {end} FROM meter WHERE tenant_id = %s AND name = %s"
        ((end_ns,),) = self.world.query(statement, self.tenant_id, name)
        return -(-(int(end_ns) - at_ns) // MS_NS)

    def _stands(self, ask: Ask, standing: Standing, specs: dict[str, MeterSpec], *, at_ns: int | None) -> None:
        for own, remaining in zip(ask.meters.specs, standing.remaining, strict=True):
            spec = specs[own.name]
            if spec.name not in self.model.meters:
                continue
            if at_ns is not None or spec.name not in RATES:
                assert remaining == self.model.left(spec, at_ns=at_ns or 0), spec.name

    def _admitted_at(self, asks: Sequence[Ask]) -> int | None:
        """When the batch was admitted, as far as any of it was."""
        statement = (
            "SELECT DISTINCT (extract(epoch FROM admitted_at) * 1000000)::bigint * 1000 FROM hold"
            " WHERE request_id = ANY(%s::uuid[])"
        )
        moments = self.world.query(statement, [ask.id for ask in asks])
        assert len(moments) <= 1, "it was one batch"
        return int(moments[0][0]) if moments else None

    def _settled(self, end: Callable[[Model, int], set[str]], before_ns: int) -> set[str]:
        """Settles in the model too. When exactly the ledger did, is known to lie between two moments."""
        latest = copy.deepcopy(self.model)
        end(latest, self.world.now_ns())
        done = end(self.model, before_ns)
        for name, (_, _, tat_ns) in self._rows().items():
            assert self.model.meters[name].tat_ns <= tat_ns <= latest.meters[name].tat_ns
            self.model.meters[name].tat_ns = tat_ns
        return done

    def _shift(self, name: str, *, starts: bool) -> None:
        """Moves the period that a meter is in, and the periods before it, into the past."""
        by = DAYS_OVER * 86_400
        self.world.query(
            "UPDATE meter SET period_end = period_end - make_interval(secs => %s),"
            " period_start = period_start - make_interval(secs => %s) WHERE tenant_id = %s AND name = %s",
            by if starts else 90 * 86_400,
            by if starts else 0,
            self.tenant_id,
            name,
        )
        if starts:
            self.world.query(
                "UPDATE hold SET marks = (SELECT array_agg(CASE WHEN meter.id = cell.id THEN mark - %s ELSE mark END"
                " ORDER BY ord) FROM unnest(meter_ids, marks) WITH ORDINALITY AS cell (id, mark, ord))"
                " FROM meter WHERE meter.tenant_id = %s AND meter.name = %s AND meter.id = ANY (meter_ids)",
                by * 1_000_000,
                self.tenant_id,
                name,
            )

    def _rows(self) -> dict[str, tuple[int, int, int]]:
        rows = self.world.query("SELECT name, used, held, tat_ns FROM meter WHERE tenant_id = %s", self.tenant_id)
        return {name: (used, held, tat_ns) for name, used, held, tat_ns in rows}


def test_the_ledger_does_what_the_model_does(world: World) -> None:
    class Machine(LedgerMachine):
        pass

    Machine.world = world
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=PHASES,
        ),
    )


LONG_S = 10**8
"""Of a window in which nothing comes back while the test runs."""


@settings(max_examples=2 * EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(batch=batches, limits=st.dictionaries(st.sampled_from(NAMES), limits, min_size=1, max_size=6))
def test_a_batch_is_admitted_as_its_requests_would_be_one_by_one(
    world: World, batch: tuple[Any, Any], limits: dict[str, int]
) -> None:
    wanted_sets, requests = batch
    zone = zone_where_it_is_noon()

    def asks_of(tenant_id: int) -> list[Ask]:
        sets = []
        for picks, _, soft in wanted_sets:
            names = sorted(set(picked(list(limits), list(picks))))
            specs = (a_spec(tenant_id, name, limit=limits[name], zone=zone, most=100, soft=soft) for name in names)
            sets.append(MeterSet(tuple(map(_unhurried, specs))))
        return [Ask(new_id(), sets[number % len(sets)], *amounts) for number, *amounts in requests]

    together, apart = next(_tenant_ids), next(_tenant_ids)
    at_once = world.admit(together, asks_of(together))
    one_by_one = [world.admit(apart, [ask])[0] for ask in asks_of(apart)]
    assert [_refusing(standing) for standing in at_once] == [_refusing(standing) for standing in one_by_one]
    statement = "SELECT name, used, held, tat_ns > 0 FROM meter WHERE tenant_id = %s ORDER BY name"
    assert world.query(statement, together) == world.query(statement, apart)


def _unhurried(spec: MeterSpec) -> MeterSpec:
    return replace(spec, window_ns=LONG_S * SECOND_NS) if spec.window_ns else spec


def _refusing(standing: Standing) -> str | None:
    return standing.refused_by.name if standing.refused_by else None
