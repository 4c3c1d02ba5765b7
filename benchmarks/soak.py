"""`python -m benchmarks.soak`: as many requests as an hour of moderate load in ten minutes; what grows meanwhile?

Whole answers, streams, and streams that their clients leave, through two gateways, with the worker that empties the
outbox. Memory is looked at from the first tenth of the run on, when everything has been loaded and used once.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE, Popen
from typing import TYPE_CHECKING

import msgspec
import psycopg

from benchmarks import machine, mixed, processes
from benchmarks.scratch import scratch
from benchmarks.verdicts import RUN_FAILED, Limit, conclude, table

if TYPE_CHECKING:
    from benchmarks.installation import Installation

HOURLY_PER_SECOND = 10
SPEED = 6
"""An hour in ten minutes."""

MINUTES, QUICK_MINUTES = 10.0, 1.0
SAMPLES = 20
MOST_GROWTH_MB = 20.0
SETTLED_WITHIN_S = 60
TABLES = ("meter", "hold", "usage_outbox")


@dataclass(frozen=True, slots=True)
class Sample:
    """At a moment: resident memory of each gateway in MB, and of each ledger table its size in kB and its dead rows."""

    at_s: float
    memory_mb: tuple[float, ...]
    tables: tuple[tuple[int, int], ...]


def main() -> None:
    arguments = _arguments()
    minutes = arguments.minutes or (QUICK_MINUTES if arguments.quick else MINUTES)
    try:
        with scratch() as var_dir:
            samples, sent, faults = _measured(var_dir, seconds=minutes * 60)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    print("\n" + "\n".join(f"{name:<12}{value}" for name, value in machine.describe().items()) + "\n")
    print(", ".join(f"{count:,} {kind}" for kind, count in sent.kinds.items()) + f" in {minutes:g} minutes")
    print(table(_heads(samples[0]), map(_cells, samples)))
    faults = [*faults, *(f"{count} × {what}" for what, count in sent.failures.items())]
    print(
        "\n".join(("", *faults)) if faults else "\nEvery request is on record, nothing is held, and the meters agree."
    )
    if faults:
        sys.exit(RUN_FAILED)
    conclude(_limits(samples), strict=arguments.strict)


def _limits(samples: list[Sample]) -> list[Limit]:
    """What each gateway grew since the first tenth of the run: from the mean of the next fifth to that of the last."""
    warm = samples[len(samples) // 10 :]
    few = max(len(warm) // 5, 1)
    limits = []
    for number in range(len(warm[0].memory_mb)):
        sizes = [sample.memory_mb[number] for sample in warm]
        growth = sum(sizes[-few:]) / few - sum(sizes[:few]) / few
        what = f"memory that gateway {number + 1} gained"
        limits.append(Limit(what=what, value=growth, unit="MB", most=MOST_GROWTH_MB))
    return limits


def _heads(sample: Sample) -> tuple[str, ...]:
    gateways = (f"gateway {number} MB" for number in range(1, len(sample.memory_mb) + 1))
    return "minute", *gateways, *(head for name in TABLES for head in (f"{name} kB", "dead rows"))


def _cells(sample: Sample) -> tuple[str, ...]:
    numbers = (f"{number:,}" for pair in sample.tables for number in pair)
    return f"{sample.at_s / 60:.1f}", *(f"{mb:.1f}" for mb in sample.memory_mb), *numbers


def _measured(var_dir: Path, *, seconds: float) -> tuple[list[Sample], mixed.Sent, list[str]]:
    from benchmarks import installation  # now: settings are read at import

    with installation.running(var_dir, step=_step, gateways=2, with_worker=True) as all_of_it:
        _step(f"{HOURLY_PER_SECOND * SPEED} requests a second for {seconds:.0f} s")
        plan = mixed.Plan(
            ports=tuple(gateway.port for gateway in all_of_it.gateways),
            authorization=all_of_it.gateway.authorization,
            per_second=HOURLY_PER_SECOND * SPEED,
            seconds=seconds,
        )
        with Popen([sys.executable, "-m", "benchmarks.mixed"], text=True, stdin=PIPE, stdout=PIPE) as load:
            assert load.stdin is not None
            assert load.stdout is not None
            load.stdin.write(msgspec.json.encode(plan).decode() + "\n")
            load.stdin.flush()
            samples = _samples(all_of_it, seconds=seconds)
            sent = msgspec.json.decode(load.stdout.readline(), type=mixed.Sent)
        return samples, sent, _faults(sum(sent.kinds.values()))


def _samples(all_of_it: "Installation", *, seconds: float) -> list[Sample]:
    began = time.monotonic()
    samples = []
    with psycopg.connect(host=all_of_it.socket_dir, user="postgres", dbname=_ledger(), autocommit=True) as ledger:
        for number in range(1, SAMPLES + 1):
            time.sleep(max(began + number * seconds / SAMPLES - time.monotonic(), 0))
            memory = (processes.largest_rss_bytes(gateway.pid) / 10**6 for gateway in all_of_it.gateways)
            tables = (_state(ledger, name) for name in TABLES)
            samples.append(Sample(time.monotonic() - began, tuple(memory), tuple(tables)))
    return samples


def _ledger() -> str:
    from config import embedded

    return embedded.DATABASES[1]


def _state(ledger: "psycopg.Connection[tuple[int, int]]", name: str) -> tuple[int, int]:
    statement = """
        SELECT (pg_total_relation_size(relid) / 1024)::bigint, n_dead_tup FROM pg_stat_user_tables WHERE relname = %s
    """
    row = ledger.execute(statement, [name]).fetchone()
    assert row is not None
    return row


def _faults(sent: int) -> list[str]:
    """What does not agree once everything is settled and the outbox is empty."""
    from django.db.models import Sum

    from billing.ledger.models import Hold
    from billing.models import UsageRecord
    from billing.verification import differences

    def recorded() -> int:
        return UsageRecord.objects.aggregate(n=Sum("requests"))["n"] or 0

    _step("Waiting until everything is settled and recorded")
    _wait_until(lambda: recorded() >= sent and not Hold.objects.exists())
    faults = [str(difference) for difference in differences()]
    if (count := recorded()) != sent:
        faults.append(f"{sent} requests were sent, and {count} are on record")
    if count := Hold.objects.count():
        faults.append(f"{count} requests are still held")
    return faults


def _wait_until(settled: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SETTLED_WITHIN_S
    while not settled() and time.monotonic() < deadline:
        time.sleep(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, help="how long it takes (default: 10)")
    parser.add_argument("--quick", action="store_true", help="one minute")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    return parser.parse_args()


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
