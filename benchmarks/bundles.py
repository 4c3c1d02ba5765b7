"""`python -m benchmarks.bundles`: how long it takes to export a log of a million events, and to verify the bundle, and
how much memory that needs.

Everything is in a temporary folder. Where a limit is missed, the line is marked and the exit is 1.
"""

import argparse
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, process_time, sleep
from typing import Any

import psutil

from benchmarks.reports import installation

LIMIT_EXPORT_US, LIMIT_VERIFY_US = 400.0, 200.0
"""Of a processor, for each event: so what else runs on the machine does not count."""
LIMIT_GROWTH_MB = 100.0
"""Of the process that exports, beyond what it had before."""
LIMIT_VERIFIER_MB = 100.0
CHUNK = 50_000

# As audit.record would have: twelve fields, so 192 bytes of salts.
FILL = """
INSERT INTO compliance_auditevent (occurred_at, tenant_id, actor_kind, actor_id, action, target_kind, target_id,
                                   outcome, reason, before, after, request_id, user_agent, version, salts, redacted,
                                   subjects)
SELECT '2026-01-01'::timestamptz + n * interval '1 second', %(tenant)s, 'user', (n %% 40)::text, 'budget.changed',
       'budget', (n %% 5000)::text, 'success', '', jsonb_build_object('limit_nano', n),
       jsonb_build_object('limit_nano', n + 1), '', '', 2, decode(repeat(md5(n::text), 12), 'hex'), '{}', '{}'
FROM generate_series(%(first)s::bigint, %(last)s) AS n
"""


def main() -> None:
    arguments = _arguments()
    with installation(None):
        tenant_id = _tenant()
        _fill(tenant_id, arguments.rows)
        sys.exit(0 if _measure(tenant_id) else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.bundles", description="Times an export, and its verification.")
    parser.add_argument("--quick", dest="rows", action="store_const", const=100_000, help="100,000 events only")
    parser.add_argument("--rows", type=int, help="how many events the log has (default: 1,000,000)")
    parser.set_defaults(rows=1_000_000)
    return parser.parse_args()


def _tenant() -> int:
    from accounts.actions import tenants
    from accounts.models import Tenant
    from compliance.contracts import SYSTEM

    return tenants.open(tenant=Tenant(slug="acme", name="Acme"), by=SYSTEM).pk


def _fill(tenant_id: int, rows: int) -> None:
    from django.db import connection

    from compliance.actions import audit_log
    from compliance.contracts import SYSTEM

    for first in range(1, rows + 1, CHUNK):
        last = min(first + CHUNK - 1, rows)
        with connection.cursor() as cursor:
            cursor.execute(FILL, {"tenant": tenant_id, "first": first, "last": last})
        audit_log.checkpoint(by=SYSTEM)
        print(f"\r{last:>12,} events have their places", end="", flush=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) compliance_auditevent")
        cursor.execute("VACUUM (ANALYZE) compliance_auditleaf")
    print()


def _measure(tenant_id: int) -> bool:
    from compliance import signing
    from compliance.actions import audit_exports
    from compliance.bundles import files, verify
    from compliance.contracts import SYSTEM
    from compliance.models import AuditExport

    export = audit_exports.request(export=AuditExport(tenant_id=tenant_id), by=SYSTEM)
    with _watched() as grown:
        began, began_cpu = perf_counter(), process_time()
        audit_exports.make(export=export, by=SYSTEM)
        took, took_cpu = perf_counter() - began, process_time() - began_cpu
    path = files.path_of(export.public_id)
    began = perf_counter()
    command = [sys.executable, "-I", verify.__file__, str(path), "--key", signing.public_keys()[0].hex()]
    status, verified_cpu, verifier_mb = _run(command)
    verified = perf_counter() - began
    print(f"{'events in the bundle':32}{export.events:>12,}")
    print(f"{'size of the bundle, MB':32}{path.stat().st_size / 1e6:>12,.0f}")
    print(f"{'export, s':32}{took:>12,.1f}")
    print(f"{'verify.py, s':32}{verified:>12,.1f}")
    each = 1e6 / (export.events or 1)
    checks = (
        ("export, CPU µs an event", took_cpu * each, LIMIT_EXPORT_US),
        ("memory it took beyond that, MB", grown[0], LIMIT_GROWTH_MB),
        ("verify.py, CPU µs an event", verified_cpu * each, LIMIT_VERIFY_US),
        ("memory of verify.py, MB", verifier_mb, LIMIT_VERIFIER_MB),
    )
    return all([_told(*check) for check in checks]) and status == 0  # noqa: C419 - each is told


def _told(what: str, figure: float, limit: float) -> bool:
    is_kept = figure <= limit
    print(f"{what:32}{figure:>12,.1f}   limit {limit:,.0f}{'' if is_kept else '   MISSED'}")
    return is_kept


def _run(command: list[str]) -> tuple[int, float, float]:
    """The exit status of a program, how long it took a processor, in s, and how much memory at most, in MB."""
    process, most = subprocess.Popen(command), 0  # what the kernel counts as its most has this process in it
    watched = psutil.Process(process.pid)
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        most = max(most, watched.memory_info().rss)
        sleep(0.05)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_utime + usage.ru_stime, most / 1e6


@contextmanager
def _watched() -> Iterator[list[float]]:
    """How much memory this process takes at most beyond what it had, in MB; looked at ten times a second."""
    process, over, found = psutil.Process(), threading.Event(), [0.0]
    before = process.memory_info().rss

    def look() -> None:
        while not over.wait(0.1):
            found[0] = max(found[0], (process.memory_info().rss - before) / 1e6)

    watcher: Any = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


if __name__ == "__main__":
    main()
