"""`python -m benchmarks.storing`: what storing conversations costs, against the same requests without.

Two tenants at one gateway take turns in short rounds: the conversations of one are stored, those of the other are not.
Their end users are named in both, so that the ratio is of storing alone. The same machine, moods and all, meets both.

Latency is judged at a steady pace that leaves the processors room, as the writer works after the answers went out. With
all processors busy whatever is done takes from the requests: there it is told, and the processor time judged.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import msgspec

from benchmarks import machine, processes
from benchmarks.scenarios import AT_ONCE, WHOLE, Scenario
from benchmarks.scratch import scratch
from benchmarks.verdicts import Limit, conclude, table

if TYPE_CHECKING:
    from benchmarks.installation import Installation, Server

PEOPLE = 32
ROUNDS, QUICK_ROUNDS = 15, 7
DRAINED_S = 1.0
"""After a round, what it left is stored within that time, and counted to it."""

MOST_CPU, MOST_P99 = 1.05, 1.05
STEADY = replace(WHOLE, name="steady", title="whole answers, 320 a second", connections=32, every_s=0.1, spread_s=0.1)
SCENARIOS = (WHOLE, STEADY, AT_ONCE)


@dataclass(frozen=True, slots=True)
class Round:
    """Processor time per request or chunk, in µs, and latency."""

    cpu_us: float
    postgres_us: float
    p99_ms: float
    requests: int


Pairs = Sequence[tuple[Round, Round]]
"""Rounds without and with storing that followed one another."""


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
    cpu = Limit(what=f"CPU with storing / without, {scenario.name}", value=_cpu(pairs), most=MOST_CPU, unit="×")
    p99 = Limit(what=f"p99 with storing / without, {scenario.name}", value=_p99(pairs), most=MOST_P99, unit="×")
    return [cpu, replace(p99, depends_on_machine=True)] if scenario is STEADY else [cpu]


def _cpu(pairs: Pairs) -> float:
    return median(stored.cpu_us / plain.cpu_us for plain, stored in pairs)


def _p99(pairs: Pairs) -> float:
    return median(stored.p99_ms / plain.p99_ms for plain, stored in pairs)


def _row(scenario: Scenario, pairs: Pairs) -> tuple[object, ...]:
    plain, stored = zip(*pairs, strict=True)
    return (
        scenario.title,
        scenario.unit,
        *(f"{median(one.cpu_us for one in rounds):.1f}" for rounds in (plain, stored)),
        f"{_cpu(pairs):.3f}",
        *(f"{median(one.p99_ms for one in rounds):.1f}" for rounds in (plain, stored)),
        f"{_p99(pairs):.3f}",
        *(f"{median(one.postgres_us for one in rounds):.1f}" for rounds in (plain, stored)),
    )


def _measured(var_dir: Path, arguments: argparse.Namespace) -> tuple[list[tuple[Scenario, Pairs]], int]:
    from benchmarks import installation  # now: settings are read at import

    rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
    found: list[tuple[Scenario, Pairs]] = []
    with installation.running(var_dir, step=_step) as all_of_it:
        plain, stored = _seeded()
        for scenario in SCENARIOS:
            pairs = []
            for number in range(rounds):
                _step(f"{scenario.title}: round {number + 1} of {rounds}")
                order = (plain, stored) if number % 2 else (stored, plain)
                one = {key: _round(all_of_it, scenario, key, seconds=arguments.seconds) for key in order}
                pairs.append((one[plain], one[stored]))
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


def _round(all_of_it: "Installation", scenario: Scenario, key: str, *, seconds: float) -> Round:
    from benchmarks import measure
    from benchmarks.load import Tally

    gateway = replace(all_of_it.gateway, authorization=key)
    fields = msgspec.json.decode(scenario.body(), type=dict[str, object])
    body, *further = [json.dumps({**fields, "user": _person(number)}) for number in range(PEOPLE)]
    expected = measure.passed_on(gateway, scenario, body=body)
    plan = measure.plan(scenario, gateway, expected=expected, seconds=seconds)
    with measure.load(msgspec.structs.replace(plan, body=body, further=tuple(further))) as generator:
        time.sleep(DRAINED_S)
        before = _cpu_s(all_of_it, gateway)
        tally = msgspec.json.decode(measure.say(generator, "go"), type=Tally)
        time.sleep(DRAINED_S)
        cpu_us, postgres_us = (
            (end - begin) * 1e6 / tally.events for begin, end in zip(before, _cpu_s(all_of_it, gateway), strict=True)
        )
    return Round(cpu_us, postgres_us, tally.p99_ms, tally.requests)


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
    parser.add_argument("--seconds", type=float, default=2, help="how long a round takes (default: %(default)s)")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    return parser.parse_args()


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
