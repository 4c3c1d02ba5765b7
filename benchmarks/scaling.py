"""`python -m benchmarks.scaling`: whole requests through one gateway, and through two beside each other.

Load, upstream and PostgreSQL share the machine with them. What all of them together take per request says how much more
the machine could do at all. Where that is less than what two gateways shall give, each gateway is held to a share of a
processor, so that there is room for two: then what keeps the second from giving as much as the first is not the
machine, but what both wait for.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import msgspec
import psutil

from benchmarks import machine, quota
from benchmarks.load import Tally
from benchmarks.scenarios import WHOLE, Scenario
from benchmarks.scratch import scratch
from benchmarks.verdicts import Limit, conclude, table

LEAST_RATIO = 1.6
AT_ONCE = 64
ROOM = 0.8
"""Of what the machine can do, so much is asked of it where gateways are held to a share."""

ROUNDS, QUICK_ROUNDS = 5, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """`busy`: how many of the machine's cores were in use, by whomever."""

    rate: float
    p50_ms: float
    busy: float


def main() -> None:
    arguments = _arguments()
    try:
        with scratch() as var_dir:
            rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
            share, one, two = _measured(var_dir, rounds=rounds, seconds=arguments.seconds)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    print("\n" + "\n".join(f"{name:<12}{value}" for name, value in machine.describe().items()) + "\n")
    rows = [
        (name, f"{of.rate:,.0f}", f"{of.p50_ms:.1f}", f"{of.busy:.2f}") for name, of in (("one", one), ("two", two))
    ]
    print(table(("gateways", "per second", "p50 ms", "cores busy"), rows))
    ratio = two.rate / one.rate
    if share < 1:
        print(f"\nTwo at full speed are more than these cores allow: each was held to {share:.0%} of one.")
    print(f"\nTwo give {ratio:.2f} times one.")
    if (possible := _cores() / one.busy) < LEAST_RATIO:
        print(f"The cores allow {possible:.2f} times at most: nothing to judge here.")
        sys.exit(0)
    limit = Limit(what="two gateways by one", value=ratio, unit="×", least=LEAST_RATIO, depends_on_machine=True)
    conclude([limit], strict=arguments.strict)


def _measured(var_dir: Path, *, rounds: int, seconds: float) -> tuple[float, Round, Round]:
    """The share of a core that each gateway was held to, and what one gave and two did."""
    from benchmarks import installation, measure  # now: settings are read at import

    with installation.running(var_dir, step=_step, gateways=2) as all_of_it:
        size = measure.expected(all_of_it, WHOLE)
        share = 1.0
        found: dict[int, list[Round]] = {1: [], 2: []}

        def one_round(count: int) -> Round:
            servers = all_of_it.gateways[:count]
            plans = [measure.plan(_share(count), one, expected=size, seconds=seconds) for one in servers]
            return _round([measure.load(plan) for plan in plans])

        with ExitStack() as holding:
            _step("How much of the machine one gateway uses")
            possible = _cores() / one_round(1).busy
            if possible < LEAST_RATIO:
                share = ROOM * possible / 2
                try:
                    for server in all_of_it.gateways:
                        holding.enter_context(quota.held(server.pid, share=share))
                except quota.CannotHold as error:
                    _step(f"The gateways cannot be held to a share of a processor: {error}")
                    share = 1.0
            for number in range(rounds):
                for count, rows in found.items():
                    _step(f"{count} gateway(s): round {number + 1} of {rounds}")
                    rows.append(one_round(count))
    return share, _typical(found[1]), _typical(found[2])


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _share(count: int) -> Scenario:
    """What each of so many gateways gets: all together the same."""
    return replace(WHOLE, connections=AT_ONCE // count)


def _round(loads: "list[AbstractContextManager[subprocess.Popen[str]]]") -> Round:
    """Lets all loads run at once."""
    from benchmarks import measure

    with ExitStack() as stack, ThreadPoolExecutor(len(loads)) as pool:
        generators = [stack.enter_context(load) for load in loads]
        psutil.cpu_percent()
        answers = list(pool.map(lambda generator: measure.say(generator, "go"), generators))
        busy = psutil.cpu_percent() / 100 * psutil.cpu_count()
    tallies = [msgspec.json.decode(answer, type=Tally) for answer in answers]
    return Round(
        rate=sum(tally.requests / tally.seconds for tally in tallies),
        p50_ms=max(tally.p50_ms for tally in tallies),
        busy=busy,
    )


def _typical(rounds: list[Round]) -> Round:
    return Round(**{name: median(getattr(one, name) for one in rounds) for name in Round.__slots__})


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.scaling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two rounds")
    parser.add_argument("--seconds", type=float, default=3, help="how long a round takes (default: %(default)s)")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    return parser.parse_args()


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
