"""`python -m benchmarks.crowd`: a thousand streams at once through one gateway, and through the forwarder."""

import argparse
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks import machine, processes
from benchmarks.load import Tally
from benchmarks.scenarios import PACED, streams
from benchmarks.scratch import scratch
from benchmarks.verdicts import RUN_FAILED, Limit, conclude, table

STREAMS = 1_000
PACE_MS = 250
CROWD = streams(
    "crowd", f"{STREAMS} streams, a chunk each {PACE_MS} ms", model=PACED, connections=STREAMS, chunk_ms=PACE_MS
)
SAMPLES_S = 0.25
MOST_CHUNK_US, MOST_MB = 60.0, 400.0

Row = tuple[str, Tally, float, float]


def main() -> None:
    arguments = _arguments()
    try:
        with scratch() as var_dir:
            forwarder, gateway = _measured(var_dir, seconds=10 if arguments.quick else 40)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    print("\n" + "\n".join(f"{name:<12}{value}" for name, value in machine.describe().items()) + "\n")
    print(f"{CROWD.title}; every stream arrived whole")
    print(table(_HEADS, (_cells(row) for row in (forwarder, gateway))))
    _, _, cpu_us, most_mb = gateway
    conclude((_cpu(cpu_us), _memory(most_mb)), strict=arguments.strict)


def _cpu(value: float) -> Limit:
    what = f"CPU per chunk, {STREAMS} streams"
    return Limit(what=what, value=value, unit="µs", most=MOST_CHUNK_US, depends_on_machine=True)


def _memory(value: float) -> Limit:
    return Limit(what=f"memory with {STREAMS} streams", value=value, unit="MB", most=MOST_MB)


_HEADS = ("", "streams", "chunks/s", "first p50 ms", "first p99 ms", "p99 ms", "CPU µs per chunk", "most memory MB")


def _cells(row: Row) -> tuple[str, ...]:
    name, tally, cpu_us, most_mb = row
    times = (f"{ms:.1f}" for ms in (tally.first_p50_ms, tally.first_p99_ms, tally.p99_ms))
    return (
        name,
        f"{tally.requests:,}",
        f"{tally.events / tally.seconds:,.0f}",
        *times,
        f"{cpu_us:.0f}",
        f"{most_mb:.0f}",
    )


def _measured(var_dir: Path, *, seconds: float) -> list[Row]:
    from benchmarks import installation, measure  # now: settings are read at import

    rows = []
    with installation.running(var_dir, step=_step) as all_of_it:
        size = measure.expected(all_of_it, CROWD)
        for server in (all_of_it.forwarder, all_of_it.gateway):
            _step(f"{CROWD.title}, at the {server.name}")
            with measure.load(measure.plan(CROWD, server, expected=size, seconds=seconds)) as generator:
                before_s = processes.cpu_s(server.pid)
                with _largest(server.pid) as sizes:
                    try:
                        tally = msgspec.json.decode(measure.say(generator, "go"), type=Tally)
                    except measure.BenchmarkFailed as error:
                        print(f"The {server.name} failed: {error}", file=sys.stderr)
                        sys.exit(RUN_FAILED)
                cpu_us = (processes.cpu_s(server.pid) - before_s) * 1e6 / tally.events
            rows.append((server.name, tally, cpu_us, max(sizes) / measure.MEGABYTE))
    return rows


@contextmanager
def _largest(pid: int) -> Iterator[list[int]]:
    """Resident sizes of the server's process, taken now and then while inside."""
    sizes = [processes.largest_rss_bytes(pid)]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLES_S):
            sizes.append(processes.largest_rss_bytes(pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield sizes
    finally:
        ended.set()
        thread.join()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.crowd", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="ten seconds instead of forty")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    return parser.parse_args()


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
