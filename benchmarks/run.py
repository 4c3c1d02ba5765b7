"""One run from beginning to end. Import it only in the environment that `__main__` makes."""

import argparse
import sys
import time
from pathlib import Path

import msgspec

from benchmarks import installation, machine, measure, report, scenarios
from benchmarks.measure import BenchmarkFailed
from benchmarks.outcome import Outcome
from benchmarks.scenarios import Scenario
from benchmarks.verdicts import LIMIT_MISSED, RUN_FAILED
from config import supervisor
from config.supervisor import NotReady, ProgramEnded

ROUNDS, QUICK_ROUNDS = 5, 3


def main(arguments: argparse.Namespace, var_dir: Path) -> int:
    """Measures and prints; returns the status to exit with."""
    try:
        outcome = _measured(arguments, var_dir)
    except (NotReady, ProgramEnded) as error:
        print(f"{error} The end of its log:\n\n{supervisor.end_of(error.log)}", file=sys.stderr)
        return RUN_FAILED
    except BenchmarkFailed as error:
        print(f"The run failed: {error}\n\n{_ends_of_logs(var_dir)}", file=sys.stderr)
        return RUN_FAILED
    limits = report.limits(outcome)
    print(f"\n{report.text(outcome, limits, strict=arguments.strict)}")
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(outcome), indent=2))
    return LIMIT_MISSED if any(limit.fails(strict=arguments.strict) for limit in limits) else 0


def _measured(arguments: argparse.Namespace, var_dir: Path) -> Outcome:
    about = machine.describe()
    rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
    with installation.running(var_dir, step=_step) as all_of_it:
        about["PostgreSQL"] = ", ".join(f"{name} {value}" for name, value in all_of_it.postgres_settings.items())
        memory = measure.memory(all_of_it, step=_step)
        results = [
            measure.scenario(all_of_it, one, rounds=rounds, seconds=arguments.seconds, step=_step)
            for one in _wanted(arguments)
        ]
        after_load_mb = measure.rss_mb(all_of_it.gateway)
    return Outcome(about=about, results=results, memory=memory, after_load_mb=after_load_mb)


def _wanted(arguments: argparse.Namespace) -> list[Scenario]:
    if arguments.only:
        return [one for one in scenarios.ALL if one.name == arguments.only]
    return [one for one in scenarios.ALL if one.quick or not arguments.quick]


def _ends_of_logs(var_dir: Path) -> str:
    logs = (var_dir / "log" / "gateway.log", var_dir / "log" / "forwarder.log", var_dir / "postgres" / "log")
    return "\n\n".join(f"The end of {log.name}:\n{supervisor.end_of(log, lines=8)}" for log in logs)


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)
