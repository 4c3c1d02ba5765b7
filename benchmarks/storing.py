"""`python -m benchmarks.storing`: what storing conversations costs, against the same requests without.

Two tenants, the conversations of one are stored, those of the other are not. Their end users are named in both, so that
the ratio is of storing alone.

For processor time each has a gateway of its own, and both are under load at the same time: whatever the machine is busy
with meets both. They change gateways from round to round, and two such rounds make one ratio, so that neither of the
gateways has an advantage.

Latency is judged at one gateway, at a steady pace that leaves the processors room, as the writer works after the
answers went out; with all processors busy it is told only. There, a second of what is to be stored is followed by one
in which it is stored, and by one in which nothing is, again and again under one load, so that both meet the same
moods of the machine: the p99 of rounds that are further apart scatters by a tenth. In the two that are compared
nothing differs but the writer's work, which is as much as in a second that is like all others. The log of the
database is that of one in use: where its files have to be made first, every commit waits for that now and then, which
alone makes a p99.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from statistics import median, stdev
from typing import TYPE_CHECKING

import msgspec

from benchmarks import machine, processes
from benchmarks.scenarios import AT_ONCE, WHOLE, Scenario
from benchmarks.scratch import scratch
from benchmarks.verdicts import Limit, conclude, table

if TYPE_CHECKING:
    from benchmarks.installation import Installation, Server
    from benchmarks.load import Plan

PEOPLE = 1_000
"""Who takes turns, so that each conversation of a batch is of somebody else. What several have said costs less."""
ROUNDS, QUICK_ROUNDS = 48, 8
"""Even numbers. A ratio of two rounds is off by 5 % and more; that of 48 by 1."""
STEADY_ROUNDS, QUICK_STEADY_ROUNDS = 24, 4
CYCLES, SECOND_S, PAST_IT_S = 20, 0.95, 0.05
"""How often turns follow each other in a round at the steady pace, and how long they are: what is stored gathers for a
second from the first request on, and what is answered later would have to wait for the next."""

DRAINED_S = 2.5
"""After a round, what it left is stored within that time, and counted to it."""

MOST_CPU, MOST_P99 = 1.05, 1.05
STEADY = replace(WHOLE, name="steady", title="whole answers, 320 a second", connections=32, every_s=0.1, spread_s=0.1)
SIDE = replace(WHOLE, name="whole", title="whole answers, 16 at each gateway", connections=16)
SIDE_STREAMS = replace(AT_ONCE, name="streams", title="100 streams at each, chunks at once", connections=100)
SCENARIOS = (SIDE, STEADY, SIDE_STREAMS)


@dataclass(frozen=True, slots=True)
class Round:
    """Processor time per request or chunk, in µs, and latency. `postgres_us` is None where it served others too.
    `handed_over` are the requests whose conversations were to be stored."""

    cpu_us: float
    postgres_us: float | None
    p99_ms: float
    handed_over: int


Pairs = Sequence[tuple[Round, Round]]
"""Rounds without and with storing, at the same time or in turns. Where there are two gateways, each second pair has
changed them."""


def main() -> None:
    arguments = _arguments()
    try:
        with scratch() as var_dir:
            measured, stored = _measured(var_dir, arguments)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    print("\n" + "\n".join(f"{name:<12}{value}" for name, value in machine.describe().items()) + "\n")
    heads = ("", "unit", "CPU µs", "with", "ratio", "p99 ms", "with", "ratio", "PostgreSQL µs", "with")
    print(table(heads, [_row(scenario, pairs) for scenario, pairs in measured]))
    print(f"\n{stored:,} conversations stored, none left out")
    conclude([limit for scenario, pairs in measured for limit in _limits(scenario, pairs)], strict=arguments.strict)


def _limits(scenario: Scenario, pairs: Pairs) -> list[Limit]:
    ratios = _ratios(scenario, pairs)
    cpu = Limit(what=f"CPU with storing / without, {scenario.name}", value=median(ratios[0]), most=MOST_CPU, unit="×")
    p99 = Limit(what=f"p99 with storing / without, {scenario.name}", value=median(ratios[1]), most=MOST_P99, unit="×")
    return [cpu, replace(p99, depends_on_machine=True)] if scenario is STEADY else [cpu]


def _ratios(scenario: Scenario, pairs: Pairs) -> tuple[list[float], list[float]]:
    """Of processor time and p99, with storing / without."""
    cpu = [stored.cpu_us / plain.cpu_us for plain, stored in pairs]
    p99 = [stored.p99_ms / plain.p99_ms for plain, stored in pairs]
    return (cpu, p99) if scenario is STEADY else (_evened(cpu), _evened(p99))


def _evened(ratios: Sequence[float]) -> list[float]:
    """Of each two rounds, of which one was the other way round, one ratio."""
    return [sqrt(one * other) for one, other in zip(ratios[::2], ratios[1::2], strict=True)]


def _told(ratios: Sequence[float]) -> str:
    """Their median, and its standard error if they were spread normally."""
    return f"{median(ratios):.3f} ±{1.25 * stdev(ratios) / sqrt(len(ratios)):.3f}"


def _row(scenario: Scenario, pairs: Pairs) -> tuple[object, ...]:
    plain, stored = zip(*pairs, strict=True)
    cpu, p99 = _ratios(scenario, pairs)
    return (
        scenario.title,
        scenario.unit,
        *(f"{median(one.cpu_us for one in rounds):.1f}" for rounds in (plain, stored)),
        _told(cpu),
        *(f"{median(one.p99_ms for one in rounds):.1f}" for rounds in (plain, stored)),
        _told(p99),
        *(_median([one.postgres_us for one in rounds if one.postgres_us is not None]) for rounds in (plain, stored)),
    )


def _median(values: Sequence[float]) -> str:
    return f"{median(values):.1f}" if values else "-"


def _measured(var_dir: Path, arguments: argparse.Namespace) -> tuple[list[tuple[Scenario, Pairs]], int]:
    from benchmarks import installation  # now: settings are read at import

    found: list[tuple[Scenario, Pairs]] = []
    with installation.running(var_dir, step=_step, gateways=2) as all_of_it:
        keys = _seeded(arguments.people)
        for scenario in [one for one in SCENARIOS if arguments.only in (None, one.name)]:
            installation.age_log(all_of_it.socket_dir)
            pairs = []
            rounds = _rounds(scenario, quick=arguments.quick)
            for number in range(rounds):
                _step(f"{scenario.title}: round {number + 1} of {rounds}")
                if scenario is STEADY:
                    pairs.append(_in_turns(all_of_it, scenario, keys, arguments.people, seed=number))
                else:
                    servers = all_of_it.gateways[::-1] if number % 2 else all_of_it.gateways
                    pairs.append(_at_once(servers, scenario, keys, arguments.people, seconds=arguments.seconds))
            found.append((scenario, pairs))
        return found, _check(sum(stored.handed_over for _, pairs in found for _, stored in pairs))


def _rounds(scenario: Scenario, *, quick: bool) -> int:
    if scenario is STEADY:
        return QUICK_STEADY_ROUNDS if quick else STEADY_ROUNDS
    return QUICK_ROUNDS if quick else ROUNDS


def _seeded(people: int) -> tuple[str, str]:
    """The keys of a tenant that stores nothing, and of one that stores; all people of both have consented."""
    from benchmarks import installation
    from compliance.actions.transcripts import make_transcript_partitions
    from tests import factories
    from tests.factories import compliance

    keys = []
    for store in (False, True):
        tier = factories.a_tier(
            requests_per_minute=10**8,
            requests_per_hour=10**9,
            requests_per_day=10**10,
            tokens_per_minute=10**12,
            concurrency=10**6,
        )
        tenant = factories.a_tenant(tier=tier)
        factories.a_budget(tenant, dollars="1000000")
        compliance.a_content_policy(tenant, store=store)
        for number in range(people):
            compliance.a_consent(compliance.a_subject(tenant, _person(number)))
        keys.append(factories.a_key(tenant=tenant)[1])
    make_transcript_partitions()
    installation.disconnect()
    return keys[0], keys[1]


def _person(number: int) -> str:
    return f"person-{number}@example.com"


def _in_turns(
    all_of_it: "Installation", scenario: Scenario, keys: tuple[str, str], people: int, *, seed: int
) -> tuple[Round, Round]:
    """Both keys at the first gateway, under one load: a second of what is to be stored, another in which it is stored,
    and a third in which nothing is. In that order always, as storing follows gathering. Each round has requests at
    times of its own: in the two that are compared they are not the same, which evens out over the rounds only."""
    from benchmarks import measure
    from benchmarks.load import Tally, Turn

    plain, stored = keys
    server = replace(all_of_it.gateway, authorization=plain)
    plan = _plan(scenario, server, people, seconds=CYCLES * (3 * SECOND_S + PAST_IT_S))
    turns = [(stored, SECOND_S), (plain, PAST_IT_S), (plain, SECOND_S), (plain, SECOND_S)]
    plan = msgspec.structs.replace(
        plan, seed=seed, turns=tuple([Turn(authorization=key, seconds=seconds) for key, seconds in turns])
    )
    spent = [(0.0, 0.0)] * len(turns)
    with measure.load(plan) as load, ThreadPoolExecutor(1) as pool:
        families = [list(processes.family(pid)) for pid in (all_of_it.gateway.pid, all_of_it.postgres_pid)]
        said = pool.submit(measure.say, load, "go")
        ends, before = time.perf_counter(), [processes.cpu_s_of(family) for family in families]
        for number in range(CYCLES * len(turns)):
            turn = number % len(turns)
            ends += turns[turn][1]
            time.sleep(max(0.0, ends - time.perf_counter()))
            now = [processes.cpu_s_of(family) for family in families]
            spent[turn] = spent[turn][0] + now[0] - before[0], spent[turn][1] + now[1] - before[1]
            before = now
        tally = msgspec.json.decode(said.result(), type=Tally)
    gathering, _, storing, quiet = [
        (cpu_s * 1e6 / turn.requests, postgres_s * 1e6 / turn.requests)
        for (cpu_s, postgres_s), turn in zip(spent, tally.turns, strict=True)
    ]
    cpu_us, postgres_us = [one + other - less for one, other, less in zip(gathering, storing, quiet, strict=True)]
    return (
        Round(cpu_us=quiet[0], postgres_us=quiet[1], p99_ms=tally.turns[3].p99_ms, handed_over=0),
        Round(
            cpu_us=cpu_us,
            postgres_us=postgres_us,
            p99_ms=tally.turns[2].p99_ms,
            handed_over=tally.turns[0].requests,
        ),
    )


def _at_once(
    gateways: "Sequence[Server]", scenario: Scenario, keys: tuple[str, str], people: int, *, seconds: float
) -> tuple[Round, Round]:
    """Both keys at the same time, each at a gateway of its own; also counted is what they do in the moment after it."""
    from benchmarks import measure
    from benchmarks.load import Tally

    servers = [replace(gateway, authorization=key) for gateway, key in zip(gateways, keys, strict=True)]
    with ExitStack() as stack:
        loads = [
            stack.enter_context(measure.load(_plan(scenario, server, people, seconds=seconds))) for server in servers
        ]
        time.sleep(DRAINED_S)
        before = [processes.cpu_s(server.pid) for server in servers]
        with ThreadPoolExecutor(len(loads)) as pool:
            said = list(pool.map(lambda load: measure.say(load, "go"), loads))
        time.sleep(DRAINED_S)
        after = [processes.cpu_s(server.pid) for server in servers]
    tallies = [msgspec.json.decode(line, type=Tally) for line in said]
    plain, stored = (
        Round(
            cpu_us=(end - begin) * 1e6 / tally.events,
            postgres_us=None,
            p99_ms=tally.p99_ms,
            handed_over=tally.requests,
        )
        for tally, begin, end in zip(tallies, before, after, strict=True)
    )
    return replace(plain, handed_over=0), stored


def _plan(scenario: Scenario, server: "Server", people: int, *, seconds: float) -> "Plan":
    """What the load generator of one server is to do, in the name of its people."""
    from benchmarks import measure

    fields = msgspec.json.decode(scenario.body(), type=dict[str, object])
    body, *further = [json.dumps({**fields, "user": _person(number)}) for number in range(people)]
    expected = measure.passed_on(server, scenario, body=body)
    plan = measure.plan(scenario, server, expected=expected, seconds=seconds)
    return msgspec.structs.replace(plan, body=body, further=tuple(further))


def _check(handed_over: int) -> int:
    """How much was stored: everything, or the figures would say nothing. What warms up is stored besides."""
    from benchmarks.measure import BenchmarkFailed
    from compliance.models import ContentDecision, Transcript

    time.sleep(DRAINED_S)  # a request may have begun in the very last moment
    left_out = ContentDecision.objects.filter(stored=False)
    if left_out.exists():
        raise BenchmarkFailed(f"{left_out.count()} conversations were left out: {left_out[0].reason}")
    stored = Transcript.objects.count()
    if stored < handed_over:
        raise BenchmarkFailed(f"of {handed_over:,} conversations {stored:,} were stored")
    return stored


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.storing", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", choices=[scenario.name for scenario in SCENARIOS], help="one scenario")
    parser.add_argument(
        "--seconds", type=float, default=2, help="how long a round of both at once takes (default: %(default)s)"
    )
    parser.add_argument("--people", type=int, default=PEOPLE, help="how many take turns (default: %(default)s)")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    return parser.parse_args()


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
