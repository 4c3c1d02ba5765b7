"""`python -m benchmarks.reports`: how long each report and the front page take over millions of usage records.

Everything is in a temporary folder. A report that takes longer than LIMIT_MS at the most is marked, and the exit is 1.
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

LIMIT_MS = 1000
DAYS = 395
ZONES = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York")
TENANTS = 20

Measure = tuple[str, Callable[[], Any]]


def main() -> None:
    arguments = _arguments()
    with installation(arguments.keep):
        from django.core.management import call_command

        end = datetime.now(UTC).date() + timedelta(days=1)
        tenants = _tenants()
        if arguments.rows:
            call_command("seed_usage", rows=arguments.rows, days=DAYS)
            _vacuum()
        sys.exit(0 if _measure(_measures(tenants, end), rounds=arguments.rounds) else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.reports", description="Times reports over seeded usage.")
    parser.add_argument("--quick", dest="rows", action="store_const", const=1_000_000, help="a million records only")
    parser.add_argument("--rows", type=int, help="how many records (default: 10,000,000); 0: those in the folder")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is asked for (default: %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="use that folder, and leave it")
    parser.set_defaults(rows=10_000_000)
    return parser.parse_args()


@contextmanager
def installation(keep: Path | None) -> Iterator[None]:
    """An embedded PostgreSQL of its own, with all tables."""
    folder = keep or Path(tempfile.mkdtemp(prefix="portcullis-reports-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # as root, PostgreSQL runs as another user
    for name in ("DATABASE_URL", "LEDGER_DATABASE_URL", "KEYS_DATABASE_URL", "DEBUG"):
        os.environ.pop(name, None)
    os.environ.update(VAR_DIR=str(folder / "var"), DJANGO_SETTINGS_MODULE="config.settings")
    import django  # now: settings are read at import

    django.setup()
    from django.core.management import call_command
    from django.db import connections

    from config import embedded

    try:
        call_command("migrate", verbosity=0, interactive=False)
        yield
    finally:
        connections.close_all()
        for connection in connections.all():
            getattr(connection, "close_pool", lambda: None)()
        embedded.stop_now()
        if keep is None:
            shutil.rmtree(folder, ignore_errors=True)


def _tenants() -> list[Any]:
    """Tenants with keys; the keys of the first have most of the usage."""
    from accounts.models import Tenant
    from tests import factories

    if not Tenant.objects.exists():
        for number in range(TENANTS):
            tenant = factories.a_tenant(time_zone=ZONES[number % len(ZONES)])
            for application in (factories.an_application(tenant) for _ in range(2)):
                for environment in ("dev", "production"):
                    factories.a_key(application, environment=environment)
    return list(Tenant.objects.order_by("pk"))


def _vacuum() -> None:
    """As autovacuum does it sooner or later."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")


def _measures(tenants: list[Any], end: date) -> list[Measure]:
    from billing.reports import Dimension, Query

    everybody = Query(start=end - timedelta(days=365), end=end)
    plain = [by for by in Dimension if by not in {Dimension.END_USER, Dimension.TAG}]
    measures = [_report(f"all tenants, a year, by {_words(by)}", everybody, by) for by in plain]
    measures += [measure for tenant in tenants[: len(ZONES)] for measure in _of_tenant(tenant, everybody)]
    return [*measures, *_pages()]


def _of_tenant(tenant: Any, everybody: Any) -> list[Measure]:
    from billing import reports
    from billing.reports import Dimension

    year = replace(everybody, tenant_id=tenant.pk, tag="feature")
    month = replace(year, start=year.end - timedelta(days=31), by=Dimension.API_KEY)
    name = f"one tenant ({tenant.time_zone}), a"
    return [
        *(_report(f"{name} year, by {_words(by)}", year, by) for by in Dimension if by != Dimension.TENANT),
        (f"{name} year, by model, as a chart", partial(reports.chart, replace(year, by=Dimension.MODEL, most=6))),
        (f"{name} month, export", lambda: list(reports.lines(month))),
    ]


def _report(name: str, query: Any, by: Any) -> Measure:
    from billing import reports

    return name, partial(reports.report, replace(query, by=by))


def _words(by: Any) -> str:
    return str(by).replace("_", " ")


def _pages() -> list[Measure]:
    from django.contrib.auth import get_user_model
    from django.test import Client

    from accounts.models import ApiKey
    from billing import selectors

    client = Client(headers={"host": "localhost"})
    client.force_login(get_user_model().objects.filter(is_superuser=True).first() or _an_admin())
    keys = list(ApiKey.objects.values_list("pk", flat=True))
    return [
        ("front page", lambda: _page(client, "/admin/")),
        ("usage records, newest", lambda: _page(client, "/admin/billing/usagerecord/")),
        (f"last use of {len(keys)} keys", lambda: selectors.last_used(keys)),
    ]


def _an_admin() -> Any:
    from tests.factories.control import an_admin

    return an_admin()


def _page(client: Any, path: str) -> None:
    answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answers {answer.status_code}")


def _measure(measures: list[Measure], *, rounds: int) -> bool:
    """Prints a line for each, asked for once before; returns whether all are within the limit."""
    is_good = True
    print(f"{'':60} {'p50 ms':>8} {'max ms':>8}")
    for name, ask in measures:
        ask()
        times = [_milliseconds(ask) for _ in range(rounds)]
        is_slow = max(times) > LIMIT_MS
        is_good &= not is_slow
        print(f"{name:60} {median(times):8.0f} {max(times):8.0f}{'  too slow' if is_slow else ''}", flush=True)
    return is_good


def _milliseconds(ask: Callable[[], Any]) -> float:
    began = perf_counter()
    ask()
    return (perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
