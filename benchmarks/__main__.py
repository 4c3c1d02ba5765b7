"""`make bench`: measures the gateway beside a raw forwarder, and says whether the limits are kept."""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import scenarios

_ELSEWHERE = ("DATABASE_URL", "LEDGER_DATABASE_URL", "DEBUG", "TRUSTED_PROXIES", "LOG_LEVEL", "CACHE_URL", "BIND_HOST")
"""Settings that somebody may have in the environment, and that would make another installation of this one."""


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    arguments = _arguments()
    try:
        with _scratch() as var_dir:
            from benchmarks import run  # now: settings are read at import

            sys.exit(run.main(arguments, var_dir))
    except KeyboardInterrupt:
        sys.exit("Interrupted.")


def _arguments() -> argparse.Namespace:
    names = [scenario.name for scenario in scenarios.ALL]
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measures the gateway beside a raw forwarder.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, and only the scenarios that have a limit")
    parser.add_argument("--seconds", type=float, default=3, help="how long a round takes (default: %(default)s)")
    parser.add_argument("--only", choices=names, help="one scenario alone")
    parser.add_argument("--strict", action="store_true", help="fail also on limits that depend on the machine")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every round there")
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


if __name__ == "__main__":
    main()
