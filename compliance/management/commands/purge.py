"""`manage.py purge`: shows what the next run removes; with the plan's hash it removes exactly that."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compliance.actions import purges
from compliance.contracts import Actor
from compliance.errors import ActionRefused
from compliance.purgers import PLATFORM, Line, Scope, purgers, title_of
from compliance.purging import plans


class Command(BaseCommand):
    help = "Shows what is due under the retention policies; with --plan HASH, as shown, removes it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--as-of", type=date.fromisoformat, help="count from another day (UTC), YYYY-MM-DD")
        parser.add_argument("--plan", metavar="HASH", help="remove what the plan with this hash lists, and only that")

    def handle(self, *args: Any, **options: Any) -> None:
        as_of = options["as_of"] or plans.today()
        if options["plan"]:
            self._run(as_of, options["plan"])
        else:
            self._show(as_of)

    def _show(self, as_of: date) -> None:
        plan = plans.make(Scope(as_of=as_of))
        for line in plan.lines:
            self.stdout.write(_words(line))
        for purger in purgers():
            if purger.note is not None:
                self.stdout.write(f"{purger.title}: {purger.note(Scope(as_of=as_of))}")
        self.stdout.write(f"{plan.rows:,} rows to remove, {plan.held_rows:,} kept by legal holds. Plan {plan.hash}")

    def _run(self, as_of: date, plan_hash: str) -> None:
        try:
            row = purges.run(plan_hash=plan_hash, as_of=as_of, by=Actor(kind="command", id="purge"))
        except ActionRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{row.get_state_display()}: {row.removed_rows:,} rows removed. Report {row.pk}.")


def _words(line: Line) -> str:
    kept = f"; {line.held_rows:,} kept by legal holds" if line.held_rows else ""
    since = f", the oldest of {line.oldest}" if line.oldest else ""
    whose = "the platform" if line.tenant_id == PLATFORM else f"tenant {line.tenant_id}"
    return f"{whose}: {line.rows:,} {title_of(line.store)}{since}: {line.why}{kept}"
