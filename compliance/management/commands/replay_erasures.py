"""`manage.py replay_erasures`: the step of a restore between bringing data back and opening it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from compliance.actions import erasure, replays
from compliance.contracts import Actor
from compliance.errors import ComplianceError
from compliance.management.progress import Bar
from compliance.models import Erasure

BY = Actor(kind="command", id="replay_erasures")


class Command(BaseCommand):
    help = (
        "Erases again whoever was erased since the backup that a database was restored from: everybody in the ledger "
        "(ERASURE_LEDGER), in order. May be repeated. Until it was done, nothing is decrypted."
    )

    bar: Bar | None = None

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--none-yet", action="store_true", help="nobody was ever erased: there is no ledger yet")

    def show(self, done: int, total: int) -> None:
        """How far it is."""
        if self.bar is None:
            self.bar = Bar(self.stderr, total=total, unit="erasures")
        self.bar.show(done)

    def handle(self, *args: Any, none_yet: bool = False, **options: Any) -> None:
        try:
            done = replays.replay(by=BY, tell=self.show, none_yet=none_yet)
        except ComplianceError as error:
            raise CommandError(f"{error} Nothing is decrypted until this command ends well.") from error
        finished = [erasure.advance(erasure=each, by=BY) for each in done.again if each.surrogate]
        open_ = [each for each in finished if each.state != Erasure.State.COMPLETE]
        back = f"{len(done.again):,} were back, and are fenced and destroyed again."
        self.stdout.write(f"{done.entries:,} erasures in the ledger; {back}")
        for each in open_:
            self.stdout.write(f"{each.surrogate}: incomplete, goes on by itself: {each.problem}")
