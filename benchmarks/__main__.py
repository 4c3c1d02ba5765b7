"""`make bench`: measures the gateway beside a raw forwarder, and says whether the limits are kept."""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks import machine

if TYPE_CHECKING:
    from benchmarks.outcome import Outcome

ROUNDS, QUICK_ROUNDS = 5, 3
_ELSEWHERE = ("DATABASE_URL", "LEDGER_DATABASE_URL", "DEBUG", "TRUSTED_PROXIES", "LOG_LEVEL", "CACHE_URL", "BIND_HOST")
"""Settings that somebody may have in the environment, and that would make another installation of this one."""


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _arguments()
    try:
        with _scratch() as var_dir:
            sys.exit(_run(arguments, var_dir))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measures the gateway beside a raw forwarder.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and only the scenarios with a limit")
    parser.add_argument("--seconds", type=float, default=3, help="how long a round takes (default: %(default)s)")
    parser.add_argument("--only", metavar="NAME", help="one scenario alone, e.g. whole-32 or streams")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's figures there")
    return parser.parse_args()


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for everything, and the environment that makes the project use it."""
    with tempfile.TemporaryDirectory(prefix="portcullis-bench-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # as root, PostgreSQL runs as another user
        var_dir = Path(folder) / "var"
        for name in _ELSEWHERE:
            os.environ.pop(name, None)
        os.environ.update(VAR_DIR=str(var_dir), PLANE="data", DJANGO_SETTINGS_MODULE="config.settings")
        yield var_dir


def _run(arguments: argparse.Namespace, var_dir: Path) -> int:
    from config import supervisor

    os.environ["PORT"] = str(supervisor.free_port())
    from benchmarks.measure import BenchmarkFailed
    from config.supervisor import NotReady, ProgramEnded

    try:
        outcome = _measured(arguments, var_dir)
    except (NotReady, ProgramEnded) as error:
        print(f"{error} The end of its log:\n\n{supervisor.end_of(error.log)}", file=sys.stderr)
        return 2
    except BenchmarkFailed as error:
        print(f"The run failed: {error}", file=sys.stderr)
        return 2
    return _report(arguments, outcome)


def _measured(arguments: argparse.Namespace, var_dir: Path) -> "Outcome":
    from benchmarks import measure, scenarios
    from benchmarks.installation import running
    from benchmarks.outcome import Outcome

    about = machine.describe()
    rounds = QUICK_ROUNDS if arguments.quick else ROUNDS
    wanted = [one for one in scenarios.ALL if arguments.only in (None, one.name) and (one.quick or not arguments.quick)]
    with running(var_dir, step=_step) as installation:
        about["PostgreSQL"] = ", ".join(f"{name} {value}" for name, value in installation.postgres_settings.items())
        memory = measure.memory(installation, step=_step)
        results = [
            measure.scenario(installation, one, rounds=rounds, seconds=arguments.seconds, step=_step) for one in wanted
        ]
        after_load_mib = measure.rss_mib(installation.gateway)
    return Outcome(about=about, results=results, memory=memory, after_load_mib=after_load_mib)


def _report(arguments: argparse.Namespace, outcome: "Outcome") -> int:
    from benchmarks import report

    limits = report.limits(outcome)
    print(f"\n{report.text(outcome, limits, strict=arguments.strict)}")
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(outcome), indent=2))
    return int(any(limit.fails(strict=arguments.strict) for limit in limits))


def _step(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {what}", flush=True)


if __name__ == "__main__":
    main()
