"""Fills the usage table, to try reports and the admin over much of it."""

from datetime import UTC, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import ProgrammingError, connection
from django.utils import timezone

from billing.actions import seeding
from billing.errors import NoKeys, RealUsage
from compliance.contracts import Actor
from compliance.management.progress import Bar

ACTOR = Actor(kind="command", id="seed_usage")


class Command(BaseCommand):
    help = "Adds synthetic usage records, spread over the keys there are, and their rollups. They charge no budget."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rows", type=int, default=1_000_000, help="how many records (default: %(default)s)")
        parser.add_argument("--days", type=int, default=395, help="on how many days until today (default: %(default)s)")
        parser.add_argument("--yes", action="store_true", help="also where there is real usage, which it mixes with")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["rows"] < 1 or not 1 <= options["days"] <= 3660:
            raise CommandError("Give at least one row, and from 1 to 3660 days.")
        try:
            self.seed(options["rows"], options["days"], mix=options["yes"])
        except RealUsage as error:
            raise CommandError(
                "There is real usage here, and what is added cannot be told from it: give --yes."
            ) from error
        except NoKeys as error:
            raise CommandError("There is no key yet: issue one, or run `manage.py seed_demo`.") from error
        except ProgrammingError as error:
            raise CommandError("The database has no tables yet; run `manage.py migrate` first.") from error

    def seed(self, rows: int, days: int, *, mix: bool) -> None:
        end = timezone.now().astimezone(UTC).date() + timedelta(days=1)
        bar = Bar(self.stdout, total=rows, unit="records")
        start = end - timedelta(days=days)
        added = seeding.seed_usage(rows=rows, start=start, end=end, mix=mix, by=ACTOR, progress=bar.show)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE billing_usagerecord, billing_usagehour, billing_usageday, billing_usagevalue")
        self.stdout.write(f"Added {added:,} records.")
