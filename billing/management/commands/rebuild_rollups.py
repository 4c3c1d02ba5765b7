"""Counts usage records anew."""

from datetime import UTC, date, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing.actions import rollups
from compliance.contracts import Actor
from compliance.management.progress import Bar

ACTOR = Actor(kind="command", id="rebuild_rollups")


class Command(BaseCommand):
    help = (
        "Makes the rollups of a span of days anew out of usage records, day by day; days whose records are gone stay."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="start", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD")
        parser.add_argument(
            "--to",
            dest="last",
            type=date.fromisoformat,
            metavar="YYYY-MM-DD",
            help="the last day (default: today, UTC)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        start, last = options["start"], options["last"] or timezone.now().astimezone(UTC).date()
        if last < start:
            raise CommandError("The last day lies before the first one.")
        bar = Bar(self.stdout, total=(last - start).days + 1, unit="days")
        counted = rollups.rebuild(
            start=start,
            end=last + timedelta(days=1),
            by=ACTOR,
            progress=lambda day, records: bar.show((day - start).days + 1),
        )
        self.stdout.write(f"Counted {counted:,} records anew.")
