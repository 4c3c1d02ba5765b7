"""`python -m benchmarks.pinned`: what the ledger admits while a snapshot is held open for minutes, as a dump does.

In the main database it must hardly matter: that is why the ledger is a database of its own. In the ledger's own, for a
shorter time, it shows what it would cost otherwise.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import mean
from typing import TYPE_CHECKING

from benchmarks import machine
from benchmarks.admitting import Interval
from benchmarks.scratch import scratch
from benchmarks.verdicts import Limit, conclude, table

if TYPE_CHECKING:
    from benchmarks.ledger_only import LedgerOnly

AT_ONCE = 32
INTERVAL_S = 2.0
LEAST_PERCENT = 70
SNAPSHOT = """
SET statement_timeout = 0; SET transaction_timeout = 0; SET idle_in_transaction_session_timeout = 0;
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT count(*) FROM pg_class;
"""


@dataclass(frozen=True, slots=True)
class Phase:
    """Rates of the intervals of a phase, in their order, and how many dead rows the meters had at its end."""

    name: str
    rates: list[float]
    dead_rows: int

    @property
    def end(self) -> float:
        """The rate in its last fifth: what is pinned adds up."""
        return mean(self.rates[-max(len(self.rates) // 5, 1) :])


def main() -> None:
    arguments = _arguments()
    minutes = arguments.minutes or (1 / 3 if arguments.quick else 10)
    try:
        with scratch():
            phases = _measured(held_s=minutes * 60)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    quiet = phases[0]
    print("\n" + "\n".join(f"{name:<12}{value}" for name, value in machine.describe().items()) + "\n")
    print(f"admissions and settlements, {AT_ONCE} at once")
    print(table(_HEADS, (_cells(phase, quiet) for phase in phases)))
    percent = 100 * phases[1].end / mean((quiet.end, phases[2].end))
    conclude(
        [Limit(what="of the quiet rate, beside a dump", value=percent, unit="%", least=LEAST_PERCENT)],
        strict=arguments.strict,
    )


_HEADS = ("", "minutes", "per second", "in the last fifth", "lowest", "of quiet", "dead meter rows")


def _cells(phase: Phase, quiet: Phase) -> tuple[str, ...]:
    rates = (f"{rate:,.0f}" for rate in (mean(phase.rates), phase.end, min(phase.rates)))
    minutes = len(phase.rates) * INTERVAL_S / 60
    return phase.name, f"{minutes:.1f}", *rates, f"{phase.end / quiet.end:.0%}", f"{phase.dead_rows:,}"


def _measured(*, held_s: float) -> list[Phase]:
    from benchmarks.ledger_only import LEDGER, MAIN, running  # now: settings are read at import

    quiet_s = min(held_s, 60.0)
    with running() as ledger, ledger.load(at_once=AT_ONCE, settled=True, interval_s=INTERVAL_S) as next_interval:
        return [
            _phase("quiet", ledger, next_interval, seconds=quiet_s),
            _beside("snapshot in the main database", MAIN, ledger, next_interval, seconds=held_s),
            _phase("quiet again", ledger, next_interval, seconds=quiet_s),
            _beside("snapshot in the ledger's own", LEDGER, ledger, next_interval, seconds=min(held_s, 30.0)),
        ]


def _beside(
    name: str, database: str, ledger: "LedgerOnly", next_interval: Callable[[], Interval], *, seconds: float
) -> Phase:
    with _snapshot(ledger, database):
        return _phase(name, ledger, next_interval, seconds=seconds)


@contextmanager
def _snapshot(ledger: "LedgerOnly", database: str) -> Iterator[None]:
    with ledger.connect(database) as connection:
        connection.execute(SNAPSHOT)
        yield
        connection.execute("ROLLBACK")


def _phase(name: str, ledger: "LedgerOnly", next_interval: Callable[[], Interval], *, seconds: float) -> Phase:
    print(f"{time.strftime('%H:%M:%S')}  {name}, for {seconds:.0f} s", flush=True)
    rates = []
    with ledger.connect_ledger() as connection:
        for _ in range(max(int(seconds / INTERVAL_S), 1)):
            rates.append(next_interval().rate)
            # In place of the mover, and without its reading: the outbox is not what is measured.
            connection.execute("TRUNCATE usage_outbox")
        row = connection.execute("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'meter'").fetchone()
    return Phase(name, rates, int(str(row[0])) if row else 0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.pinned", description=__doc__)
    parser.add_argument("--minutes", type=float, help="how long the snapshot is held (default: 10)")
    parser.add_argument("--quick", action="store_true", help="hold it for 20 seconds")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    return parser.parse_args()


if __name__ == "__main__":
    main()
