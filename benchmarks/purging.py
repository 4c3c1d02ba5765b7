"""`python -m benchmarks.purging`: how long it takes to purge a day of a million conversations.

Everything is in a temporary folder. A run that takes longer than LIMIT_S is marked, and the exit is 1.
"""

import argparse
import sys
from collections.abc import Callable
from datetime import date, timedelta
from time import perf_counter
from typing import Any

from benchmarks.reports import installation

LIMIT_S = 1.0
TENANTS = 20
CHUNK = 100_000
BYTES = 1_000

# As the storing INSERT would have, but for the keys: of a thousand people of each tenant, spread over the day.
FILL = """
INSERT INTO transcript (id, tenant_id, surrogate, application_id, api_key_id, environment, model, outcome, created_at,
                        expires_on, key_id, sealed, plain_bytes)
SELECT gen_random_uuid(), (array[{tenants}])[n %% {count} + 1], 'eu_' || lpad((n %% 1000)::text, 24, 'a'), 1, n %% 7,
       'production', 'gpt-4o', 'completed', %(day)s::date + (n %% 86400) * interval '1 second',
       content_expires_on((array[{tenants}])[n %% {count} + 1], %(day)s::date + interval '1 hour'),
       gen_random_uuid(), decode(repeat(md5(n::text), %(bytes)s / 16), 'hex'), 900
FROM generate_series(%(first)s::bigint, %(last)s) AS n
"""


def main() -> None:
    arguments = _arguments()
    with installation(None):
        from compliance.purging import plans

        today = plans.today()
        day = today - timedelta(days=31)
        tenants = _tenants()
        _fill(tenants, day, arguments.rows)
        sys.exit(0 if _measure(today, arguments.rows) else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.purging", description="Times the purge of one day.")
    parser.add_argument("--quick", dest="rows", action="store_const", const=100_000, help="100,000 rows only")
    parser.add_argument("--rows", type=int, help="how many conversations the day has (default: 1,000,000)")
    parser.set_defaults(rows=1_000_000)
    return parser.parse_args()


def _tenants() -> list[int]:
    from accounts.actions import tenants
    from accounts.models import Tenant
    from compliance.contracts import SYSTEM

    rows = [Tenant(slug=f"tenant-{n}", name=f"Tenant {n}") for n in range(TENANTS)]
    return [tenants.open(tenant=row, by=SYSTEM).pk for row in rows]


def _fill(tenants: list[int], day: date, rows: int) -> None:
    from django.db import connection

    text = FILL.format(tenants=", ".join(map(str, tenants)), count=len(tenants))
    with connection.cursor() as cursor:
        cursor.execute("SELECT make_transcript_partition(%s)", [day + timedelta(days=31)])
        for first in range(1, rows + 1, CHUNK):
            last = min(first + CHUNK - 1, rows)
            cursor.execute(text, {"day": day, "first": first, "last": last, "bytes": BYTES})
            print(f"\r{last:>12,} conversations", end="", flush=True)
        cursor.execute("VACUUM (ANALYZE) transcript")  # both have happened long before anything is due
        cursor.execute("CHECKPOINT")
    print()


def _measure(today: date, rows: int) -> bool:
    from compliance.actions import purges
    from compliance.contracts import SYSTEM
    from compliance.purgers import Scope
    from compliance.purging import plans

    _run_before(today)
    plan, plan_s = _timed(lambda: plans.make(Scope(as_of=today)))
    run, run_s = _timed(lambda: purges.run(plan_hash=plan.hash, as_of=today, by=SYSTEM))
    assert run.removed_rows == rows, f"{run.removed_rows:,} rows removed: {run.error}"
    print(f"preview of the plan   {plan_s * 1000:8.0f} ms")
    print(f"plan, purge, report   {run_s * 1000:8.0f} ms{'' if run_s < LIMIT_S else f'   over {LIMIT_S:g} s'}")
    return run_s < LIMIT_S


def _run_before(today: date) -> None:
    """The first run of an installation makes the key that reports are signed with."""
    from compliance.actions import purges
    from compliance.contracts import SYSTEM
    from compliance.purgers import Scope
    from compliance.purging import plans

    yesterday = today - timedelta(days=1)
    purges.run(plan_hash=plans.make(Scope(as_of=yesterday)).hash, as_of=yesterday, by=SYSTEM)


def _timed(function: Callable[[], Any]) -> tuple[Any, float]:
    began = perf_counter()
    result = function()
    return result, perf_counter() - began


if __name__ == "__main__":
    main()
