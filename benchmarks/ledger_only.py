"""An installation without servers: PostgreSQL with its databases, and processes that work on the ledger alone.

Import it only in the environment that `scratch` makes.
"""

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import django
import msgspec
import psycopg
from django.conf import settings
from django.core.management import call_command

from benchmarks import processes
from benchmarks.admitting import Interval, Plan
from benchmarks.installation import disconnect
from config import embedded

MAIN, LEDGER, _ = embedded.DATABASES
_tenants = itertools.count(1)


class Stopped(Exception):
    """The load ended by itself; the message says why."""


@dataclass(frozen=True, slots=True)
class LedgerOnly:
    """PostgreSQL with both databases."""

    socket_dir: str
    postgres_pid: int

    def connect(self, name: str) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(host=self.socket_dir, user="postgres", dbname=name, autocommit=True)

    def connect_ledger(self) -> "psycopg.Connection[tuple[object, ...]]":
        return self.connect(LEDGER)

    def forget(self) -> None:
        """Begins anew, as if nothing had been admitted yet."""
        with self.connect_ledger() as connection:
            connection.execute("TRUNCATE meter, hold, usage_outbox")

    def postgres_cpu_s(self) -> float:
        return processes.cpu_s(self.postgres_pid)

    @contextmanager
    def load(self, *, at_once: int, settled: bool, interval_s: float) -> Iterator["Callable[[], Interval]"]:
        """A process that admits all the time; what it yields waits for its next interval."""
        params = {"host": self.socket_dir, "user": "postgres", "dbname": LEDGER}
        plan = Plan(params=params, tenant_id=next(_tenants), at_once=at_once, settled=settled, interval_s=interval_s)
        command = [sys.executable, "-m", "benchmarks.admitting"]
        process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(msgspec.json.encode(plan).decode() + "\n")
            process.stdin.flush()
            lines = process.stdout
            lines.readline()  # it is ready
            yield lambda: _interval(lines.readline())
        finally:
            process.kill()
            process.communicate()


@contextmanager
def running() -> Iterator[LedgerOnly]:
    """Starts PostgreSQL with empty databases, and stops it whatever happens."""
    django.setup()
    data_dir = Path(settings.DATABASES["default"]["EMBEDDED"])
    try:
        socket_dir = embedded.ensure_running(data_dir)
        call_command("migrate", verbosity=0, interactive=False)
        yield LedgerOnly(socket_dir, int((data_dir / "postmaster.pid").read_text().split()[0]))
    finally:
        disconnect()
        embedded.stop_now()


def _interval(line: str) -> Interval:
    if not line:
        raise Stopped("the load on the ledger ended; what it said is above")
    return msgspec.json.decode(line, type=Interval)
