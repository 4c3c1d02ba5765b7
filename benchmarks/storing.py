"""`python -m benchmarks.storing`: what storing conversations costs, against the same requests without.

Two tenants, the conversations of one are stored, those of the other are not. Their end users are named in both, so that
the ratio is of storing alone.

For processor time each has a gateway of its own, and both are under load at the same time: whatever the machine is busy
with meets both. They change gateways from round to round, and two such rounds make one ratio, so that neither of the
gateways has an advantage. Latency is judged with one after the other at one gateway, at a steady pace that leaves the
processors room, as the writer works after the answers went out; with all processors busy it is told only. The log of
the database is that of one in use: where its files have to be made first, every commit waits for that now and then,
which alone makes a p99.
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

PEOPLE = 32
ROUNDS, QUICK_ROUNDS = 48, 8
"""Even numbers. A ratio of two rounds is off by 5 % and more; that of 48 by 1."""
STEADY_TIMES = 3
"""How much longer rounds at the steady pace are: each has to tell a p99."""

DRAINED_S = 2.5
"""After a round, what it left is stored within that time, and counted to it."""

MOST_CPU, MOST_P99 = 1.05, 1.05
STEADY = replace(WHOLE, name="steady", title="whole answers, 320 a second", connections=32, every_s=0.1, spread_s=0.1)
SIDE = replace(WHOLE, name="whole", title="whole answers, 16 at each gateway", connections=16)
SIDE_STREAMS = replace(AT_ONCE, name="streams", title="100 streams at each, chunks at once", connections=100)
SCENARIOS = (SIDE, STEADY, SIDE_STREAMS)


@dataclass(frozen=True, slots=True)
class Round:
    """Processor time per request or chunk, in µs, and latency. `postgres_us` is None where it served others too."""

    cpu_us: float
    postgres_us: float | None
    p99_ms: float


Pairs = Sequence[tuple[Round, Round]]
"""Rounds without and with storing, at the same time or one after the other; each second time the other way round."""


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
    cpu = Limit(what=f"CPU with storing / without, {scenario.name}", value=median(_cpu(pairs)), most=MOST_CPU, unit="×")
    p99 = Limit(what=f"p99 with storing / without, {scenario.name}", value=median(_p99(pairs)), most=MOST_P99, unit="×")
    return [cpu, replace(p99, depends_on_machine=True)] if scenario is STEADY else [cpu]


def _cpu(pairs: Pairs) -> list[float]:
    return _evened([stored.cpu_us / plain.cpu_us for plain, stored in pairs])


def _p99(pairs: Pairs) -> list[float]:
    return _evened([stored.p99_ms / plain.p99_ms for plain, stored in pairs])


def _evened(ratios: Sequence[float]) -> list[float]:
    """Of each two rounds, of which one was the other way round, one ratio."""
    return [sqrt(one * other) for one, other in zip(ratios[::2], ratios[1::2], strict=True)]


def _told(ratios: Sequence[float]) -> str:
    """Their median, and its standard error if they were spread normally."""
    return f"{median(ratios):.3f} ±{1.25 * stdev(ratios) / sqrt(len(ratios)):.3f}"


def _row(scenario: Scenario, pairs: Pairs) -> tuple[object, ...]:
    plain, stored = zip(*pairs, strict=True)
    return (
        scenario.title,
        scenario.unit,
        *(f"{median(one.cpu_us for one in rounds):.1f}" for rounds in (plain, stored)),
        _told(_cpu(pairs)),
        *(f"{median(one.p99_ms for one in rounds):.1f}" for rounds in (plain, stored)),
        _told(_p99(pairs)),
        *(_median([one.postgres_us for one in rounds if one.postgres_us is not None]) for rounds in (plain, stored)),
    )


def _median(values: Sequence[float]) -> str:
    return f"{median(values):.1f}" if values else "-"


def _measured(var_dir: Path, arguments: argparse.Namespace) -> tuple[list[tuple[Scenario, Pairs]], int]:
    from benchmarks import installation  # now: settings are read at import

    rounds, seconds = QUICK_ROUNDS if arguments.quick else ROUNDS, arguments.seconds
    found: list[tuple[Scenario, Pairs]] = []
    with installation.running(var_dir, step=_step, gateways=2) as all_of_it:
        keys = _seeded()
        for scenario in [one for one in SCENARIOS if arguments.only in (None, one.name)]:
            installation.age_log(all_of_it.socket_dir)
            pairs = []
            for number in range(rounds):
                _step(f"{scenario.title}: round {number + 1} of {rounds}")
                take, times = (_in_turns, STEADY_TIMES) if scenario is STEADY else (_at_once, 1)
                pairs.append(take(all_of_it, scenario, keys, swapped=bool(number % 2), seconds=times * seconds))
            found.append((scenario, pairs))
        return found, _check()


def _seeded() -> tuple[str, str]:
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
        for number in range(PEOPLE):
            compliance.a_consent(compliance.a_subject(tenant, _person(number)))
        keys.append(factories.a_key(tenant=tenant)[1])
    make_transcript_partitions()
    installation.disconnect()
    return keys[0], keys[1]


def _person(number: int) -> str:
    return f"person-{number}@example.com"


def _in_turns(
    all_of_it: "Installation", scenario: Scenario, keys: tuple[str, str], *, swapped: bool, seconds: float
) -> tuple[Round, Round]:
    """One key after the other at the first gateway."""
    gateway = all_of_it.gateway
    order = keys[::-1] if swapped else keys
    first, second = (_rounds(all_of_it, scenario, [replace(gateway, authorization=key)], seconds)[0] for key in order)
    return (second, first) if swapped else (first, second)


def _at_once(
    all_of_it: "Installation", scenario: Scenario, keys: tuple[str, str], *, swapped: bool, seconds: float
) -> tuple[Round, Round]:
    """Both keys at the same time, each at a gateway of its own."""
    gateways = all_of_it.gateways[::-1] if swapped else all_of_it.gateways
    servers = [replace(gateway, authorization=key) for gateway, key in zip(gateways, keys, strict=True)]
    plain, stored = _rounds(all_of_it, scenario, servers, seconds)
    return plain, stored


def _rounds(all_of_it: "Installation", scenario: Scenario, servers: Sequence["Server"], seconds: float) -> list[Round]:
    """Puts servers under load at the same time, once; also counted is what they do in the moment after it."""
    from benchmarks import measure
    from benchmarks.load import Tally

    with ExitStack() as stack:
        loads = [stack.enter_context(measure.load(_plan(scenario, server, seconds))) for server in servers]
        time.sleep(DRAINED_S)
        before = [_cpu_s(all_of_it, server) for server in servers]
        with ThreadPoolExecutor(len(loads)) as pool:
            said = list(pool.map(lambda load: measure.say(load, "go"), loads))
        time.sleep(DRAINED_S)
        after = [_cpu_s(all_of_it, server) for server in servers]
    tallies = [msgspec.json.decode(line, type=Tally) for line in said]
    return [
        Round(
            cpu_us=(end[0] - begin[0]) * 1e6 / tally.events,
            postgres_us=(end[1] - begin[1]) * 1e6 / tally.events if len(servers) == 1 else None,
            p99_ms=tally.p99_ms,
        )
        for tally, begin, end in zip(tallies, before, after, strict=True)
    ]


def _plan(scenario: Scenario, server: "Server", seconds: float) -> "Plan":
    """What the load generator of one server is to do, in the name of its people."""
    from benchmarks import measure

    fields = msgspec.json.decode(scenario.body(), type=dict[str, object])
    body, *further = [json.dumps({**fields, "user": _person(number)}) for number in range(PEOPLE)]
    expected = measure.passed_on(server, scenario, body=body)
    plan = measure.plan(scenario, server, expected=expected, seconds=seconds)
    return msgspec.structs.replace(plan, body=body, further=tuple(further))


def _cpu_s(all_of_it: "Installation", gateway: "Server") -> tuple[float, float]:
    return processes.cpu_s(gateway.pid), processes.cpu_s(all_of_it.postgres_pid)


def _check() -> int:
    """How much was stored: everything, or the figures would say nothing."""
    from benchmarks.measure import BenchmarkFailed
    from compliance.models import ContentDecision, Transcript

    left_out = ContentDecision.objects.filter(stored=False)
    if left_out.exists():
        raise BenchmarkFailed(f"{left_out.count()} conversations were left out: {left_out[0].reason}")
    return Transcript.objects.count()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.storing", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", choices=[scenario.name for scenario in SCENARIOS], help="one scenario")
    parser.add_argument("--seconds", type=float, default=2, help="how long a round takes (default: %(default)s)")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    return parser.parse_args()


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
