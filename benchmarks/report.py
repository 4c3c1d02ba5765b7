"""The figures for people, and whether the limits are kept."""

from collections.abc import Iterator
from statistics import median

from benchmarks.outcome import Outcome, Result, Round
from benchmarks.scenarios import GUARDED, STREAMS, WHOLE
from benchmarks.verdicts import Limit

MOST_RATIO = 3.0
MOST_GUARDED_RATIO = 3.5
MOST_REQUEST_US = 600.0
MOST_CHUNK_US = 60.0
MOST_REST_MB = 150.0
MOST_STREAMS_MB = 250.0

_COLUMNS = ("per second", "p50 ms", "p99 ms", "first p50", "first p99", "CPU µs", "PostgreSQL µs")


def typical(rounds: list[Round]) -> Round:
    """The median of each figure."""
    names = Round.__slots__
    return Round(**{name: median(getattr(one, name) for one in rounds) for name in names})


def limits(outcome: Outcome) -> list[Limit]:
    """All limits that something was measured for."""
    found = []
    for result in outcome.results:
        cpu_us = typical(result.gateway).cpu_us
        if result.scenario == WHOLE:
            found.append(
                Limit(what="CPU per request, gateway / forwarder", value=result.ratio, most=MOST_RATIO, unit="×")
            )
            found.append(_cpu("CPU per request of the gateway", cpu_us, MOST_REQUEST_US))
        if result.scenario == GUARDED:
            found.append(
                Limit(
                    what="the same with guards, gateway / forwarder",
                    value=result.ratio,
                    most=MOST_GUARDED_RATIO,
                    unit="×",
                )
            )
        if result.scenario == STREAMS:
            found.append(_cpu("CPU per chunk of the gateway", cpu_us, MOST_CHUNK_US))
    memory = outcome.memory
    found.append(Limit(what="memory of the gateway at rest", value=memory.at_rest_mb, most=MOST_REST_MB, unit="MB"))
    found.append(
        Limit(what="memory with 300 open streams", value=memory.with_streams_mb, most=MOST_STREAMS_MB, unit="MB")
    )
    return found


def _cpu(what: str, value: float, most: float) -> Limit:
    return Limit(what=what, value=value, most=most, unit="µs", depends_on_machine=True)


def text(outcome: Outcome, found: list[Limit], *, strict: bool) -> str:
    about = "\n".join(f"{name:<12}{value}" for name, value in outcome.about.items())
    after = f"memory of the gateway after all this: {outcome.after_load_mb:.0f} MB"
    return f"{about}\n\n{_table(outcome.results)}\n\n{after}\n\n{_verdicts(found, strict=strict)}"


def _table(results: list[Result]) -> str:
    lines = [" " * 14 + "".join(f"{name:>15}" for name in _COLUMNS)]
    for result in results:
        lines.append(f"\n{result.scenario.title} (per {result.scenario.unit})")
        lines.extend(_rows(result))
    return "\n".join(lines)


def _rows(result: Result) -> Iterator[str]:
    for name, rounds in (("forwarder", result.forwarder), ("gateway", result.gateway)):
        one = typical(rounds)
        first = (f"{one.first_p50_ms:.1f}", f"{one.first_p99_ms:.1f}") if result.scenario.streamed else ("", "")
        postgres = f"{one.postgres_us:.0f}" if name == "gateway" else ""
        cells = (f"{one.rate:,.0f}", f"{one.p50_ms:.1f}", f"{one.p99_ms:.1f}", *first, f"{one.cpu_us:.0f}", postgres)
        yield f"  {name:<12}" + "".join(f"{cell:>15}" for cell in cells)
    yield f"  {'ratio':<12}" + " " * 75 + f"{result.ratio:>15.2f}"


def _verdicts(found: list[Limit], *, strict: bool) -> str:
    return "\n".join(limit.line(strict=strict) for limit in found)
