"""`manage.py verify_audit`: verifies the audit log against its hashes, its signatures and what the sinks hold."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from compliance.actions import verification
from compliance.contracts import Actor
from compliance.errors import ActionRefused, ComplianceError
from compliance.evidence.findings import Report
from compliance.management.progress import LazyBar


class Command(BaseCommand):
    help = "Verifies the audit log. Exit 1: something was altered, or could not be looked at; it says where."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--log", action="append", default=[], metavar="ORIGIN", help="this log only; may be given more than once"
        )
        parser.add_argument(
            "--since-checkpoint",
            action="store_true",
            help="only what was added since the last clean verification of everything",
        )
        parser.add_argument(
            "--accept-rollback",
            metavar="REASON",
            default="",
            help="put on record first that a restore has lost what the sinks hold more; give the reason",
        )
        parser.add_argument("--processes", type=int, metavar="N", help="how many to use (default: as many as pay)")

    def handle(self, *args: Any, **options: Any) -> None:
        bar = LazyBar(self.stderr, unit="events")
        by = Actor(kind="command", id="verify_audit")
        try:
            if options["accept_rollback"]:
                accepted = verification.accept_rollback(by=by, reason=options["accept_rollback"])
                for origin, (first, last) in accepted.logs.items():
                    self.stdout.write(f"on record as lost: {origin}, indices {first} to {last - 1}")
                for sink, sizes in accepted.sinks.items():
                    self.stdout.write(f"on record: {sink} has lost checkpoints of {len(sizes):,} logs")
            report = verification.verify(
                by=by,
                origins=options["log"],
                since_checkpoint=options["since_checkpoint"],
                processes=options["processes"],
                progress=lambda done, total, _: bar.show(done, total),
            )
        except (ActionRefused, ComplianceError) as error:
            raise CommandError(str(error)) from error
        for line in _lines(report):
            self.stdout.write(line)
        if not report.is_clean:
            raise CommandError("The audit log was altered." if report.count else "Not all could be verified.")


def _lines(report: Report) -> list[str]:
    found = [str(each) for each in report.in_order()]
    more = report.count - len(found)
    seen = f"{report.events:,} events in {report.logs:,} logs, {report.checkpoints:,} checkpoints"
    return [
        *found,
        *([f"and {more:,} more findings"] if more else []),
        *(f"not verified: {each}" for each in report.unchecked),
        f"{seen}: {'all as it was sealed' if report.is_clean else f'{report.count:,} findings'}.",
    ]
