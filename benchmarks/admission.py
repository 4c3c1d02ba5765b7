"""`python -m benchmarks.admission`: what the ledger admits in a second, and what that costs its client.

No HTTP: a process admits through the gateway's client, each request in six meters, as many at once as there shall be.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from statistics import median

from benchmarks import machine
from benchmarks.scratch import scratch
from benchmarks.verdicts import Limit, conclude, table

AT_ONCE = (8, 32, 128)
JUDGED_AT = 32
LEAST_RATE, MOST_CPU_US = 10_000, 25
ROUNDS, QUICK_ROUNDS = 5, 2


@dataclass(frozen=True, slots=True)
class Figures:
    """Per second, and processor time of client and PostgreSQL per request, in µs."""

    rate: float
    client_us: float
    postgres_us: float


def main() -> None:
    arguments = _arguments()
    try:
        with scratch():
            measured = _measured(rounds=QUICK_ROUNDS if arguments.quick else ROUNDS, seconds=arguments.seconds)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    print("\n" + "\n".join(f"{name:<12}{value}" for name, value in machine.describe().items()) + "\n")
    rows = [
        (_title(settled), at_once, f"{of.rate:,.0f}", f"{of.client_us:.1f}", f"{of.postgres_us:.1f}")
        for (settled, at_once), of in measured.items()
    ]
    print(table(("six meters each", "at once", "per second", "client CPU µs", "PostgreSQL CPU µs"), rows))
    judged = measured[False, JUDGED_AT]
    conclude((_rate(judged.rate), _cpu(judged.client_us)), strict=arguments.strict)


def _rate(value: float) -> Limit:
    what = f"admissions per second, {JUDGED_AT} at once"
    return Limit(what=what, value=value, unit="", least=LEAST_RATE, depends_on_machine=True)


def _cpu(value: float) -> Limit:
    what = f"client CPU per admission, {JUDGED_AT} at once"
    return Limit(what=what, value=value, unit="µs", most=MOST_CPU_US, depends_on_machine=True)


def _title(settled: bool) -> str:
    return "admit and settle" if settled else "admit"


def _measured(*, rounds: int, seconds: float) -> dict[tuple[bool, int], Figures]:
    from benchmarks import ledger_only  # now: settings are read at import

    cases = [(settled, at_once) for settled in (False, True) for at_once in AT_ONCE]
    found: dict[tuple[bool, int], list[Figures]] = {case: [] for case in cases}
    with ledger_only.running() as ledger:
        for number in range(rounds):
            for settled, at_once in cases:
                _step(
                    f"{at_once} at once, {'admit and settle' if settled else 'admit'}: round {number + 1} of {rounds}"
                )
                ledger.forget()
                with ledger.load(at_once=at_once, settled=settled, interval_s=seconds) as next_interval:
                    before = ledger.postgres_cpu_s()
                    interval = next_interval()
                    postgres_s = ledger.postgres_cpu_s() - before
                figures = Figures(interval.rate, interval.cpu_us, postgres_s * 1e6 / interval.requests)
                found[settled, at_once].append(figures)
    return {case: _typical(figures) for case, figures in found.items()}


def _typical(rounds: list[Figures]) -> Figures:
    names = Figures.__slots__
    return Figures(**{name: median(getattr(one, name) for one in rounds) for name in names})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.admission", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--seconds", type=float, default=3, help="how long a round takes (default: %(default)s)")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    return parser.parse_args()


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
