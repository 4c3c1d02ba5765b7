"""Shows what each version of the pepper is needed for, and says of one that it may be thrown away."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import peppers
from accounts.actions import peppers as actions
from compliance.contracts import Actor
from compliance.errors import KeyVersionInUse


class Command(BaseCommand):
    help = "Shows how many secrets each version of the pepper holds. --retire: asks whether one may be thrown away."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--retire", type=int, metavar="VERSION", help="Refuses while anything needs that version.")

    def handle(self, *args: Any, retire: int | None = None, **options: Any) -> None:
        if retire is not None:
            self._retire(retire)
            return
        for each in peppers.usage():
            state = "current" if each.is_current else "needed" if each.is_needed else "not needed"
            missing = "" if each.is_at_hand else ", MISSING in KEY_PEPPERS: what needs it does not work"
            self.stdout.write(
                f"version {each.version}: {each.keys:,} keys, {each.retiring:,} retiring secrets, "
                f"{each.revoked:,} revoked keys ({state}{missing})"
            )

    def _retire(self, version: int) -> None:
        try:
            actions.retire(version=version, by=Actor(kind="command", id="peppers"))
        except KeyVersionInUse as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Nothing needs version {version}. Take it out of KEY_PEPPERS.")
