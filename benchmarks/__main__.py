"""`make bench`: measures the gateway beside a raw forwarder and says whether the limits are kept; then all the rest."""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks import scenarios
from benchmarks.scratch import scratch

QUICK, STRICT = "quick", "strict"
FURTHER = {
    "admission": (QUICK, STRICT),
    "scaling": (QUICK, STRICT),
    "crowd": (QUICK, STRICT),
    "refusals": (QUICK, STRICT),
    "reports": (QUICK,),
    "purging": (QUICK,),
    "bundles": (QUICK,),
    "storing": (QUICK, STRICT),
    "auditing": (QUICK, STRICT),
    "pinned": (QUICK, STRICT),
    "soak": (QUICK, STRICT),
}
"""Modules with a command line of their own, and which of this one's options they take."""


def main() -> None:
    arguments = _arguments()
    try:
        with scratch() as var_dir:
            from benchmarks import run  # now: settings are read at import

            status = run.main(arguments, var_dir)
        if not arguments.only:
            status = max(status, *(_run(name, arguments) for name in FURTHER))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    sys.exit(status)


def _run(name: str, arguments: argparse.Namespace) -> int:
    """Runs another benchmark in a process of its own; returns its exit status."""
    print(f"\n── {name}", flush=True)
    options = [f"--{option}" for option in FURTHER[name] if getattr(arguments, option)]
    return subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options]).returncode


def _arguments() -> argparse.Namespace:
    names = [scenario.name for scenario in scenarios.ALL]
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measures the gateway beside a raw forwarder.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and only the scenarios that have a limit")
    parser.add_argument("--seconds", type=float, default=3, help="how long a round takes (default: %(default)s)")
    parser.add_argument("--only", choices=names, help="one scenario alone, and nothing else")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round there")
    return parser.parse_args()


if __name__ == "__main__":
    main()
